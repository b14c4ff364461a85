"""Plots about wishes: a skill to learn, one wish granted."""

TEXT = """
# learning a skill
@ skill
= skill: skill | done | fail | hint | show
to ride a bicycle | rode the bicycle | {fell into the {hedge/grass}/scraped {his} knee} | look ahead
  and not at the wheel | {rode/raced} once around {theplace}
to swim | swam | {swallowed water/sank like a stone} | kick with long, slow legs | swam all the way
  to the {raft/other side}
to whistle | whistled | blew only {air/spit} | make {his} lips {round/small} like a button |
  whistled {a tune/like {a bird}}
to tie {his} shoes | tied {his} shoes | made {a knot like a {nest/potato}/only tangles} | make two
  rabbit ears | tied {both/all the} shoes in the {hall/house}
to skate | skated | landed on {his} {bottom/back} | bend {his} knees and push to the side |
  {glided/skated} in a {big/wide} circle
to play the {instrument} | played it | {made a noise like a {goose/door/cat}/hit the wrong notes} |
  play slowly first and listen | played {a whole song/a waltz} for {everyone/the guests}
to read | read | mixed up the {letters/words} | put the sounds together one by one | read a whole
  {story/page} out loud
to juggle | juggled | dropped {the balls/the {fruits}} on {his} {toes/nose} | throw them all to the
  same height | juggled {three/four} {fruits} at once
to bake bread | baked bread | {burned it black/made it as hard as a brick} | let the dough
  {rest/sleep} under a cloth | baked a loaf with a {golden/crisp} crust
to jump rope | jumped rope | {got tangled/tripped} after one jump | listen to the beat of the rope |
  jumped {a hundred/fifty/ninety} times
to row a boat | rowed the boat | {went in circles/splashed everyone} | pull both oars at the same
  time | rowed to the {island/far bank} and back
to do a cartwheel | did a cartwheel | {fell over/toppled} like a {tree/sack} | stretch {his} legs
  toward the sky | did {three/two} cartwheels {in a row/across the grass}
to fly a kite | flew the kite | {got it stuck in {a tree}/dragged it through the mud} | run into the
  wind and let go slowly | let the kite dance above {theplace}
to paint | painted | made {only brown puddles/noses as big as {vegetables}} | look twice before each
  line | painted {a shape} that looked {real/alive}
to dance | danced | {stepped on everyone's toes/turned left when all turned right} | count to four
  in {his} head | danced until the {band/fiddler} was tired
to skip stones | skipped stones | {heard only a plop/hit {a container}} | choose a flat stone and
  throw it low | made a stone skip {some} times
to tell the time | told the time | mixed up the {long/short} hand and the other one | learn the
  short hand first | told {everyone/{a worker}} the right time
to knit | knitted | {dropped stitches/got tangled in the wool} | say the steps like a rhyme |
  knitted {a colour} {cap/scarf}
= wish
More than anything, {hero} wanted to learn {skill}.
{oneday} {hero} saw {a worker}{/ {place}} and {thought/said}, "I {want to/wish I could} do that."
  {He} wanted to learn {skill}.
All {his} friends had learned {skill}, but {hero} {had not/could not}.
There was one thing {hero} could not do {yet/at all}, and {he} {wished/wanted} {so much /}to learn
  it: {skill}.
"I am {old/big} enough {now /}to learn something new," {h says}. {He} {wanted/decided to learn how}
  {skill}.
= first
{First/At first} it went {badly/wrong}. {hero} {fail}.
{He} {tried/gave it a try}. It was {hard}, and {he} {fail}.
{oneday} {he} {tried/began}, but {fail}.
On the first day {he} {fail}. On the second {day /}{he} {did it again/was no better}.
It {looked/seemed} easy. But it was {hard}: {hero} {fail}.
= laugh 40%
{Someone/A big {boy/girl}/{^a bird}} {laughed/giggled}. {hero} {turned red/wanted to sink into the
  ground}.
"{You will never learn it/That looks funny}," somebody {said/called}. That {hurt/made {him}
  {angry}}.
{He} {looked} around. {Had anyone seen it?/{He} hoped that nobody had seen it./Luckily there was
  only {sight}.}
{His} {knees/ears/cheeks} were {red/sore}, and {his} {courage/good mood} was gone.
= quit 80%
"{I cannot do it/I give up/It is no use}," {h sobs}.
{hero} {threw/pushed} everything {away/aside}. "{I quit/Never again}!" {he} cried.
{He} {cried} and {sat down/wanted to stop}. "{Others are better/I am too small}," {he}
  {said/thought}.
{He} was {sad} and {did not try/gave up} for {two/three/some} days.
---
= teacher
{friend}, {a fkind} {who lived nearby/with much patience}, {saw/heard} it. "{I could not do it
  either, at first/It took me {some} weeks}," {f says}. "{Shall I help you?/Let me show you.}"
"{Do you know/Shall I tell you} {a secret/the trick}?" asked {a fkind} {named/called} {friend}.
  "{Everybody/Even the best} {falls/fails} {first/a hundred times}."
{His} {elder} {told/said to} {him}, "{Ask/Go and ask} {friend}. {Nobody knows it better/That {fkind}
  is good at it}." So {he} {did/went there}.
{suddenly} {a fkind} sat down {beside/next to} {him}. "I am {friend}, and I {can/will} {help/teach}
  you," {fhe} said.
{^a kind-hearted} {fkind} {named/called} {friend} {smiled/came over}. "{You are almost there/That
  was not bad}," {f says}. "{Do you want to try together/Let us try together}?"
= hint
{friend} told {him} to {hint}. {hero} {tried/nodded}.
"{Watch/Look}," {f says}, and {fhe} {showed/taught} {him} {how/the secret}: {hint}.
The trick was to {hint}. {Nobody/No one} had {ever /}told {him} that{/ before}!
"{There is one secret/It is easy}," {f says}. {hero} had to {hint}. {That was all/It sounded
  simple}.
= practice 80%
{Every day/Each afternoon} they practiced {together /}{while}. {Sometimes/Now and then} {hero} still
  {fail}, but {less often/not so often}.
{hero} practiced in the {morning/rain/evening}, {at home/in {his} dreams} and {place}. {friend}
  {clapped/counted}.
{then} {he} tried {again/once more}, {carefully}, {while}. {friend} {never laughed/stayed with
  {him}}.
They {worked/practiced} until {supper/the stars came out/it got dark}. {sky}, but {neither/nobody}
  minded.
"{Again/Once more}!" {f says}, {some} times a day. And {hero} {tried/did it} again.
= effort 40%
{effort}
---
= success
And then {it happened/came the day}: {hero} {done}! {It was like magic/{He} could hardly believe
  it}.
{suddenly} it {worked/went well}. {hero} {done}, {and nobody helped/all by {himself}}!
One {weather} {morning}, {hero} {done}. "{I can do it/Look at me}!" {h cries}.
{soon} {hero} {done}, first {slowly/badly}, then {better and better/quite well}. {friend}
  {clapped/cheered}.
= show 85%
{That/The same} evening {he} {show}. {His} {elder} was {proud}.
At the {party/fair/school feast} {hero} {show}, and {everyone/all} {clapped/cheered}.
{then} {he} {show}. Even {a worker} {clapped/was {surprised}}.
{friend} {held {fhis} breath/crossed {fhis} fingers/watched} while {hero} {show}.
= thanks 75%
"Thank you, {friend}," {h says}. "{You never laughed at me/You are a good teacher}."
{hero} {gave/brought} {friend} {a cake}. "{For my teacher/To thank you}," {he} {said/explained}.
"{It was you who did it/You did the work}," {f says} when {hero} {thanked/hugged} {fhim}.
{friend} {smiled/was {proud}}. "{Now you can/Go and} teach {me something/somebody else}," {fhe}
  said.
= lesson 80%
{hero} {learned/knew now} that {practice makes you better/you fall down before you fly}.
{Later/The next year}, {hero} {taught/showed} {a little} {bird/child/cousin} {the same thing/how to
  do it}.
"{I cannot do it yet/Not yet}," {he} said {from then on/now} when something was {hard}, {and tried
  again/but {he} never gave up}.
{Nothing is easy at first/Every master was once a beginner}, {he} thought, {and a friend helps a
  lot/so {he} went on learning}.

# one wish
@ magic wanted need
= magic: magic | spirit | how
{a old} {lamp/bottle/teapot} | a {tiny/blue} {genie/spirit} | {rubbed off the dirt/pulled out the
  cork}, and with a {sound}
a {golden/silver} fish {in a net/in a puddle} | the fish | {set it free/carried it to the water},
  and then
a {glowing/round} stone | a {little/kind} {fairy/elf} | held it up to the {moon/light}, and
a {star/spark} that had fallen into {a container} | the star | {blew/breathed} on it {softly}, and
an acorn with a {tiny/golden} door | a {wee/gray} {gnome/elf} | {knocked three times/opened it}, and
a {feather/key} that {hummed/glowed} | a {snow-white/silver} bird | {waved it/held it} in the air,
  and
a {wooden/brass} {button/ring} | a {sleepy/tiny} {wizard/fairy} | {turned it three times/put it in
  {his} pocket}, and
= wanted: wanted
{a fine} {thing}
{a container} full of {sweet}
a live {pony/dragon/parrot/tiger}
{wings like a {bird}/a magic cape/a thousand books}
a {castle/ship/rocket} with {some} rooms
{some} bags of {sweet} and no {vegetables} ever again
= need: need | change | proof
{friend} was very ill and lay in bed, pale and hot | {friend} would get well | {friend} {jumped out
  of bed/asked for {food}}
there had been no rain for weeks, and the {flowers/fields/wells} were {dry/dying} | it would rain |
  {big} drops fell on the {dust/roofs}, and {friend} danced in them
{friend} had lost {fhis} little {cat/dog}, and it was {cold/winter} | {friend}'s pet would come home
  | there was a {scratching/soft sound} at {friend}'s door
{friend}'s family had lost {the house/the roof} in a storm | {friend} would have a {warm/safe} home
  | there stood {a homeadj} {house} with {friend}'s name on the door
{friend} had not been able to walk since {the winter/an accident} | {friend} could walk again |
  {friend} {stood up/took one step and another}
{friend}'s {brother/father/mother} was far away at sea in a storm | the ship would come home | a
  {white/patched} sail came into the harbor
= friend
{friendline}
= find
{oneday} {hero} found {magic} {place}.
{oneday} {hero} {walked} near the {view}. There {he} saw {magic}.
{oneday} {hero} was {pastime} when {he} {stumbled over/discovered} {magic}.
{oneday} {hero} {looked} behind {a container} and {found} {magic}. It {shone}.
= how
{He} {how} {spirit} {appeared/spoke}! "{You have/I give you} one wish, {hero}," {it said/said a
  small voice}. "{Think well/Choose with care}."
{hero} {how} {spirit} {looked at {him}/was there}. "{Thank you for freeing me/I have slept a hundred
  years}. You may {have/make} one wish, {only one/no more}."
{^carefully}, {he} {how} {spirit} {nodded/spoke to {him}}. "{One wish/You may wish for one thing},"
  it said, "{but only until sunset/but only one}."
= surprised 50%
{hero} was {surprised}. {He} {rubbed {his} eyes/pinched {his} arm}.
"{Is it true/A real wish}?" {h asks}. "{As true as the {moon/sun}/Yes, a real one}," was the answer.
{hero} {jumped} with joy. {One wish/A wish}! {He} could {hardly breathe/not believe it}.
---
= think 80%
{At once/First} {he} thought of {wanted}. {Or perhaps/Or maybe} something else?
What should {he} {take/wish for}? {^wanted}? {Or something else/It was {hard} to choose}.
{hero} had always thought about {wanted}. "{That is it/Now I can have it}!" {he} {said/thought}.
"I want {wanted}," {hero} {thought/told {himself}}, and {he} {skipped/{ran}} to {tell {friend}/show
  {friend}}.
= effort 40%
{effort}
= need
But then {he} {heard/remembered}: {need}.
On the way {he} {met/saw} {a worker}, who {told {him} the news/looked {sad}}: {need}.
{Then/But} {his} {elder} {came home with/brought} {bad/sad} news: {need}.
{hero} {stopped/stood still}. {He} thought of {friend}. {^need}.
= choose
{hero} {thought/sat there} {while}. {He} {looked} at the sky. Then {he} knew what to {do/say}.
"{A toy/My own wish} can wait," {he} {thought/said to {himself}}. "{This is more important/A friend
  cannot}."
{hero} {closed {his} eyes/saw {friend}'s face before {him}}. {It was not so {hard/difficult}
  anymore/All at once the choice was easy}.
{It hurt a little/For a moment {he} thought of {wanted}}. But {he} {shook {his} head/knew what was
  right}.
= wish
"I wish that {change}," {h says}. {There was a {sound}/The air {shone}}, {and then all was still/and
  the magic was gone}.
{He} {whispered/said} the wish: that {change}. {A warm wind blew/Sparks flew}.
"Please," {h says}, "I wish that {change}." "{Are you sure/Is that all/Nothing for yourself}?"
  "{That is all I want/That is my wish}," {he} said.
---
= proof
{The next {day/morning}/That same {night/evening}/Before the sun went down}, {proof}!
{Nothing happened at first/{hero} waited}. {suddenly} {proof}!
{hero} {ran} {quickly} to see. And {really/indeed}, {proof}!
= joy 75%
{hero} was {happy}. {friend} {laughed} and {hugged {him}/{cried} with joy}.
"{Is it a miracle/How can that be}?" {f asks}. {hero} only {smiled/winked}.
{Everyone/{friend}} was {surprised} and {happy}, and {nobody/no one} knew {why/how it had happened}.
They ate {food}, {a worker} played the {instrument}, and {hero} danced with {friend}.
= told 45%
{Much later/Some days later}, {hero} told {friend} {the secret/about the wish}. "You gave up your
  wish for me?" {f asks}. "{Thank you/I will never forget it}, {hero}."
{His} {elder} {knew/had seen it}. "You {gave away/used} your only wish for {somebody else/a
  friend}," {ehe} said and {hug}.
{hero} {never told/kept it to {himself}}. But {friend} {gave/made} {him} {a thing}, {as if {fhe}
  knew/just because}.
= lesson
{hero} {learned/found out} that {the best wish is one for somebody else/to make a friend happy is
  {real/the best} magic}.
{hero} {never missed/did not miss} {wanted} {at all/even for a moment}. {He} had {friend}.
And {sometimes/in the evening}, {something {shone} at the window/{spirit} came by}, {as if to say
  well done/and smiled at {him}}.
"{I would do it again/It was the right wish}," {h says}, {whenever {he} thought of it/and {he} meant
  it}.
"""
