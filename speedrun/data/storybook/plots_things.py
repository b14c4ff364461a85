"""Plots about things: lost and found, broken and mended."""

TEXT = """
# lost and found
@ tree thing fine spot
= spot: spot | fkind | friend | saw | reach
on the {highest/topmost} branch of {a tree} | squirrel | {helper} | hanging | {climbed up the
  trunk/ran up the {tree}} and {threw/shook/pushed} it down
in the top of {a tree} | {bird} | {helper} | stuck | {flew/fluttered} up, {took/picked up} the
  {thing} in {fhis} beak and brought it down
at the bottom of a {deep/muddy/green/round} pond | {frog/otter/duck} | {helper} | lying |
  {dived/jumped} into the water and came up with the {thing}
{deep/far down} in a {narrow/dark/sandy} hole | {mole/mouse/rabbit/weasel} | {helper} | lying |
  {crawled/crept/slipped} into the hole and {pulled/pushed/dragged} it out
under {a big} heap of {dry/red/wet/rustling} leaves | {hedgehog/dog/puppy/blackbird} | {helper} |
  hidden | {scratched/dug/pushed} the leaves aside until the {thing} lay {free/in the sun}
behind a {thorny/prickly/thick} bush | {goat/rabbit/mouse/lizard} | {helper} | caught |
  {slipped/squeezed} through the {thorns/twigs/leaves} and {carried/brought} it back
on the roof of {a old} {shed/barn/mill/hut} | {cat/squirrel/crow/magpie} | {helper} | lying |
  {walked/ran/crept} along the {roof/gutter} and let the {thing} {slide/roll/drop} down
in the nest of {a magpie/a crow/a raven/a jay} | {pigeon/sparrow/owl/woodpecker} | {helper} | lying
  | {talked/spoke} to the owner of the nest, who gave the {thing} back
inside a hollow {log/tree/stump} | {dormouse/chipmunk/woodpecker/newt} | {helper} | waiting | went
  in and {rolled/pushed/pulled} it {out/into the light}
= have
{hero} had {a fine} {thing} that {he} {took/carried} {everywhere/wherever {he} went}.
Of all {his} {toys/things/treasures}, {hero} loved {a fine} {thing} {best/most}.
{His} {elder} had given {him} {a fine} {thing}, and {he} {played with it/kept it close} every day.
For {his} birthday {hero} had {got/been given} {a thing}. It was {fine}, and {he} loved it
  {dearly/at once/very much}.
The thing {he} {liked/loved/treasured} most was {a fine} {thing} from {his} {elder}.
{hero} owned {a thing}. It was not {big/new}, but it was {fine}, and it was {his} best treasure.
= loss
{oneday} {hero} took it along to {theplace} and {played/ran about} near the {view} {while}.
{oneday} {hero} {went/ran/walked/skipped} to {theplace}, with the {thing} under {his} arm.
{oneday} {he} was {pastime} {place}, and the {thing} lay {beside/next to/behind} {him}.
{oneday} {he} {played/rested} {place}. {He} put the {thing} down to look at {sight}.
{oneday} {hero} and {his} {elder} {walked/went} to {theplace}, where they saw {sight}.
{oneday} {hero} played {game} near the {view}. {He} {jumped/ran} so {wildly/much} that {he} forgot
  everything else.
= sky 25%
{sky}.
= gone
When it was time to {go home/leave/eat}, the {thing} was gone!
But when {he} {looked} for the {thing} {later/afterwards/again}, it was {gone/nowhere to be seen}.
{suddenly} {he} {noticed/saw/felt} that {his} {thing} was {gone/missing/not there anymore}.
On the way back, {hero} {stopped/stood still}. Where was the {thing}?
{suddenly} {he} {felt {his} heart beat fast/turned pale/stood still}: the {thing} was {gone/lost}!
"{Oh no/Oh dear/Help}! {Where is my {thing}/My {thing} is gone/I have lost my {thing}}!" {h cries}.
---
= sad
{hero} was {sad}. {He} {looked} {behind/around} the {view}, but {found nothing/it was not there}.
{He} {looked} {here and there/in every corner/left and right} and {cried}.
{He} {cried}. Without the {thing}, {nothing was fun/the day was no good anymore}.
{hero} {looked} behind the {view} and under {a container}. All {he} found was {sight}.
"{Please/Oh}, {thing}, where are you?" {h sobs}, but of course {nobody/no one} answered.
{He} asked {a worker} and {a worker}, but {nobody/neither} had seen {any/the} {thing}.
= effort 40%
{effort}
= helper
{soon} {a fkind} {came by/came along/stopped}. "Why {are you so quiet/do you cry/are you crying/do
  you look so sad}?" {f asks}. {Fhis} name was {friend}.
{suddenly} {hero} heard a voice. It was {a little} {fkind} {named/called} {friend}. "{Can/May} I
  help you {look/search}?" {friend} asked.
{A/One} {kind-hearted} {fkind} {named/called} {friend} had {seen/heard} everything. "{I will/Let me}
  help you," {f says}.
Then {he} met {a little} {fkind}. "{I am/My name is} {friend}. {What is wrong/What have you lost}?"
  {f asks}.
"Are you looking for {a fine} {thing}?" asked {a little} {fkind} {named/called} {friend}. "I
  {know/saw} where it is!"
{^a fkind} {named/called} {friend} {stopped/sat down} {next to/beside} {him}. "{Tell me all about
  it/Do not cry}," {f says}. "{Two see more than one/We will look together}."
= found
They {looked/searched} {together/side by side}, and {presently} there it was, {saw} {spot}!
{friend} {pointed/nodded}. The {thing} was {saw} {spot}!
{soon} {friend} {called/shouted}, "There!" And {really/indeed/truly}, the {thing} was {saw} {spot}.
They {passed/saw} {sight}. And then they saw the {thing}, {saw} {spot}.
"{Look/See}, something {colour} {spot}!" {f cries}. It was the {thing}.
They {walked} {all over/around} {theplace}. The {thing} was {saw} {spot}, {of all places/safe and
  sound}.
= reach
{hero} could not {reach/get} it, but {friend} {reach}.
"Leave {it/that} to me," {f says}. {Fhe} {reach}.
It was too {hard/far} for {hero}. So {friend} {reach}.
{friend} did not {wait/think twice}. {Fhe} {reach}.
{^carefully}, {friend} {reach}.
"How can we get it?" {h asks}. {friend} {smiled/winked/laughed}. Then {fhe} {reach}.
---
= thanks
"Thank you, {friend}!" {h cries}. {He} {hugged/pressed} the {thing} {tightly/to {his} chest}.
{hero} was {happy}. "Thank you, {friend}, {you are a {true/real/good} friend/I will never forget
  it}!"
"Oh, thank you, {friend}," {h says} and gave {fhim} {some} {fruits}.
{hero} {laughed} and {jumped} with joy. {He} {thanked {friend} many times/danced around {friend}}.
To thank {friend}, {hero} {shared/brought} {meal}.
"How can I ever thank you, {friend}?" {h asks}. "{Play with me/Be my friend}," {f answers}. And {he}
  did.
= lesson 80%
After that, {hero} {took good care of/never let go of/kept an eye on} {his} {thing}.
{From that day on/From then on}, {he} {kept the {thing} close/took better care of the {thing}}.
{hero} {learned/now knew} that {a friend is worth more than any {thing}/it is good to ask for help}.
And whenever {friend} lost something, {hero} {helped {fhim} {look/search}/was there to help}.
Now {hero} had {his} {thing} and a {new friend/friend} {as well/besides/too}.
{hero} tied a {colour} ribbon to the {thing}, so that it would {never get lost/be easy to find}.
"{Things/Treasures} can be lost," {he} {told/said to} {his} {elder}, "but {a good friend/kindness}
  is always found."

# broken and mended
@ gadget fine break other
= gadget: thing
airplane
banjo
camera
clock
compass
dollhouse
drum
fire engine
flashlight
flute
globe
helicopter
lantern
mirror
music box
piggy bank
puppet
robot
rocket
rocking chair
sailboat
spyglass
telescope
toy castle
toy horse
toy train
tractor
typewriter
umbrella
wagon
whistle
windmill
= break: cause | broken | mender | tool
{hero} {tripped/stumbled} over {a container} and the {thing} {fell/crashed} to the ground |
  {cracked/split} in two | {carpenter/shoemaker/clockmaker} | {a pot of/a drop of/some strong} glue
{a fat/a naughty/a clumsy} {cat/goat/puppy/goose} {sat/jumped/landed} on the {thing} | {bent/flat as
  a pancake/out of shape} | {blacksmith/tinsmith/mechanic} | {a small hammer/a pair of tongs}
{hero} {pulled/turned/twisted} {too hard/with all {his} might}, and there was a {crash} | {broken/in
  pieces} | {toymaker/carpenter/inventor} | {a tiny screwdriver/a screw and a spring}
the wind {knocked/blew} the {thing} off {the table/the shelf/a wall} with a loud {crash} |
  {chipped/broken/cracked} | {potter/painter/toymaker} | {a brush and some {colour} paint/glue and
  string}
{hero} left the {thing} out in the rain {all night/for two days} | {soaked and stained/wet and out
  of shape} | {carpenter/toymaker/inventor} | {some wax and a dry cloth/an oily rag and a brush}
the {thing} got stuck in {a door/a gate/a drawer/the spokes of a wheel} | {bent/squashed/dented} |
  {blacksmith/toymaker/tinsmith} | {a wooden hammer/a vice and a file/pliers and some wire}
= have
{hero} {owned/had} {a fine} {thing}. It had {once /}belonged to {his} {elder}.
{His} {elder} had made {him} {a thing}, {fine} and just the right size.
On {his} shelf, next to {a container}, {hero} kept {a fine} {thing}.
{Every evening/Before bed}, {hero} {dusted/polished} {his} {fine} {thing} and put it on {a shelf/a
  chair}.
What {hero} loved {best/most} was {his} {thing}, {fine} and {pretty}.
= cause
But {one day/one {weather} {morning}/that {month}}, {cause}.
{oneday} something {sad/bad/terrible} happened: {cause}.
Then came a {badadj} {day/moment}. {^cause}.
All went well until {one day/one {weather} day} {cause}.
Then it happened: {cause}. {Oh dear/Oh no/What a pity}!
= broken
The {thing} was {broken}. {hero} was {sad}.
Now the {thing} was {broken}, and {hero} {cried}.
"My {thing}!" {h cries}. "{It is/Now it is/Look, it is} {broken}!"
{hero} picked it up. It was {broken}. {He} felt a lump in {his} throat.
"{Oh no/Oh dear}," {h sobs}. The {thing} was {broken}.
When {he} {looked} at it, the {thing} was {broken}. {hero} {bit {his} lip/hung {his} head/{cried}}.
---
= try 75%
{First/At first} {he} tried to mend it with {tape/string/chewing gum/mud/honey/a ribbon/jam}, but it
  did not {hold/work/help}.
"Throw it away," said {friend}, {a fkind} {from next door/who came by}. But {hero} {shook {his}
  head/did not want to}.
{He} {tried/worked} {while}, but it {only got worse/was too {hard/difficult}/fell apart again}.
{He} {pushed/pressed/pulled} and {turned/twisted}, but {it was no use/nothing helped}.
"A new one costs {some} coins," {e says}. But {hero} {did not want/would not have} a new one.
{He} hid the pieces in {a container} and {could not sleep/did not want to eat} {that night/all day}.
= effort 40%
{effort}
= elder
Then {he} {told/asked} {his} {elder}. "{I know somebody/We shall see}," {e says}. "The {mender} {in
  town/across the street/by the bridge} can mend {anything/almost everything}."
"{Do not/Don't} {worry/cry}," {e says}. "{What is/Things that are} broken can {often/almost always}
  be mended. {Go to/Ask/Visit} the {mender}."
{His} {elder} {put an arm around {him}/wiped {his} tears}. "{Let us/We will} {go to/ask} the
  {mender}," {ehe} said.
{soon} {his} {elder} {saw/noticed} it. "{Why, we/We} must bring this to the {mender}," {ehe}
  {said/decided}.
So {hero} {walked}, with the {thing} in {a container}, to the {mender} at the {end of the road/old
  mill}.
= mender
The {mender} {looked at/turned over/held up} the {thing} {carefully}. "I can {show/teach} you how to
  mend it," {whe} said. "{All we need/What it needs} is {tool}."
In the {mender}'s {shop/workshop} it smelled of {paint/wood/oil/wax}. "{Hm/Aha/I see}," {whe} said.
  "{Fetch me/We need/Let us try} {tool}."
The {mender} was {an old/a round/a quiet} {wman} with {gray hair/round glasses/big hands}. "{Sit
  down/Watch me}," {whe} said and took {tool}.
"{No {thing} is hopeless/I have seen worse}," said the {mender}, and {whe} got {tool}.
"What a {pretty} {thing}," said the {mender}. "{With/If we use} {tool}, it will be as good as new.
  {Will/Can} you help me?"
= work
{hero} {held the {thing} still/held the lamp/watched closely} while {whe} worked, {carefully}.
Together they worked {while}. {hero} {learned/tried} every step {by heart/with {his} own {hands}}.
{Whe} {showed/explained} {each/every} step, and {hero} did the {last/hardest} one all by {himself}.
It {took/needed} {a long time/{some} tries}. {hero} {learned to wait/did not look away once}.
"Now you," said the {mender}. {hero} {tried/did it}, {carefully}, with {his} {tongue/head} {out/bent
  low}.
---
= done
{soon} the {thing} was whole again. {hero} {was {happy}/{laughed}}.
And then it was done! The {thing} {shone/looked} {like new/as never before}.
One could {still /}see {a small line/where it had been mended}, but {hero} {liked it even more/did
  not mind}.
"{It works/It is whole again/Look at it}!" {h cries}. The {mender} {smiled/nodded/winked}.
The {thing} was {fine} and {pretty} {again/once more}, and {hero} {jumped}.
= thanks 60%
"Thank you," {h says}. "{What do I owe you/How can I pay you}?" The {mender} only wanted {a cake}.
To say thank you, {hero} {brought/baked for} the {mender} {a cake}{/ the next day}.
{hero} thanked the {mender} and {swept the floor/carried in some wood/washed the windows}.
"Come back {soon/any time}," said the {mender}. "{You have/I like your} {careful/clever/good}
  {hands}."
= lesson
From then on {hero} {mended/could mend} {all kinds of/many} things: {a container}, {a cloth} and an
  old {other}.
{hero} had learned that {a broken thing is not a lost thing/one should not give up too soon}.
{Later/Years later/When {he} grew up}, {hero} became {a mender} too, {and never forgot/all because
  of} the {thing}.
And when {his} friend {friend} broke {a other}, {hero} said, "{Do not/Don't} cry. {I know what to
  do/We can mend it}."
"{Almost everything/Nearly everything} can be mended," {he} told {his} friend {friend}, "{if you
  take your time/with a bit of patience}."
"""
