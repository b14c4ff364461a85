"""Plots about making: something built together, something grown."""

TEXT = """
# building something together
@ project flaw
= project: project | parts | work | use
treehouse | {boards, nails and a rope/planks, a ladder and an old door} | {sawed and hammered/nailed
  and tied} | {slept in it/looked out over {theplace}} under the stars
raft | {logs and rope/barrels, boards and string} | {tied the knots/rolled the logs} and pushed |
  floated {down the stream/across the pond} like {sailors/captains}
kite as big as a door | {sticks, paper and string/cloth, glue and {colour} ribbons} | {cut, folded
  and glued/measured and tied} | let it fly {above the roofs/higher than the {birds}}
snow fort | {snow, a shovel and a bucket/blocks of snow and a flag} | {packed and stacked the
  snow/shoveled and smoothed} | {had a snowball fight/drank {drink}} behind its walls
soapbox car | {four wheels, a crate and a rope/an old wagon and some planks} | {screwed, painted and
  oiled/hammered and greased} | raced {down the hill/along the street} {with a loud cheer/at top
  speed}
birdhouse for small birds | {thin boards and {colour} paint/a box, a stick and straw} | {sanded and
  painted/measured and glued} | {watched/listened to} the first {bird} that moved in
sandcastle with {some} towers | {sand, water and {a container}/wet sand, shells and a flag} | {dug,
  patted and smoothed/carried and poured} | {played king and queen/waited for the tide} beside it
bridge over the brook | {flat stones and a plank/logs, branches and mud} | {pushed and lifted/rolled
  the stones} into place | {walked/danced} across it with dry feet
den in the hedge | {branches, leaves and old coats/twigs, blankets and a rug} | {wove and
  covered/bent and tied} the branches | {had {meal}/told secrets} inside
puppet theater | {a box, curtains and {some} socks/cardboard, buttons and glue} | {cut, sewed and
  painted/folded and glued} | gave a show about {a worker} and {a shape}
scarecrow | {straw, sticks and {a old} {cloth}/a broom, a pumpkin and {a cloth}} | {stuffed, tied
  and dressed it/stitched on a smile} | put it up {in the field/among the {vegetables}}
swing | {a tire and a rope/a board, {some} knots and a branch} | {knotted and pulled/drilled and
  tied} | {swung/flew} {as high as the leaves/until the sky turned pink}
= flaw: flaw
it {fell over/collapsed} with a loud {crash}
the {biggest/last} piece was {too short/missing/much too long}
{it started to rain/a gust of wind came} and everything {slid/blew} apart
a {knot/corner/joint} came {loose/undone}, and then another
{a goat/a dog/a cow/a sheep} {walked/ran} right through {the middle of /}it
one side was {lower/heavier} than the other, and it {leaned/tipped}
= friend
{friendline}
= idea
{oneday} {hero} had an idea. "{Let us build/Why don't we build/We could make} {a project}!" {he}
  told {friend}.
{oneday} {hero} and {friend} were bored. Then they {saw/remembered} {a project} in a {book/dream}.
  "{We can/Let us} build {that/one like it}!" {h cries}.
{oneday} {hero} {drew/sketched} {a project} on a piece of paper. "{What do you think/Do you like
  it}, {friend}?" {h asks}.
{hero} had always {wanted/dreamed of} {a project}. One {morning} {he} asked {friend} to help {him}
  {build/make} it.
{oneday} {friend} {said/sighed}, "{There is nothing to do/I am bored}." {hero} {grinned/smiled}.
  "Then we {will/shall} build {a project}!"
= doubt 45%
"{We are too small for that/That is too {hard/difficult}}," said {a worker} who {passed/watched}.
  "{Wait and see/We are two}," {h says}.
"{Can we do that/Is that not too {hard/difficult}}?" {f asks}. "{Together we can/We will find out},"
  {h answers}.
{friend} was not sure. "I have never {held a hammer/built anything}," {f says}.
{Some/Two} big children {laughed/made fun of it}. {hero} and {friend} {did not care/took no notice}.
= parts 85%
First they {looked for/collected/gathered} {parts}.
They {needed/wanted} {parts}. {His} {elder} {gave/lent} them {a container} full of {things/tools}.
{friend} brought {a container}, and {hero} {found} {parts} {in the shed/behind the {view}}.
{^place} they found {parts}, {more than enough/just what they needed}.
In {the shed/the cellar/the attic} there was everything they needed: {parts}.
---
= work
{^carefully}, the two {work}. {friend} {carried/counted/measured}, and {hero} {hummed/gave
  orders/sang}.
All {day/afternoon} they {work}. {His} {elder} {brought/called them for} {meal}.
They {work} {while}. Their {noses/faces} were {dirty/red}, but they {laughed}.
{hero} and {friend} {work}, first {fast/wildly/clumsily}, then {slowly/carefully/skillfully}.
{Day after day/After school} they {work}. {sky}, but they did not {notice/care}.
= flaw
{suddenly} {flaw}!
Just when it was {done/finished}, {flaw}. "{Oh no/Oh dear/Not again}!" {f cries}.
But {something went wrong/there was a problem}: {flaw}.
Then {flaw}. {friend} was {angry} and {hero} was {sad}.
They stepped back to {look/admire it}. And then {flaw}!
= blame 45%
"{It is your fault/You did it wrong}!" {f cries}. "{No, yours/I did not}!" {hero} {said/shouted}.
  Then they {looked} at each other and {laughed}.
{friend} wanted to {stop/give up}. "{We learned something/Now we know what not to do}," {h says}.
They {sat down/were quiet} {while}. "{Shall we stop/What now}?" {f asks}. "{No/Never}," {h answers}.
For a {moment/minute} nobody {spoke/said a word}. {Then/At last} {friend} shared {fhis} {sweet}, and
  they felt better.
= effort 40%
{effort}
= again
"{Let us begin again/Once more}," {h says}, "{but this time stronger/now with a plan}." And {so
  /}they did.
They {asked/fetched} {a worker}, who {gave/showed} them a {trick/better way}. {then} they {work}
  once more.
{hero} {held/lifted} one side and {friend} the other, and {this time/with a shout} it {stayed/held}.
{friend} {found/had} the {answer/solution}: {more string/a stronger base/a bigger stone/two nails
  instead of one}. And it {worked/held}!
They {tried/began} {again/once more}, and {again/once more}. {Each time/Every time} it {got/was}
  {better/stronger}.
---
= done
{soon} it was {finished/ready}: {a project}! {hero} and {friend} {jumped/shook hands/danced around
  it}.
And there it {stood/was}, {a project}, {pretty} and {strong/solid/a bit crooked}.
"{We did it/Finished/Look at that}!" {h cries}. {Everyone/All the neighbors} came to {see/admire}
  it.
They {put/painted} {a colour} {flag/star/flower} on it, and then it was {done/finished}.
{His} {elder} came to {look/see}. "{You two are fine builders/What fine builders/How did you do
  that}!" {ehe} cried.
= use 85%
{That evening/At once/The same day} they {use}.
The two {proud/happy} friends {use}, and {nobody/no king} was {happier/prouder}.
{All summer/The next day} they {use}.
{Of course/And then} they {use}.
{hero} and {friend} {use}, {happy}.
= lesson 80%
"{We make a good team/Two heads are better than one}," {h says}. {friend} {nodded/agreed/smiled}.
{They/Both} had learned that {a mistake is only a step/you must sometimes start again}.
"{What shall/What will} we build {next/tomorrow}?" {f asks}. {hero} already had {an idea/a plan}.
{Nobody could have done it alone/Alone, {he} would have given up}, {hero} thought. {Together it was
  easy/{friend} had made the difference}.
"Thank you, {friend}," {h says}. "{Without you/Alone} I {would have stopped/could never have done
  it}."

# a seed and a wait
@ plant pest
= plant: plant | sprout | crop | dish
sunflower | {a thin/a pale} green stalk | a golden head as big as {a plate/the moon} | {roasted the
  seeds/fed the seeds to the {birds}}
pumpkin | {a pair of/two} round leaves | a pumpkin as {big/heavy} as a {pillow/puppy} | cooked {a
  pot of pumpkin soup/a pumpkin pie}
bean | a {curly/twisting} green vine | {some} long pods full of beans | made {bean stew/bean salad}
strawberry | {a cluster of/three} {jagged/tiny} leaves | {some} red, sweet berries | {ate
  strawberries and cream/baked a strawberry tart}
tomato | a {fuzzy/hairy} little stem | {some} round, red tomatoes | cooked {tomato soup/spaghetti
  with tomatoes}
carrot | a {feathery/lacy} green tuft | {some} {crooked/crunchy} orange carrots | {baked a carrot
  cake/made carrot salad}
apple | a {bare/slender} twig with one leaf | {some} {sour/shiny/rosy} apples | baked an apple pie
melon | a {crawling/creeping} shoot | a striped melon, {round/cool} and heavy | cut it into {some}
  juicy slices
corn | a {sharp/straight} green blade | {some} golden ears of corn | {popped the corn/ate corn with
  butter}
potato | a {dark/bushy} green plant | {a container} full of potatoes | {baked the potatoes in the
  ashes/made potato salad}
rose | a {thorny/reddish} shoot | {some} {colour} roses that smelled like {honey/summer} | put them
  in {a vase/a jug} on the table
= pest: pest | chase
{snails/slugs} came and nibbled the {edges/leaves} | {carried them to the {meadow/woods}/put a ring
  of sand around it}
{a crow/a magpie/a pigeon} pecked at it | {hung up shiny {spoons/ribbons}/built a small scarecrow}
the sun burned for {some} days and it {drooped/turned yellow} | {carried water in {a container}/made
  a little roof of cloth}
a storm bent it {to the ground/almost in two} | {tied it to a stick/put stones around it}
a {goat/rabbit/deer} {looked/sniffed} at it with hungry eyes | {built a fence of twigs/gave it
  {vegetables} instead}
weeds grew {all around it/taller than {his} knees} | {pulled them out one by one/dug them up}
frost came {one night/much too late} | {covered it with {a cloth}/put {a container} over it}
= seed
{oneday} {hero} got {a small} {plant} seed from {his} {elder}. "{Plant it/Put it in the ground} and
  {wait/be good to it}," {ehe} said.
{oneday} {hero} {found} a seed in {his} pocket. "{That is/It looks like} a {plant} seed," {e says}.
{^a worker} gave {hero} a {plant} seed {for helping with {a container}/one {weather} {morning}}.
{hero} {wanted/wished} to grow {something {himself}/a {plant}}. So {his} {elder} {gave/bought} {him}
  a seed.
{oneday} {his} {elder} came {home/back} with a tiny bag. Inside was one {plant} seed for {hero}.
= sow
{hero} dug a hole {near the {shed/fence/wall}/in the back garden}, {put/laid} the seed in and
  {covered it with soil/patted the earth}.
{hero} {put/pressed} it into {soft/dark/loose} {soil/earth} and {watered it/gave it a drink} from {a
  container}.
{^carefully}, {he} {planted/buried} the seed and put {a colour} stick next to it.
They chose a {sunny/good/quiet} spot. {hero} {dropped/put} the seed in and {whispered/said}, "{Grow
  well/Good night, little seed}."
= wait 85%
{Every day/Each morning} {he} {ran out/went} to look. There was {only/nothing but} {earth/soil}.
One day {passed/went by}, then {three/four/five} more. Nothing {happened/was to be seen}.
"{Why does it not grow/When will it come up}?" {h asks}. "{Wait/Patience}," {e answers}. "{Roots
  come first/It is busy under the ground}."
{hero} {waited/watched} {while}. {He} only saw {sight}. {He} wanted to {dig it up/give up}.
"{It is dead/Nothing will come}," {h sobs}. But {his} {elder} {shook {ehis} head/smiled}.
  "{Good/Growing} things take time."
= effort 40%
{effort}
---
= sprout
{Then/But then}, one {weather} {day/morning}, there was {sprout}!
{suddenly} {he} saw {sprout}, {no longer than a {thumb/pin}/poking out of the earth}.
"{Come/Look}, {come/look}!" {h cries}. "It is {growing/alive}!" There {was/stood} {sprout}.
After {some} days of rain {he} {found} {sprout}. {hero} was {happy}.
= friend
{friend}, {a fkind} from {next door/across the street}, {came/wanted} to see it. "{How small it
  is/It is so tiny}," {f says}.
{He} showed it to {his} friend {friend}, {a little} {fkind}. "{May/Can} I help you {water it/look
  after it}?" {f asks}.
{His} friend {friend}, {a kind-hearted} {fkind}, {watched/guarded} it whenever {hero} was {away/at
  school}.
{^a fkind} {named/called} {friend} looked over the fence. "{What is that/What are you growing}?" {f
  asks}. "A {plant}," {h answers}.
= pest
But {pest}.
{One day/One night/Then} {pest}. "{Oh no/My poor plant}!" {h cries}.
It grew {inch by inch/well}, until {pest}.
Then there was trouble: {pest}. {hero} was {worried}.
= chase
{hero} and {friend} {chase}, and it {worked/helped}.
{At once/Quickly/Without delay}, the two friends {chase}.
"{We must do something/I know what to do}," {f says}. Together they {chase}.
{friend} came {running/to help}. They {chase}, and the plant was {safe/saved}.
= grow 60%
{Week by week/Day by day} it grew {taller/bigger}, up to {hero}'s {knee/belly/nose}. {sky}.
{Spring became summer/The days grew longer/Weeks went by}. {hero} {sang to it/talked to it/measured
  it} {every day/each evening}.
It got {leaves/a bud} and then a {colour} flower. {Bees/Bumblebees/Butterflies} came to
  {visit/look}.
{After that/From then on} it {grew/shot up} {so fast that you could almost see it/like in a fairy
  tale}.
---
= harvest
{soon} there {was/hung} what {he} had {waited/hoped} for: {crop}.
And {in the end/when summer was over} {hero} {picked/had} {crop}.
At last the {great/big} day came. {^crop}! {hero} could {hardly/not} believe it.
"{Look what we grew/Come and see}!" {h cries}. They all {looked} at it: {crop}.
= dish 80%
With {friend} and {his} {elder}, {hero} {dish}. {It/Nothing} {tasted/smelled} {so good/better}.
{That evening/On Sunday} they {dish}, and {friend} {was the guest/got the first share}.
"{Half of it is for you/You helped, so we share}, {friend}," {h says}. Together they {dish}.
They {dish}, and {everyone/all the neighbors} {got some/came by}.
= lesson 80%
{hero} {kept/saved} one seed in {a container}, {for next year/for the next spring}.
{hero} {learned/knew now} that {good things take time/you cannot hurry a seed}.
"{Was it hard to wait/Was it worth the wait}?" {e asks}. "{Yes/A bit}," {h answers}, "{but I would
  do it again/and that is why I like it so much}."
{Patience is like a seed/Waiting is also work}, {hero} thought, {and it bears fruit/if you do it
  well}.
Next {spring/year} {he} gave {friend} a seed, too. "{Wait and see/You need patience}," {he}
  {said/told {fhim}}.
"""
