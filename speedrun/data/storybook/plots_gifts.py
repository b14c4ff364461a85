"""Plots about gifts: made by hand, kept secret."""

TEXT = """
# a gift made by hand
@ gift snag
= friend
{friendline}
= gift: gift | stuff | step
{colour} {scarf/shawl/blanket/hat} | {some} balls of {colour} wool | {knitted/crocheted} row after
  row
{birdhouse/stool/picture frame/spice box} | {some} {boards/planks} and a {bag/box} of nails |
  {sawed/hammered/sanded} and measured
necklace of {shells/beads/acorns/seeds} | a long {colour} string | threaded one after another
{song/poem} on {colour} paper | {some/a little} paper and {a pencil/a pen} | wrote and crossed out
picture of {theplace} | {some} {paints/crayons/pots of paint} and {a big} sheet of paper |
  {painted/colored} every corner
{fruit} {cake/pie/tart} | {flour/butter}, {sugar/honey} and {some} {eggs/fruits} |
  {stirred/kneaded/mixed} and tasted
{vase/bowl/mug/candlestick} | a lump of {wet/gray/red} clay | {rolled/pressed/shaped} and smoothed
book of {stories/jokes/riddles} | {some} sheets of {colour} paper | wrote page after page
{puppet/doll/toy cat/toy bear/toy horse} | {some} {rags/socks/buttons} and a needle |
  {cut/sewed/stuffed} and stitched
jar of {fruit} jam | {a container} of ripe fruit | {washed/peeled/stirred} and filled
garland of {flowers} | {a container} of fresh {flowers} | {picked/tied/wove}
lantern of {colour} paper | {a container} full of paper, wire and a candle | folded and glued
= snag: snag
the {cat/puppy/kitten/baby} {walked/rolled/ran} right over it
{hero} spilled {drink} on it
half of it {fell/slid} {off the table/onto the floor}
{he} {hurt/pricked} {his} thumb
the first one came out {crooked/lopsided/far too small}
{friend} {nearly/almost} sat down on it
the wind blew everything {off the table/out of the window}
= soonday
{His} {elder} had a birthday {soon/in {some} days/in a week}, and {hero} wanted to give {ehim}
  {something special/a gift}.
{oneday} {hero} {remembered/heard} that it was almost {his} {elder}'s birthday.
It was {some} days until the birthday of {his} {elder}. {hero} had {no gift/nothing to give} yet.
{The whole family/Everybody} was {getting ready/busy} for the birthday of {his} {elder}. {hero}
  wanted to {bring/have} a gift too.
"Tomorrow is {Elder}'s birthday," {hero} {thought/told {friend}}. "{I need a good gift./What could
  be a good gift?/What would make {ehim} happy?/I have no gift yet!}"
{Soon/In {some} days} it would be {New Year/Christmas/Easter/a family feast}, and {hero} wanted to
  give {his} {elder} {something special/a surprise}.
= nomoney 80%
But {he} had {no money/only {some} coins/only one penny and a button} in {his} {pocket/piggy
  bank/tin}.
{He} went to the {shop/store/toy shop/market}, but {everything/all} cost {too much/more than {he}
  had}.
In the window of the {shop/store} lay {a pretty} {cloth}. But {hero} had {no money/too little
  money}.
{He} counted {his} coins {twice/three times}. There were only {some}. {That/It} was not enough for
  {anything/a gift}.
"{What can I do/How can I buy something} without {any /}money?" {h asks}.
{hero} {shook/turned over} {his} piggy bank. Out {fell/came} a {button/feather/dead fly}, but no
  {money/coins}.
= idea
"{Make/Why don't you make} something {yourself/with your own {hands}}," {f says}. {friend} always
  had ideas.
Then {he} had an idea. {He} would make {a gift}!
{hero} {sat down/thought} {while}. Then {his} {face/eyes} lit up. "I will make {a gift}!" {he}
  {said/whispered}.
On the way home {he} saw {sight}, and that gave {him} an idea: {a gift}, {made/and made} by
  {himself}!
"The best gifts {are made/come} from the heart," {friend} {told/reminded} {him}. So {hero}
  {chose/decided} to make {a gift}.
"I know!" {h cries}. "I will make {a gift}, and it will be a {surprise/secret}!"
---
= stuff
{He} {got/fetched/borrowed/gathered} {stuff} and {began/set to work/hid in the
  {shed/attic/kitchen}}.
All {he} needed was {stuff}. {friend} {helped {him} carry it/kept watch at the door}.
With {stuff}, {hero} went {into the {attic/shed/kitchen}/to a quiet corner} and {closed/locked} the
  door.
{friend} lent {him} {stuff}. "{Good luck/Have fun}!" {friend} {said/called}.
First {he} {looked for/found} {stuff}. {Then/After that} {he} {began/started}.
= step 75%
{He} {step}, {carefully}, {while}.
{He} {step}. It was {hard}, but {he} {hummed/kept going/liked it}.
{Every day/Each evening} after {supper/school/lunch} {he} {step}.
{hero} {step} and {forgot/did not even notice} the time.
{While/As} the others {played {game}/slept/laughed outside}, {hero} {step}.
= snag 75%
Then {snag}. {hero} {almost/nearly} {gave up/cried}.
But {snag}! "{Oh no/Oh dear}!" {h cries}. {He} had to {start/begin} {again/from the beginning}.
It went well until {snag}. {hero} {sighed/took a breath} and {began again/fixed it}.
Once {snag}, but {friend} {helped/came to help} {him} {clean up/put it right}.
It was not {easy/simple}. {^snag}, and {he} {was {sad}/stamped {his} foot}.
= effort 40%
{effort}
= ready 70%
{soon} it was {ready/done/finished}. {hero} {wrapped/hid} it in {a colour} {cloth/bag/box}{/ with a
  bow}.
The night before, it was {ready/finished}. {He} {slept badly/could not sleep}, {he} was so
  {excited/nervous}.
{He} {tied/put} {a colour} {ribbon/bow} around it. It looked {pretty}.
"It is {a bit {crooked/wobbly}/not perfect}," {he} told {friend}. "{What if nobody likes it/Will
  {ehe} like it}?"
---
= day
On the {big/special/great} day there was {a cake} and {everyone/the family} sang. {hero} {held
  out/brought} {his} gift.
{The day/At last the day} came. {hero} put the gift {on/beside} the {table/plate} and {held {his}
  breath/waited}.
The others gave {a cloth}, {a container} and {flowers}. Then it was {hero}'s turn. {His}
  {knees/{hands}} shook.
When {his} {elder} came {into the kitchen/down the stairs}, {hero} {ran/went} to {ehim}. "{This is
  for you/I made it myself}!"
{After {meal}/At breakfast}, {hero} {shyly/proudly/slowly} {gave/handed} the gift to {his} {elder}.
= joy
{His} {elder} {unwrapped/looked at} the {gift} and {could not speak/had tears in {ehis} eyes}. "{Did
  you make this/You made it} {all by yourself/for me}?"
"{^a gift}!" {his} {elder} {cried/said}. "It is the {best/finest/loveliest} {gift/present} I {ever
  got/have ever had}!"
"Oh, {hero}," {e says}, "{nothing in a shop/no money in the world} could {be as {pretty}/make me
  happier}." And {ehe} {hug}.
{His} {elder} {laughed} and {hug}. "{It is/How} {pretty}, because it {comes/came} from you."
{His} {elder} {looked at it for a long time/turned it over and over}. Then {ehe} {hug}. "{Thank
  you/I love it}, {hero}."
= lesson 80%
{hero} was {happy}. {He} had {learned/found out} that {love costs nothing/a gift need not cost
  money}.
From then on, {hero} {always made/liked to make} {his} {own gifts/gifts {himself}}.
And {hero} {thanked/winked at} {friend}, who had {helped/believed in} {him}.
{His} {elder} {showed it to everyone/kept it forever/put it in the best place in the house}.
"{Next time/Next year}," {h says} to {friend}, "{I will make two/we will make one together}." {He}
  felt {happy}.

# a secret and a surprise
@ treat clue
= treat: treat | where2 | bring
a cake with {some} candles | in the {kitchen/garden/attic} | {colour} balloons and {sweet}
a {puppet show/little play/magic show} | in the {barn/shed/cellar} | {chairs, curtains/masks, drums}
  and {sweet}
a {party/feast} with {food} | behind the {view} | {lanterns/garlands} and {a cake}
a treasure hunt with {some} clues | all over {theplace} | {a map/maps} and {a chest/a box} full of
  {sweet}
a concert on {a instrument} and {a instrument} | under the {biggest/oldest} {tree} |
  {cushions/benches} and {drink}
a new {treehouse/doghouse/sandbox/bookshelf} | in the backyard | {a colour} {ribbon/bow} and {some}
  {flowers}
= clue: clue
whispered in the corner and stopped when {friend} came in
hid {a container} behind {his} back
said that {he} had no time to play {game}
locked the door of the shed
had {paint/flour/glue} on {his} nose and would not say why
ran away with {a colour} {cloth} under {his} arm
= friend
{friendline}
= soon
{Soon/In {some} days/Before long} it would be {friend}'s birthday. {hero} wanted to {make/prepare} a
  surprise: {treat}.
{oneday} {hero} {remembered/saw in the calendar} that {friend} had a birthday {soon/on
  {Monday/Tuesday/Friday/Sunday}}. "{I have an idea/I know}!" {he} {told {his} {elder}/whispered}.
  "{Let us make/We will make} {treat}!"
{friend} had been {ill/away/sad} for {some} days, and {hero} wanted to cheer {fhim} up with {treat}.
{hero} {had/kept} a secret. {In {some} days/On Sunday} it was {friend}'s birthday, and {he} was
  planning {treat}, {where2}.
"{This is a secret/Do not tell anyone}," {hero} {said/whispered} to {his} {elder}. "I am
  {making/planning} {treat} for {friend}!"
= prepare 75%
{hero} {got/gathered} {bring}, and {his} {elder} {helped/promised to help}.
Every day after {school/lunch}, {he} {worked/was busy} {where2} with {bring}.
{^a worker} gave {him} {bring}, {for nothing/for a good joke/in secret}.
{then} {he} {invited/told} {some} friends. {One/The first} was to bring {bring}, {another/the
  second} {a instrument}.
{His} {elder} {knew/found} where to get {bring}. {hero} {counted/paid} {his} coins and {carried it
  all home/{laughed}}.
= effort 40%
{effort}
= clue
{Of course/But} {friend} {noticed/saw} something. {hero} {clue}.
{friend} came to {play/visit}, but {hero} {clue}.
{oneday} {hero} {clue}. "{What are you doing/What is that}?" {f asks}. "{Nothing/Oh, nothing at
  all}," {h answers}, and {his} ears turned {red/pink}.
{It was {hard} to keep the secret/Keeping a secret was {hard}}. {hero} {clue}.
= hurt 85%
{friend} was {sad}. "{hero} {does not like me anymore/has forgotten me}," {fhe} thought.
"{Nobody wants to play with me/I have no friend left}," {f sobs}. {Fhe} {walked} {alone/slowly} to
  {theplace}.
{friend} {went home/sat down} and {looked} at {sight}. {Fhe} was {sad}.
{At home/That night}, {friend} {cried}. {Had {fhe} done something wrong/Why was {hero} so strange}?
= nearly 35%
{hero} {saw/heard about} it and {almost told {fhim}/felt {badadj}}. "{Only one more day/Wait}," {e
  says}. "{Then/Tomorrow} {all will be well/{fhe} will understand}."
{Once/One time} {friend} {almost/nearly} {opened/looked behind} the {door/curtain}. {hero} {jumped
  up/coughed} and pointed at {sight}.
Then {something went wrong/came a bad moment}: {a bug/the cat/the dog} {got into/fell into} the
  {icing/paint/glue}. {hero} had to {begin again/hurry}.
{hero} {bit {his} tongue/nearly burst}. {He} wanted {so much /}to tell {friend}.
---
= day
{At last/Then} the {great/big} day {came/was there}. {hero} {knocked at/ran to} {friend}'s door.
  "{Close your eyes and come/Come with me}," {he} said.
On {the/that} day {hero} {tied/put} {a cloth} over {friend}'s eyes and led {fhim} by the {hand/arm}.
  "{Where are we going/What is this}?" {f asks}.
"{friend}, {can you help me carry {a container}/please come for a moment}," {h says}. {friend},
  {still {sad}/without a smile}, {followed/came along}.
On {the/that} {weather} {morning}, {friend} found a {note/letter}: "{Look/Wait} {where2}! {hero}".
  {Slowly/Puzzled}, {fhe} {went/walked} there.
= reveal
"Surprise!" {everyone/they all} {cried/shouted}. There it was, {where2}: {treat}!
{hero} {opened/pulled away} the {door/curtain}. "Surprise!" There it was: {treat}, with {bring}.
{suddenly} {lights/lamps} went on, and {all the friends/everyone} {cried/sang}. {friend} saw it all:
  {treat}.
And there {was/stood} {treat}, {where2}, {and everybody/and {some} friends} {clapped/sang}.
= joy
{friend} was {surprised}. Then {fhe} {laughed}. "{I thought/And I believed} you had forgotten me!"
  {fhe} said.
{friend} {could not speak/opened {fhis} mouth and closed it}. {Fhe} {hugged/looked at} {hero} and
  was {happy}.
"{Is that/All this} for me?" {f asks}. "{For you/Only for you}," {h answers}. "{That is why I had no
  time/I am sorry I was so strange}."
"{So that was/That was} the secret!" {f cries} and {jumped}. {All/The} sadness was {gone/blown
  away}.
{friend} {cried}, but this time {for/with} joy. "{Nobody has ever/No one ever} {made/done}
  {something like that/that} for me," {fhe} said.
= party 70%
They {ate/had} {meal}, {played {game}/danced} and {laughed} until {bedtime/the moon rose}.
They {had/ate} {meal}, {a worker} played the {instrument}, and everyone danced.
{friend} got {a fine} {thing} {from {hero}/as well}, {wrapped in {colour} paper/with a {colour}
  bow}.
{hero} {cut/shared out} {the cake/{a cake}}, and {friend} got the {biggest/first} piece.
---
= thanks 60%
"Thank you, {hero}," {f says}. "{You are the best friend in the world/I will never doubt you
  again}."
{friend} {took/squeezed} {hero}'s {hands}. "{It was/This was} the {best/loveliest} day of my life,"
  {fhe} said.
"Next time {ask me/tell me}," {h says}, "{before you are {sad/lonely/so unhappy}/when you feel left
  out}." {friend} {promised/nodded}.
= lesson
{hero} {learned/found out} that giving joy is {even better than getting a gift/worth the trouble}.
{friend} {learned/knew now}: {sometimes/now and then} a {closed door/secret} hides {something
  good/love}.
"{When is your birthday/Is your birthday next}, {hero}?" {friend} asked the next day, and {fhe}
  {smiled/hid {a container} behind {fhis} back}.
{And/That night} {hero} {thought/knew}: {some secrets are good secrets/the best gift is a friend's
  smile}.
"""
