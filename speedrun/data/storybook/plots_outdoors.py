"""Plots about the outdoors: bad weather, lost and home again."""

TEXT = """
# bad weather
@ outing bad shelter
= outing: outing | ready
a picnic | packed {a container} with {meal}
a boat trip | {packed/took} {a colour} {cloth} and {meal}
a {garden/birthday} party | hung up lanterns and baked {a cake}
a kite day | {made/brought} kites with {colour} tails
a walk to the {castle/waterfall/old mill} | filled {a container} with {fruits} and {drink}
a game of {game} | {invited/asked} {some} friends
a camping night | {carried/packed} a tent, {some} blankets and {sweet}
a bicycle ride | {oiled the wheels/pumped up the tires} and packed {food}
a parade | {put on/sewed} {a colour} {cloth} and took {a instrument}
= bad: storm | wet | clear
dark clouds {came/rolled} over the hills, and it {rained/poured} | soaked to the skin | the rain
  {stopped/grew thin}
there was thunder and lightning, and hail {rattled/jumped} on the path | {cold and wet/white with
  hail} | the thunder {rolled away/moved off}
a {wild/strong} wind {came/blew}, and {hats/branches/buckets} flew through the air | {blown
  about/full of leaves} | the wind {lay down/grew tired}
a thick fog {crept/rolled} in, and nobody could see {three steps/the next {tree}} | {cold and
  damp/lost in the gray} | the fog {lifted/thinned}
snow {began to fall/fell}, thicker and thicker, until the path was {gone/white} | {frozen/white from
  head to toe} | the snow {stopped/grew soft}
rain {drummed/splashed} down, and the {brook/river} {rose/ran over the path} | {muddy and
  dripping/wet as a fish} | the {water sank/rain ended}
= shelter: shelter | host
in a shepherd's hut | old shepherd
in a fisherman's hut | {old/young} fisherman
in a woodcutter's hut | old woodcutter
in a {barn/stable} full of hay | friendly {farmer/milkmaid}
in a mill that smelled of flour | round miller
in a bakery that smelled of bread | {sleepy/merry} baker
in a {cave/hollow} with a {dry/sandy} floor | shy {bear/bat/badger}
in a lighthouse with {some} windows | {old/bearded} lighthouse keeper
in a tower with {some} stairs | {old/tall} guard
in a {bus/caravan} with {colour} curtains | {circus clown/retired sailor}
in a library with high windows | kind librarian
in a museum with high windows | kind night guard
in a {greenhouse/garden shed} full of {flowers} | quiet gardener
= friend
{friendline}
= plan
{All week/For days} {hero} and {friend} had {looked forward to/talked about} {outing}. They {ready}.
{oneday} {hero} and {friend} {planned/talked about} {outing}. They {ready}.
"Today is {the day of/the day for} {outing}!" {h cries}. {friend} {laughed}, and they {ready}.
{oneday} {hero} {invited/asked} {friend} to {outing} {place}. They {ready}.
It was to be {the best/a perfect} day: {outing} {place}! {hero} and {friend} {ready}.
= warn 45%
"{Take your coats/Watch the sky}," {e says}. {hero} {laughed/did not listen}. "{It will stay
  fine/There is not one cloud}!"
{In the morning/At first} the {sky was blue/sun {shone}}. {^a bird} flew low, but nobody
  {noticed/saw it}.
{Far away/Behind the {view}} there was a {gray/dark} {line/spot} in the sky. "{That is nothing/It
  will pass}," {f says}.
{His} {elder} {put/packed} {a old} umbrella in the bag, {just in case/against {his} will}.
= storm
They had {hardly/only just} {begun/started} when {storm}.
{suddenly} {storm}!
{All went well/They {laughed} and sang}. Then {storm}.
They saw {sight} on the way. But then {storm}.
"{Is that a drop/Did you feel that}?" {f asks}. And {storm}!
= wet 70%
{soon} they were {wet}. {hero} was {sad}. "{Our/The whole} {day/fun} is {ruined/spoiled}," {he}
  said.
{friend} was {scared}, for they were {wet}. "{What shall we do/Where can we go}?" {f asks}.
They {ran}, and {presently} they were {wet}. {friend} lost {a shoe/{fhis} {cloth}}.
{hero} {wanted/tried} to save the {food/{fruits}}. But {presently} everything was {wet}.
"{Quick/Run}!" {h cries}. "{We must find a dry place/Take my {hands}}!" They were {wet}.
= effort 40%
{effort}
---
= shelter
{Then/At last} they {saw/found} a light. They {knocked/went in} and {stood/were} {shelter}.
{Luckily/By good luck} they found a place {shelter}. "{Come in/Hurry in}," said a voice. It was {a
  host}.
{hero} {pointed/called}, "{There/Over there}!" And {presently} they {sat/stood} {shelter},
  {dripping/out of breath}.
{^a host} {saw/waved to} them. "{Come/Get} inside, {quick/you two}!" {soon} they {sat/were}
  {shelter}.
{friend} {remembered/knew} a place, and they {ran}. {Soon/Then} they {sat/were} {shelter}, where {a
  host} lived.
= host 75%
The {host} gave them {drink} and {a cloth} {each/to dry themselves}.
They were given {food} and {drink}, and {the old stove/a little fire} {made/kept} them warm.
"{Sit down/Make yourselves at home}," said their host. {soon} they had {meal} for {everyone/all}.
The {host} {took down/played} {a instrument} and {sang/played} {an old/a merry} song.
"{I like/It is nice to have} {guests/company}," said their host and {made room/told them about {a
  shape}}.
= fun 80%
{So/Then} they had {outing} {indoors/right there}! They {played {game}/told stories}, and {hero}
  {laughed}.
They {played {game}/sang/told riddles} {while}. {hero} {forgot/did not even hear} the
  {weather/storm}.
{friend} {spread a blanket/opened {a container}} on the floor. "{Here we are/Let us begin anyway}!"
  {fhe} said. They {ate {food}/{laughed}}.
They {listened/looked out}. "{It sounds like {a instrument}/The sky is cleaning itself}," {h says},
  and {friend} {laughed}.
= clear
{soon} {clear}. {Outside/And there}, {over the hills/above the {view}}, stood a {rainbow/double
  rainbow}.
{At last/After two hours} {clear}. {Everything/The world} {smelled/looked} {new/fresh} and {shone}.
When {clear}, {the sun/a bit of blue sky} came out. {^birds} {sang/flew up}.
Then {clear}, {and {some} stars came out/and they saw {sight}}. "{Look/Oh, look}!" {f cries}.
---
= thanks
They thanked the {host} {many times/warmly} and {promised to come back/left {some} {fruits} as a
  present}.
"Thank you for {everything/letting us in}," {h says}. "{Come again/Any time}," said their host, "{in
  any weather/but bring the sun}."
{hero} {shook hands with/thanked} their host. {friend} {gave/left} a {flower} {as a thank you/on the
  table}.
= home 50%
At home, {his} {elder} {was {worried}/waited at the door}. {hero} {told/had to tell} {the whole
  story/everything}, and {ehe} {laughed/{hug}}.
They {jumped} through {all the puddles/the wet grass} {on the way home/all the way}.
"{That was the best day of all/What a wild day}," {f says}. "{Next time we bring umbrellas/I hope it
  rains again}!"
They {walked} home, {arm in arm/singing}. {Their shoes went {sound}/They saw {sight}}.
= lesson 75%
{hero} {learned/knew now} that {a bad start can have a good end/rain does not have to spoil the
  fun}.
"{The weather/A storm} cannot {spoil a day/stop us}," {h says}, "{if you have a friend/as long as we
  are together}."
{From then on/After that}, {hero} {listened to {his} {elder}/always packed {a cloth}} {before a
  trip/when the {birds} flew low}.
{Each/Every} time it {rained/stormed}, {hero} {thought of/remembered} the {host} and
  {smiled/{laughed}}.

# lost and home again
@ lure guide landmark
= lure: lure
followed {a colour} butterfly
ran after a {rolling ball/runaway kite/red balloon}
looked for {fruits} among the bushes
listened to {a bird} singing far away
wanted to see where the {brook/path/rainbow/ants} ended
chased {his} {hat/cap/paper boat} in the wind
= landmark: landmark
{tree} shaped like {a shape}
{colour} bridge
{tall/crooked} chimney with a {rooster/star} on top
mill with {a broken wing/{colour} wings}
stone {lion/frog/giant}
fence with {some} {colour} posts
church tower with a {golden/green} clock
= guide: fkind | friend | help
{snail/tortoise/toad} | {helper} | was slow, but knew every {path/stone}
{owl/stork/swallow/crow} | {helper} | flew ahead from {tree} to {tree}
{deer/fox/hare/badger} | {helper} | {sniffed the ground/pricked up {fhis} ears} and found the trail
{horse/donkey/goat/pony} | {helper} | let {hero} ride on {fhis} back
{firefly/glowworm} | {helper} | {shone} like a {small/tiny} lamp in the dusk
{cat/dog} | {helper} | knew every {street/yard/corner}{/ for miles around}
= warn 60%
"{Do not/Don't} go too far," {his} {elder} {had said/always said}.
"{Stay where you can see the house/Be back before dark}," {his} {elder} had {said/told {him}}.
{His} {elder} had told {him} {never to leave the path/to stay close}. {hero} had nodded{/ without
  listening}.
"Look for {a landmark}," {his} {elder} {always /}said, "{then you will find home/it stands near our
  door}."
= go
{oneday} {hero} {lure} and {forgot the time/went farther and farther}.
{oneday} {hero} was {place}. {He} {lure}, {on and on/without looking back}.
{oneday} {hero} {lure}. {He} {walked} past {sight} and {sight}.
{oneday} {hero} and {his} {elder} were {place}. {hero} {lure}, and then {he} was {alone/all by
  {himself}}.
{oneday} {hero} {lure}, {around one corner and then another/over one hill and the next}.
= lost
When {he} {stopped/looked up}, {nothing looked familiar/everything was strange}. {hero} was lost!
{soon} {he} {stood still/turned around}. Which way was home? {He} did not know.
Where was {he}? {He} {looked} left and right, but {saw/there was} only {sight}.
"{Where am I/Which way did I come}?" {h sobs}. {Nobody/Only the wind} answered.
{suddenly} {he} {noticed/saw} that {he} did not know the way {back/home}.
---
= sad 75%
It {got/grew} dark, and {hero} was {scared}. {He} {thought of/missed} {his} {elder} and the {warm
  kitchen/soft bed}.
{He} {called/shouted}, but {only an echo/no one} {answered/came}. {He} was {scared} and {tired}.
{He} {walked} this way and that {while}, and it {only got worse/did not help}.
{A {sound} came/There was a {sound}} from the bushes. {hero} {sat down/stopped} and {cried}.
The {shadows/trees} {grew long/seemed taller}, and {his} {stomach/belly} {growled/rumbled}.
= effort 40%
{effort}
= meet
{suddenly} {a fkind} {came along/stood there/sat down near {him}}. "{Why are you {sad/crying/so
  quiet/so pale}/Are you lost, little {kind}}?" {fhe} asked. "{My name is/I am} {friend}."
"{Hello/Good evening} there," said a {soft/deep/friendly} voice. It {was/belonged to} {a fkind}
  {named/called} {friend}.
Then {he} saw {a fkind}. "{Excuse me/Please}," {h says}, "{do you know the way/can you help me}? I
  am {hero}." "And I am {friend}," {said/answered} the {fkind}.
{^a kind-hearted} {fkind} {named/called} {friend} had heard {him}. "{Do not/Don't} {worry/cry}," {f
  says}.
= ask
"{Where do you live/What does your home look like}?" {f asks}. {hero} {thought hard/remembered}.
  "{Near it is/There is} {a landmark}," {he} said.
"{Tell me/Think of} something {near/close to} your {house/home}," {f says}. "{Yes/I do}! {^a
  landmark}!" {h cries}.
"{We live/I live} near {a landmark}," {h says}. "{Ah/Oh}, I {know/have seen} {that/it}," {f says}.
{hero} {closed {his} eyes/thought}. "{^a landmark}!" {he} said. "{That is/It stands} {near/next to}
  my home." {friend} {nodded/smiled}.
= walk
So they {set out/went off} together. {friend} {help}.
"{Follow/Come with} me," {f says}. {Fhe} {help}.
They {went/walked} past {sight} and {across a {brook/field/bridge}/over a hill}. {friend} {help}.
{friend} {help}. {On the way/As they went}, {fhe} {told {him} a story about {a worker}/sang a song
  about {a shape}}.
{hero} was not {scared} {anymore/now}. {friend} {help}, and {hero} {kept close/followed}.
= pause 35%
Halfway they {rested/sat down} and {shared/ate} {some} {fruits}.
"{Are we there yet/Is it far}?" {h asks}. "{Not far now/Only {some} more steps}," {f answers}.
Once they took a wrong turn and came to {sight}. They {laughed} and {turned back/tried the other
  way}.
---
= arrive
{soon} {hero} {saw/spotted} the {landmark}. "{There it is/I can see it}!" {h cries}. "{I am
  home/That is my home}!"
And there, {behind/beyond} the {last trees/next corner}, {was/stood} the {landmark}! {hero}
  {laughed} and {ran}.
{hero} {jumped}. "{^a landmark}!" {he} cried. {Now {he} knew the way/From there it was easy}.
At last they {came/got} to the {landmark}. {His} {elder} was {already /}{standing in the
  door/calling {his} name}.
= elder 80%
{His} {elder} {ran/came} to meet {him} and {hug}. "{I was so {worried}/Where have you been}!"
"{There you are/Thank goodness}!" {his} {elder} cried and {hug}.
{His} {elder} {had tears in {ehis} eyes/was {worried}}. {Ehe} {hug} and {was not angry/said nothing
  for a while}.
"I am sorry," {h says}. "{I did not listen/I went too far}." {His} {elder} {hug}.
= thanks
"{This is/Here is} {friend}, who {brought/led} me home," {h says}. "{Thank you/How can we thank
  you}, {friend}!" {e says}.
{hero} thanked {friend}, and there was a {feast/supper/lunch/table full} of {meal} for {everyone/the
  kind {fkind}}.
"Thank you, {friend}," {h says}. "{Will you visit me/Come and see me} {soon/on Sunday}?" {friend}
  {promised/nodded}.
{friend} was {given/offered} {food} and {a soft place by the fire/a {colour} {cloth}}. "Thank you,
  {friend}," {h says}.
= lesson 80%
{From then on/After that}, {hero} {always looked/remembered to look} {back/around} and
  {learned/noticed} the way.
{hero} {promised/learned} never to {go so far/wander off} {without telling {his} {elder}/alone}
  again.
{Now {he} knew/{hero} had learned}: when you are lost, {stay calm and ask for help/remember
  something near your home}.
And whenever {he} {saw/passed} the {landmark}, {he} {thought of/waved to} {friend}.
"""
