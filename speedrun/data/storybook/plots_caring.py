"""Plots about caring: for an animal, for oneself."""

TEXT = """
# helping an animal
@ creature
= creature: creature | trouble | tools | rescue | repay
baby {bird} | had fallen out of its nest | {a soft glove/{a cloth}} and a ladder | {lifted it up and
  set it back/put it back} in the nest | sang outside {hero}'s window every {morning/evening}
kitten | sat high in {a tree} and could not get down | {a basket on a rope/a long ladder} | {coaxed
  it with milk/let it climb into the basket} and brought it down | slept on {hero}'s {bed/shoes/lap}
hedgehog | had its head stuck in {a jar/a can/a cup} | {a little soap/some oil} | {turned and pulled
  until it came free/greased the rim and pulled} | ate the slugs in {hero}'s garden
duckling | had lost its mother {in the reeds/in the storm} | {crumbs of bread/a reed whistle} |
  carried it along the {bank/shore} until the mother quacked | swam past and {quacked/nodded}
  whenever {hero} was near
puppy | was tied to {a post/a fence} and {forgotten/left behind} | {a bowl of water and some
  {food}/a pair of scissors} | {untied/cut} the rope and gave it a drink | followed {hero} wherever
  {he} went
turtle | lay on its back and could not turn over | {a flat board/a strong branch} | {pushed and
  turned/lifted} until it stood on its feet | {blinked/waved} at {hero} from its {rock/log} each
  summer
lamb | was caught in {a hedge/the thorns/a wire fence} | {garden shears/thick gloves} | bent the
  {twigs/wires} aside and {pulled/freed} it | {bleated/came running} when {hero} walked by
seal pup | had been washed up on the {sand/rocks} | {a wet blanket/{a container} full of sea water}
  | kept it wet and {rolled/pulled} it back to the waves | {clapped/splashed} {in the bay/near the
  pier} when {hero} called
{fox/deer/rabbit} | had {a thorn/a splinter} in its {paw/leg} | {tweezers/a needle} and a clean
  {bandage/handkerchief} | {pulled it out/took it out} and wrapped the leg | {left {fruits}/waited}
  at {hero}'s door {in the morning/every autumn}
butterfly | had {wet/sticky} wings | a {dry/large} leaf and a {paper/feather} fan | let it
  {dry/rest} in the warm light | {danced/fluttered} around {hero}'s head
owl | had hurt its wing | {a box with straw/{a cloth} and a splint} | bandaged the wing and fed it
  for {two/three} weeks | called {hero}'s name, or so it {sounded/seemed}, at night
pony | was stuck in the {mud/swamp} | {a long rope/some planks} | {pulled and pushed/laid the boards
  under its feet} until it stood on firm ground | let {hero} ride on its back
= find
{oneday} {hero} {walked} {through/past} {theplace}. {suddenly} {he} heard {a sad/a faint/a small}
  {cry/sound}.
{oneday} {hero} was {pastime} when {he} {heard/noticed} something {strange}.
On the way {home/to school}, {hero} stopped. {Something moved/There was something} near the {view}.
{oneday} {hero} was {place} with {his} {elder}. {Near/Behind} the {view} {hero} {heard a {sound}/saw
  something move}.
{sky}. {hero} had {gone out/come} to look for {flowers}, but what {he} found was {strange/something
  else}.
= trouble
It was {a small} {creature}. It {trouble}.
A {creature}! It {trouble}, and it {trembled/shook/looked at {him} with big eyes}.
The poor {creature} {was {scared}/whimpered/trembled}. It {trouble}.
{He} {knelt/bent} down. "{Poor/You poor} {creature}," {he} said. It {trouble}.
{^a small} {creature} {trouble}. It {made a {soft/sad/thin} noise/was too weak to move}.
= sorry 75%
{hero} {felt/was} sorry for it. "{I will help you/Do not be afraid}," {h says}.
"{Who has done that/How long have you been here}?" {hero} {whispered/asked}. "{Hold on/Wait}, {I
  will help/help is coming}."
{hero} wanted to {grab it/help}, but it {was too {scared}/jumped}. {He} {sat down/waited} and
  {spoke/sang} {softly/gently/quietly}.
{hero} {looked} around. There was {nobody/no one} {else/who could help}. {He} had to do something.
"{It needs help/We must do something}!" {hero} thought. {His} heart {beat fast/was heavy/beat
  loudly}.
---
= friend
{He} {ran} to {his} friend {friend}, {a kind-hearted} {fkind}. "{Come quickly/I need you}! {^a
  creature} {is in trouble/needs our help}!"
{Luckily/By chance}, {friend}, {his} friend, {came by/was near}. "{What have you found/What is it}?"
  {f asks}.
{then} {friend}, {a fkind} {from next door/who loved animals}, {came/ran} up. "{Do not/Don't} touch
  it with bare hands," {f says}. "{I know what to do/Let us think first}."
{hero} called {his} friend {friend}, {a little} {fkind}. {friend} {knew a lot/had read books} about
  animals.
= tools 75%
"{What we need is/We need/Let us get} {tools}," {f says}. {hero} {ran} {home/to the shed} and
  {got/fetched} it all.
{friend} {brought/got} {tools} from {the shed/{a container}}, and {hero} {stayed/spoke {softly} to
  it}.
{^a worker} {gave/lent} them {tools} when they {asked/told what had happened}.
They {thought/talked} for a moment. Then they {looked for/fetched} {tools}.
{hero} {remembered/had an idea}. {He} {got/fetched} {tools} {as fast as {he} could/from {his}
  {elder}}.
= effort 40%
{effort}
= rescue
{^carefully}, they {rescue}.
{hero} {held {his} breath/bit {his} lip}. Together they {rescue}.
{friend} {spoke/hummed} to it {softly/quietly/gently}, and together they {rescue}.
It {took/needed} {time/{some} tries}. {soon} the two friends {rescue}.
At first it {kicked/struggled/hid its head}. But they {stayed calm/did not give up}. They {rescue}.
= better 80%
The {creature} {looked at them/blinked/shook itself}. {It was safe/It was not afraid anymore}!
{soon} the {creature} was {well/strong/happy} again. {hero} {laughed}.
"{It is safe/We did it}!" {h cries}. {friend} {hugged {him}/danced}.
The {creature} {drank a little/took a deep breath} and {closed its eyes/looked better}.
"{See/Look} how {happy/lively} it is," {f says}.
= pet 40%
"{Can/May} I keep it?" {hero} asked {his} {elder}. "{It belongs to the wild/It has a home of its
  own}," {ehe} said, "{but it may visit you/but you can always be its friend}."
They {called/named} it {pet}.
{hero} gave it some {drink/water} and {a bit of {food}/a soft place to rest}.
{hero} {wanted/would have liked} to keep it. But {he} {knew/understood} that it {had to be
  free/needed its family}.
---
= repay 85%
{After that/From that day on}, the {creature} {repay}.
And the {creature} did not forget. It {repay}.
{Some/Two} {days/weeks} later there was a surprise: the {creature} {repay}!
{From then on/Ever since}, the {creature} {repay}. {friend} and {hero} were {happy}.
The {creature} {seemed/wanted} to {say thanks/thank them}. It {repay}.
= thanks 70%
"Thank you, {friend}," {h says}. "{I could not have done it alone/You knew just what to do}."
"{You did not walk past/You have a good heart}, {hero}," {f says}.
{His} {elder} {heard/was told} the story at supper. "{I am {proud} of you/That was {kind-hearted} of
  you}," {ehe} said.
To {celebrate/end the day}, {hero} and {friend} {shared/had} {meal}.
= lesson
{hero} {learned/knew now} that {even a small {kind} can help/kindness comes back}.
"{When I grow up/One day}, I will {be an animal doctor/help all animals}," {h says}.
Small ones need {big hearts/helpers}, {hero} thought. {And everybody is small sometimes/It was good
  to be one}.
{Since then/From then on}, {he} {looked/listened} {twice/carefully} when {something/someone}
  {cried/was in trouble}.

# too much of a good thing
@ sweets party
= sweets: yum | source
{sweet} | the {bakery/market/shop}
{sweet} | {a worker}
{a cake} with {colour} icing | the {bakery/kitchen}
{fruits} | the {orchard/garden}
a pot of {honey/fruit jam} | {the pantry/the cellar}
{sweet} and {sweet} | the {fair/city/market}
= party: party
a parade with {birds} and drums
a {puppet show/circus} {place}
{a worker}'s wedding
a boat trip with {drink} and music
a game of {game} {place}
the {spring/summer/autumn} feast
= friend
{friendline}
= love 70%
There was nothing {hero} liked better than {sweet}. {He} could {never/not} get enough.
{hero} loved to eat. {Best of all/More than anything} {he} liked {sweet}.
{Every day/Whenever {he} could}, {hero} asked for something sweet. "{More/Just one more}!" {he}
  always said.
{hero} had a {big/great} weakness: {sweet}. {He} dreamed of {them/sweet things} even at night.
= find
{oneday} {his} {elder} brought {yum} from {source}. "{Share it with {friend}/One piece for each of
  you}," {e says}, "{or your belly will ache/and keep some for tomorrow}."
{oneday} {his} {elder} {brought home/unpacked} {yum}. "{It is for all of us/We will share it
  tonight}," {ehe} said. "{Do not/Don't} eat it all."
{oneday} {hero} {found/discovered} {yum}. {His} {elder} was {out/asleep}.
{oneday} {hero} was {alone/the first} in the kitchen and {saw/smelled} {yum}. It {smelled/looked}
  {so good/like heaven}.
{oneday} {hero} was alone with {yum}. {His} mouth {watered/began to water}.
= ask 70%
{friend} came by. "{May I have some/Can I try a little}?" {f asks}. "{No/There is not enough}," {h
  answers} with {his} mouth full.
"{Save some for me/Leave a bit for later}," {f says}. {hero} {nodded/pretended not to hear} and
  {went on/chewed}.
{friend} {knocked/called}: "{Come out and play {game}/Let us go to {theplace}}!" But {hero} {did not
  answer/stayed inside and ate}.
"{That is too much/You will be ill}," {f says}. {hero} only {laughed/licked {his} lips}.
= eat
{hero} {took/ate} one, then {another/two more}, and then {some} more. {Then/At last} it was all
  gone.
{First/At first} {he} only wanted to {try a little/taste it}. But {one bite led to the next/it was
  so good}, and {presently} nothing was left.
{He} ate {quickly} and did not stop until {the last crumb/the last bit} was gone.
{He} ate and ate, {under the table/behind {a container}}, {until it was all gone/like {a shape} that
  has not eaten for years}.
"{One more/Only one more}," {he} said {some} times. Then there was {nothing left/only a crumb}.
---
= ache
{soon} {hero} felt {badadj}. {His} belly {was as round as {a melon/a drum}/rumbled and hurt}.
{suddenly} {his} {stomach/belly} went {sound}. "{Oh/Ow}, {it hurts/my belly}," {h sobs}.
That {night/evening} {he} turned {green/pale} and {rolled/lay} {from side to side/in bed} with {a
  terrible/a nasty} bellyache.
{He} wanted to {get up/play}, but {his} belly was {heavy as a stone/too full}. {He} {cried}.
= miss
And that very {day/evening} there was {party}! Everyone {went/was there}, {only/but} {hero} had to
  {stay in bed/lie down}.
{Outside/Through the window} {he} heard {music/laughter}: it was {party}. {hero} could not
  {go/move}.
"{Tonight there is/Come with us to} {party}," {f says}. But {hero} could {not even/hardly}
  {stand/sit up}.
And so {he} missed {party}. {He} was {sad}.
= elder 80%
{His} {elder} {brought/gave} {him} {drink} and {put a hand on/warmed} {his} belly. "{What did you
  eat/Was it that good}?" {hero} {told the truth/hid under the blanket}.
"{I ate it all/I did not share}," {h sobs}. "{I know/I can see that}," {e says}. "{Too much of a
  good thing is not good/A little is sweet, too much is sour}."
{A doctor/The doctor} came and {looked at {his} tongue/tapped {his} belly}. "{No more sweets/Only
  tea and toast} for {some} days," {whe} said.
"{You wanted everything/It was meant for all}, and {now you have a bellyache/nobody else had any},"
  {e says}, but {ehe} stroked {his} head.
= effort 40%
{effort}
---
= visit
{then} {friend} came {to visit/to {his} bed}. {Fhe} {had brought/brought} {a flower} and {a thing}.
  "{I saved this for you/Get well soon}," {f says}.
There was a knock. It was {friend}, with {sight} drawn on a card. "{You look better/I missed you},"
  {fhe} said.
{friend} {was not {angry}/did not laugh}. {Fhe} {sat down beside {him}/told {him} a story about {a
  shape}} {while}.
The next {day/morning}, {friend} {came/sat there} and told {him} {all about it/what {fhe} had seen}.
= sorry
"I am sorry, {friend}," {h says}. "{I should have shared/I was greedy}. {Next time you get the first
  piece/You are a good friend}."
{hero} was ashamed. "{You are so kind/You are good to me}, and I {gave you nothing/ate it all
  alone}. {Forgive me/I am sorry}, {friend}."
"{Thank you for coming/You are my best friend}," {h says}. "{I was selfish/I am sorry that I did not
  share}."
= make 85%
When {he} was well again, {hero} {baked/bought} {sweet} and {gave them all away/shared them with
  {friend}}: {one for {friend} and one for {himself}/half and half}.
{soon} {he} was well. {He} {picked {fruits}/baked {a cake}} for {friend} and {his} {elder}, and
  {took only one piece/ate the smallest piece {himself}}.
{Some/Two} days later they had {meal}. {hero} {ate slowly/gave half to {friend}} and {stopped when
  {he} was full/left some for tomorrow}.
{then} {hero} {filled/took} {a container} with {fruits} and {went/walked} to {friend}. They
  {shared/ate} them {place}, and nobody's belly hurt.
= lesson
{hero} {learned/knew now} that {enough is as good as a feast/sweet things taste best with a friend}.
{From then on/After that}, {he} {ate one and shared the rest./always asked, "Who else would like
  some?"}
"{A little is enough/Half tastes better}," {he} {told/said to} {friend}, {and meant it/and patted
  {his} belly}.
{Sharing is sweeter than any {cake}/Being full is not the same as being happy}, {hero} thought.
"""
