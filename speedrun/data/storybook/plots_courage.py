"""Plots about courage: a fear overcome, a noise in the night."""

TEXT = """
# a fear overcome
@ fear
= fear: fear | sign | first | trick | after
the dark | {pulled the blanket over {his} head/saw {shape}s in every corner} | stood in the doorway
  of the dark room | {holding {a small} lamp/counting the stars through the window/giving each
  shadow a funny name} | {turned off the lamp/looked out at the stars} all by {himself}
thunder | {hid under the bed/held {his} ears} at the first rumble | sat by the window while the sky
  rumbled | {counting from the flash to the bang/singing louder than the storm/beating a drum along
  with it} | {laughed at every boom/slept right through a storm}
deep water | {would only get {his} toes wet/stayed on the sand} | walked into the water up to {his}
  knees | {floating on {his} back like a leaf/blowing bubbles/kicking like a frog} | {swam out to
  the raft/dived for {shells/pebbles}}
high places | {felt dizzy on the lowest step/never climbed anything} | climbed to the third step of
  the ladder | {looking up and never down/taking one step at a time/holding on with both {hands}} |
  {stood at the top and waved/saw the whole valley}
big dogs | {crossed the street/trembled} whenever one barked | stood a few steps from a big brown
  dog | {letting it sniff {his} {hands}/standing as still as a {tree}/speaking softly} | {scratched
  the dog behind the ears/threw a stick for the dog}
spiders | {screamed/ran out of the room} when {he} saw one | looked at a spider from three steps
  away | {giving it a name/watching it spin/counting its legs} | {carried the spider outside in a
  cup/told everyone about webs}
the new school | {had a stomachache at breakfast/would not put on {his} shoes} | stood in front of
  the school door | {thinking of one friendly question/humming {his} own tune/looking for one kind
  face} | {sat beside a new friend/raised {his} voice and answered}
the dentist | {kept {his} mouth shut tight/hid in the closet} | sat down in the big chair |
  {thinking about {sweet}/counting {shape}s on the ceiling/squeezing a ball} | {got a sticker/showed
  everyone {his} shiny teeth}
speaking in front of people | {turned red/forgot every word} | stood up in front of some chairs and
  a cat | {looking at one friendly face/breathing slowly/pretending to talk to a pillow} | {said the
  whole poem/took a bow}
the old bridge | {took the long way around/felt {his} knees shake} | put one foot on the first plank
  | {looking at the other side/holding the rope/counting the planks} | {ran across and back/stood in
  the middle and looked at the fish}
the noisy train | {covered {his} ears/hid behind {his} {elder}} | stood on the platform while the
  train came in | {whistling back at it/guessing its color/waving to the driver} | {rode all the way
  to the sea/sat by the window and waved}
deep snow | {stayed indoors/feared to sink in} | took three steps into the snow | {wearing wide
  boots/stepping in {friend}'s tracks/making {himself} flat like a {bird}} | {built a snowman/rolled
  down the hill}
= afraid
But there was one thing {hero} was {scared} of: {fear}. {He} {sign}.
{hero} had a secret. {He} was {scared} of {fear}, and {he} {sign}.
Only one thing made {him} {tremble/shiver}, and that was {fear}. {He} always {sign}.
Nobody knew that {hero} was {scared} of {fear}. {He} {sign}.
{hero} was not afraid of {bugs/ghosts/mice/monsters}. But {fear}? {He} {sign}.
= friend
{friendline}
= event
{oneday} {friend} {came by/knocked}. "{Come with me/Let us go out/There is {meal} at my place}," {f
  says}. But that meant {fear}, and {hero} {shook {his} head/said no}.
{oneday} the others {laughed/teased}, "{hero} is afraid of {fear}!" {hero} {cried} and {ran}
  {away/home}.
{oneday} {his} {elder} {said/told {him}}, "{Soon/Tomorrow} you will {have to/need to} face {fear}."
  {hero} {turned pale/felt cold}.
{oneday} it could not be {avoided/helped}. {hero} stood there, {scared}, and could not {move/speak}.
{oneday} {hero} missed {meal} with {friend}, and all because of {fear}. {He} was {sad}.
= tell
"{What is it/What is wrong}?" {f asks}. {hero} {looked at the floor/swallowed}. "I am {scared} of
  {fear}," {he} whispered.
At last {he} told {friend} {about it/the truth}. {friend} did not laugh. "{Everyone is/We are all}
  {afraid/scared} of something," {fhe} said. "{I was once afraid of {a bug}/With me it is
  {fearful}}."
"{Promise not to laugh/Can I tell you a secret}?" {h asks}. "{It is/I cannot help it, it is}
  {fear}." {friend} {took/squeezed} {his} {hands}.
"I wish I {were/was} brave," {h sobs}. "{Brave is not the same as unafraid/To be brave, you must
  first be afraid}," {f says}.
{friend} {sat down/waited} beside {him}. "{You do not have to be alone with it/I will stay with
  you}," {f says}.
---
= plan 60%
"{Let us/We will} {try/do it} together, {a little bit/one small step} at a time," {f says}.
"I know a trick," {f says}, "and {it always works/my {elder} taught it to me}."
Then {friend} had an idea. "{We begin with/First, only} a tiny step," {fhe} {said/explained}.
{friend} {showed/taught} {him} a trick for {days/moments} like this.
"{Do it/Try it} like me," {f says}, and {fhe} {showed/taught} {him} how.
= first
So that day {hero} {first}. {His} heart {beat/hammered} like a {drum/clock/woodpecker}.
{First/On the first day}, {hero} {first}, with {friend} {next to/close beside} {him}.
{then} {hero} {first}. {His} knees {shook/were like jelly}, but {he} {stayed/did not run away}.
{hero} {gulped/closed {his} eyes/took a breath} and {first}. {friend} {nodded/smiled}.
{Very slowly/With small steps}, {hero} {first}. "{Well done/Good/There}," {f says}.
= trick 80%
{hero} {tried/did it} by {trick}. {Strange/How odd}! It {helped/was not so bad}.
"{Try/What about} {trick}," {friend} {whispered/reminded {him}}. And it {worked/helped}!
By {trick}, {hero} felt {a bit/a little} {braver/calmer} {each/every} time.
The trick was {trick}. {hero} {did it/tried} {while}, and the fear {grew/became} smaller.
{Again and again/Day after day} {he} practiced, {trick}, until {his} heart was {quiet/calm}.
= effort 40%
{effort}
= setback 35%
Once there was a loud {sound}, and {he} {almost ran away/jumped}. But {friend} {held/took} {his}
  {hands}.
On the {second/third} day {he} wanted to {stop/give up}. "{Only/Just} one more {time/try}," {f
  says}.
{Sometimes/At night} the fear came back. Then {he} thought of {friend} and {tried again/did not
  run}.
For a moment {he} was {scared} {again/as before}. But {he} {stayed/looked up/went on}.
---
= done
And {one {morning}/soon/at last}, {hero} {after}. {He} {could hardly/did not} believe it {himself}.
{soon} {hero} {after}. "I did it!" {h cries}. "{Did you see/Look at me}, {friend}?"
Then {the day/the moment} came: {hero} {after}, and {everyone/{friend}} {clapped/cheered}.
{suddenly} it was {easy/not hard at all}. {hero} {after}, and {he} was {proud}.
One {weather} {day/evening}, {hero} {after}. {friend} {jumped} for joy.
= thanks 75%
"{Thank you/Without you I could not have done it}, {friend}," {h says}.
{friend} {laughed}. "You {did it/were brave} {yourself/all on your own}," {fhe} said. "I {only stood
  next to you/just watched}."
{hero} {thanked/hugged} {friend}, and they {celebrated with/had} {meal}.
{hero} gave {friend} {a thing}, because {fhe} {had helped {him}/was such a good friend}.
= lesson 85%
{hero} {learned/understood} that {being brave means to try anyway/fear grows small when you look at
  it}.
{Now/After that} {he} {helped/could help} others who were {scared}. "{One small step/Try it
  together}," {he} {always /}told them.
{^fear} {was still there sometimes/came back now and then}, but {hero} knew what to do.
"{You can be afraid and brave at the same time/Nothing is as big as it looks}," {he} told {his}
  {elder}.
And that is how {hero} {made friends with/stopped being afraid of} {fear}.

# a noise in the night
@ noise spook culprit
= noise: noise
{a soft/a strange/a slow/a low} {sound}, {sound}, {sound}
a {scratching/tapping/squeaking/humming/dripping/rustling} {sound}
a {sound} and then a {long/deep/sad} sigh
a {sound} like {a shape} dropping a {spoon/boot/chain}
= spook: spook
a {ghost/monster/goblin/witch/burglar/troll/dragon/giant}
a {ghost/monster/goblin/witch/burglar/troll/dragon/giant}
= culprit: culprit | where | want
{a small/a wet/a fat/a brown} {hedgehog/mouse/raccoon/squirrel} | {behind {a container}/under the
  stairs} | {was looking for crumbs/had got its head stuck in a {jar/can}/was hungry}
{a loose/an old} {shutter/board/branch} | at the {kitchen/attic/back} window | {only moved in the
  wind/needed a nail}
{a lost/a thin/a shivering} {kitten/puppy/duckling} | {outside the door/under the porch} | {wanted
  to come in/was cold and hungry/could not find its way}
{a young/a gray} owl | {in the attic/in the chimney/on the gutter} | {could not find the way out/was
  calling its mother}
the {washing machine/clock/fan/fridge} | {in the kitchen/in the hall} | {stood crooked and
  wobbled/had a loose screw}
a toy {train/robot/drum/duck} | {under the bed/inside {a container}} | {had been left switched
  on/ran by itself}
a {water pipe/heater} | in the {wall/cellar/bathroom} | {was full of air/knocked because of the
  cold}
= night
{One night/One {windy/rainy/starry/cold} night/Late one evening}, {hero} lay in bed and {could not
  sleep/listened to the wind}.
It was {a dark/a quiet/a windy/a starry} night, and {hero} had just {closed {his} eyes/put out the
  light/finished {his} book}.
{hero} woke up in the middle of the night. {The moon {shone}/It was dark and still}.
One night, {friend} {stayed/slept} at {hero}'s house. They {told stories/whispered} until the
  {moon/stars} came out.
The clock struck {ten/eleven/twelve/midnight}. {hero} was {still awake/dreaming of {a shape}}.
= noise
{suddenly} there was {noise}.
Then {he} heard it: {noise}. {He} {sat up/held {his} breath}.
{suddenly} {he} heard {noise}. It came from {somewhere/far} {below/above/outside}.
And then, in the dark, {noise}!
What was that? {^noise}! It {stopped/was quiet}, and then it {began/came} again.
= think 80%
"{It must be/Maybe it is/I think it is} {spook}," {h sobs}. {He} was {scared}.
{hero} was {scared}. {He} thought of {spook} with {big/long/yellow} {teeth/claws/eyes}.
"{^spook}!" {he} thought and {pulled the blanket up/crept under the pillow}.
In {his} mind {he} saw {spook}, {as big as a {house/bus}/with eyes like {plates/lanterns/coals}}.
  {He} {shivered/trembled}.
{His} heart {hammered/beat} {fast/loudly}. Everybody knew that {spook} came {at night/in the dark}.
= friend
{hero} {woke/called} {friend}, the {fkind} who {slept in the other bed/was {his} guest}. "{Did you
  hear that/Wake up}!" {h says}.
{friend}, {his} best friend, {was staying for the night/slept on the floor} and woke up too. "{What
  is it/What was that}?" {f asks}.
In the next bed slept {his} friend {friend}, {a little} {fkind}. {hero} {shook/poked} {fhim} awake.
"{friend}! {friend}! {Are you awake/Do you hear it}?" {h asks}. {friend}, a {fkind} who {feared/was
  afraid of} {nothing/very little}, {nodded/yawned}.
---
= decide
"{Let us go and look/We must find out}," {f says}. "{I am scared, too, but/Two are braver than one,
  and} {it might be nothing/I want to know}."
"{I do not believe in/There is no such thing as} {spook}," {f says}, but {fhis} voice {shook/was
  small}.
"{If we stay here/If we hide}, we will {never know/be scared all night}," {h says}, {finally/at
  last}.
{hero} {took/grabbed} {a thing} and {friend} took {a lantern/a flashlight/a pillow/a broom}. {Hand
  in hand/Side by side}, they {went/crept} out.
{They/The two} {counted to three/took a deep breath} and {opened the door/got up}.
= effort 40%
{effort}
= sneak 70%
They {tiptoed/crept/went} {down the stairs/along the hall/through the dark}, {carefully}. A
  {floorboard/door} went {sound}.
{A shadow moved/Something {shone} in the dark}. It was only {a cloth} on a {hook/chair}. They
  {laughed} {softly/nervously}.
Every {step/stair} creaked. {friend} {held on to/squeezed} {hero}'s {hands}.
They passed {a container}, which {looked like/threw a shadow like} {a shape}.
It was {dark and cold/so dark that they saw nothing}. Then it came again: {noise}!
= see
{hero} lifted the {light/lamp}. {There/And there}, {where}, was {culprit}!
They {looked} {closely/carefully/twice}, and what did they {see/find}? {^culprit}, {where}!
{friend} {pointed/gasped}. {^where} they {saw/found} no {ghost/monster}, {only/but} {culprit}.
{Slowly/With shaking knees} they came closer. It was {culprit}, {where}!
"{Who is there?/Show yourself!}" {h cries}. But {where} there was only {culprit}.
= why 85%
It {want}. That was all!
"Look, it {want}," {f says}. {Both/They} {laughed} with relief.
There was no ghost at all: it {want}.
{hero} {let out/breathed} a {long/deep} {breath/sigh}. It {want}, {nothing more/that was the whole
  secret}.
---
= fix 70%
They {took care of it/put everything right} {together/at once}, and {presently} {all was quiet/the
  house was still}.
{hero} {knew/saw} what to do, and {friend} {helped/held the light}. {After that/Then}
  {all/everything} was {still/quiet}.
{His} {elder} {had woken up/came}, too, and {helped/laughed with} them. {Afterwards/Then} they
  {drank/all had} {drink}.
It {did not take long/took only {some} minutes} to {put/set} things right.
= bed
Back in bed, {hero} {said/whispered}, "{Thank you for coming with me/I am glad you were here},
  {friend}." But {friend} was {already /}asleep.
"{I was not afraid at all/I knew it all along}," {f says}, {and both {laughed}/yawning}.
{In bed/Under the blanket} they {laughed} about {spook} until {their eyes closed/they fell asleep}.
"{Good night/Sleep well}, {friend}," {h says}. "{You were very brave/It is good to have a friend in
  the dark}."
= lesson 70%
{hero} {learned/knew now} that {many things look scary until you turn on the light/most monsters are
  {very /}small}.
{After that/From then on}, when {he} heard {a strange} noise, {he} {was not {scared} anymore/went to
  look first/only smiled}.
The next {day/morning} they told {his} {elder} {about it/the whole story} over {meal}.
"{The dark is full of things/A noise is only a noise}," {he} {told everybody/liked to say}, "{and
  most of them are friendly/until you know what makes it}."
"""
