"""Plots about strangers: a newcomer, an errand."""

TEXT = """
# a stranger becomes a friend
@ odd bond
= odd: odd | reason
never {said a word/spoke to anyone} | {spoke another language/was very shy}
{wore {a colour} {cloth} even in summer/hid under {a big} hat} | {had got it from {fhis} grandma/was
  afraid of the sun}
always {sat/stood} alone near the {view} | {did not know the games/missed {fhis} old friends}
carried {a container} everywhere and let nobody look inside | kept {a tiny {bug}/{fhis} pet
  snail/letters from {fhis} grandpa} in it
{looked angry/frowned} all day | could not see well without {fhis} glasses, which were {broken/lost}
{ran away/turned around} whenever somebody came near | had been {laughed at/teased} in the last town
{talked to the {birds}/sang to {a tree}} | had {no one else to talk to/lived alone in the mountains
  before}
= bond: bond
{collecting {stamps/buttons/feathers}/{game}}
playing {game}
drawing {a shape}
making {sweet}
telling stories about {a worker}
{birds}
playing the {instrument}
= new
{oneday} {a fkind} moved into the {empty/{colour}/old} house {next door/across the street}. {Fhis}
  name was {friend}.
{oneday} there was a new face {place}: {a fkind} {named/called} {friend}.
{Nobody/No one} knew where {friend} {came from/had lived before}. {oneday} {the/this} {fkind} simply
  {sat/was} there, near the {view}.
{oneday} the {teacher/mayor} {brought/introduced} {a little} {fkind}. "This is {friend}. {Be
  kind/Please make room}."
{oneday} {a moving van/a cart full of boxes} stopped {near {hero}'s {house}/across the road}, and
  out {came/climbed} {a fkind} {named/called} {friend}.
= odd
{friend} was {strange}: {fhe} {odd}.
{hero} {watched/saw} {fhim}. {friend} {odd}. That was {strange}!
{friend} {odd}, and {nobody/no one} knew why.
{Strange/How odd}: {friend} {odd}.
= others 65%
"{Stay away from {friend}/That {fkind} is weird}," said the {other children/others}. {Some/A few}
  {laughed/made faces}.
The others {whispered/told stories}. "{Maybe {fhe} is a spy/I heard {fhe} never sleeps}," they said.
{Nobody/No one} asked {friend} to play {game}. {Nobody/No one} {sat/walked} {next to/with} {fhim}.
{hero}'s other friends {did not want/were afraid} to talk to {friend}. "{Come/Let us go}, {hero},"
  they said.
Everyone {looked/turned} away when {friend} {came/walked} by, and {hero} {did/looked away}, too{/,
  at first}.
= think 65%
But {hero} {wondered/thought about it}. {How would it be to be new/What if nobody had talked to
  {him}}?
{hero} {was sorry for {fhim}/could not forget {friend}'s {sad/lonely} face}.
"{What do you know about {fhim}/Have you asked}?" {e asks}. {hero} {knew nothing/had not}.
{hero} was {scared}, too, {a bit/but also curious}. {friend}'s eyes were {not bad at all/{sad}}.
That {night/evening} {hero} thought of {friend}, {all alone/without a friend}.
= effort 40%
{effort}
---
= approach
The next {day/morning}, {hero} {took {a cake}/baked {sweet}} and {went/walked} over. "{Hello/Good
  morning}, {I am/my name is} {hero}. {Would you like some/This is for you}."
{oneday} {hero} {sat down/stopped} {beside/next to} {friend}. "{Hello/Hi}," {he} said. "{Do you
  want/Would you like} to play {game}?"
{hero} {drew/painted} {sight} on a piece of paper and {gave it to/left it for} {friend}. On the back
  {he} wrote, "{Hello/Welcome}!"
{then} {hero} {took a deep breath/gathered {his} courage} and {knocked/said}: "{I am {hero}/I live
  near you}. {Shall we go to {theplace}/May I come in}?"
{suddenly} it {rained/began to rain}, and {friend} had no umbrella. "{Come under mine/There is room
  for two}," {h says}. "I am {hero}."
= wait 75%
{friend} {said nothing at first/looked at {fhis} feet}. {Then/Slowly} {fhe} {smiled/nodded}{/ a tiny
  bit}.
{friend} was {surprised}. "{Me/Do you mean me}?" {fhe} {whispered/asked}.
{friend} {ran off/closed the door}. But the next {day/morning} {fhe} {came back/stood there} with {a
  flower}.
At first {friend} did not {answer/move}. {hero} {waited/sat quietly}. {soon} {friend}
  {said/whispered}, "{Thank you/Hello}."
"{You are not afraid of me/You talk to me}?" {f asks}. "{No/Why should I be}," {h answers}.
  "{Why/Not at all}?"
= reason
{Then/Bit by bit} {hero} {learned/understood} why: {friend} {reason}. {That was all/It was as simple
  as that}!
It turned out that {friend} {reason}. {hero} {nodded/was ashamed}.
{friend} {told {him} everything/began to talk}. {Fhe} {reason}. "{Now I understand/I did not know
  that}," {h says}.
The secret was {simple/small}: {friend} {reason}. {It was nothing bad/Nobody had ever asked}.
= bond 85%
And {what luck/imagine}! {friend} loved {bond}, {just like {hero}/and so did {hero}}.
{hero} and {friend} {soon/both} found that they {loved/liked} {bond}.
{friend} knew {a lot/everything} about {bond} and {taught/showed} {hero} {some} {tricks/secrets}.
"{Do you like/Have you ever tried} {bond}?" {f asks}. "{I love it/Oh yes/Yes, very often}!" {h
  cries}.
{That afternoon/All day} they {laughed} and talked about {bond} and {food}.
---
= together 70%
From {then/that day} on, the two {were always together/went to {theplace} every day}.
They {met/played} every {day/afternoon} near the {view}, {in sun and rain/even in winter}.
{friend} {visited/came to see} {hero}, and there was a {feast/supper/lunch/table full} of {meal}.
  {friend} {laughed} for the first time.
{hero} {learned/could soon say} {some} words in {friend}'s {language/way of speaking}, and {friend}
  {learned/knew} {some} jokes.
{friend} gave {hero} {a thing}. "{So that you remember/Because} you were the first to {talk to
  me/say hello}," {fhe} said.
= others2 60%
{soon} the others {saw/noticed} it. "{May/Can} we {play/come}, too?" they {asked/said}. {friend}
  {nodded/{laughed}}.
{hero} {brought/took} {friend} to the others. "{This is my friend/Meet {friend}}," {he} said. And
  {presently} {all/everybody} {played {game}/laughed together}.
{friend} {knew/taught everyone} {a new/an old} {game/song} that nobody had {heard/played} before.
  {Now/Soon} everyone {liked/loved} {fhim}.
"{We were wrong/We are sorry}," the others said. {friend} {smiled/gave them {sweet}}.
= thanks 70%
"Thank you, {hero}," {f says}. "{You said hello when nobody else did/Now this place feels like
  home}."
"{I was so lonely/I thought I would never have a friend}," {f says}. "{Thank you/Then you came},
  {hero}."
{His} {elder} was {proud}. "{One hello/A little kindness} can {change a lot/open a door}," {ehe}
  said.
= lesson
{hero} {learned/found out} that {every stranger could be a friend/you must not judge someone too
  soon}.
{After that/From then on}, {hero} {always said hello to/was kind to} {new children/anyone who sat
  alone}.
{A stranger is only a friend you have not met/Sometimes a friend begins with one small word}, {hero}
  thought.
And when {another/a} new {fkind} came to town, {friend} was the first to {say hello/wave}.

# an errand
@ fruit goods detour
= goods: goods | seller | coin
a loaf of {rye/white/corn} bread | baker | {some} coins
{some} eggs | farmer | {some} pennies
a {jar/pot} of honey | beekeeper | a {silver/shiny} coin
a bottle of medicine | doctor | a {silver/copper} coin
a bag of {flour/sugar/salt} | miller | a {new/bright} dollar
a {sharp/clean} pair of scissors | tailor | {some} {buttons/coins}
a {round/soft} cheese | dairyman | a purse with {some} coins
a {basket/bag} of {fruits} | grocer | {some} coins in a {handkerchief/sock}
a {big/fat} fish | fisherman | {some} coins
a ball of {colour} wool | weaver | a purse with {some} pennies
= detour: who | lack | giving | later
a tired {fkind} | could not carry {fhis} heavy {basket/bag/sack} | carried it {up the hill/home} for
  {fhim} | {looked behind every stone/knew the road well and searched it}
a hungry {fkind} | had not eaten since {yesterday/morning} | gave {fhim} half of {his}
  {sandwich/bread} | {looked/searched} with {fhis} {sharp/good} eyes
a lost {fkind} | could not find {fhis} {mother/street} | {took/led} {fhim} home by the {hand/arm} |
  brought {fhis} whole family to help
a cold {fkind} | had no {coat/jacket/scarf/shawl} | gave {fhim} {his} own | searched the whole
  {road/street} with {him}
a {poor/street} musician | had {a broken/a torn} string on {fhis} {instrument} | gave {fhim} {his}
  own shoelace | played so loudly that all came to {help/look}
a {sad/tired} {fkind} | had dropped {some} {fruits} on the road | picked up every single one |
  {crawled/looked} under every {bush/cart} with {him}
= task
{oneday} {his} {elder} {called/said}, "{hero}, {please go/can you go} to the {seller} and {buy/get}
  {goods}. {Pay with/Take} {coin}."
{oneday} {hero} was {finally/at last} {old/big} enough to go {alone/all by {himself}} to the
  {seller} for {goods}. {His} {elder} gave {him} {coin}.
"{We need/There is no supper without} {goods}," {e says}. "Run to the {seller} and pay with {coin}."
{oneday} {hero} {set out/was sent} to {fetch/get} {goods} from the {seller}. In {his}
  {pocket/{hands}} {he} {held/had} {coin}.
= repeat 60%
So that {he} would not forget, {he} {said/sang} all the way, "{^goods}, {goods}."
"{Do not/Don't} {dawdle/lose the money}," {his} {elder} {called after {him}/said}. "{Of course not/I
  promise}," {h says}.
{hero} was {proud}. {He} {walked} {past/along} {theplace} and {whistled/hummed}.
{sky}. {hero} {skipped/{walked}} along and saw {sight}.
= meet
{On the way/At the corner}, {hero} met {who} named {friend}, who {lack}.
{suddenly} {he} {saw/noticed} {who}. It was {friend}, who {lack}.
Near the {view} {sat/stood} {who}. {Fhis} name was {friend}, and {fhe} {lack}.
"{Please/Excuse me}," {said/called} a voice, "{can you help me/do you have a moment}?" It was
  {friend}, {who}, who {lack}.
= help
{hero} {was in a hurry/did not have much time}. But {he} {stopped/put down {his} bag} and {giving}.
"{Of course I can/I will help you}," {h says}. {He} {giving}.
{hero} {thought of/remembered} {goods}. "{It can wait/There is time}," {he} {thought/said}. And {he}
  {giving}.
Without {asking/thinking} twice, {hero} {giving}. {friend} {smiled/was {happy}}.
---
= loss
{Soon/Later}, {when {hero} stood before/as {hero} came to} the {seller}, {he} felt in {his} pocket.
  {It was empty/There was only a hole}! {The/All the} money was gone.
At the {seller}'s, {hero} {wanted to pay/reached for the money}. But {his} pocket {was empty/had a
  hole}!
"{Now the money/The money}, please," said the {seller}. {hero} {searched/turned out} {his} pockets.
  {Nothing/They were empty}!
= sad 70%
{hero} was {sad}. {How could {he} go home/What would {his} {elder} say}?
"{Oh no/Oh dear}, {I have lost it/it fell out}," {h sobs}. The {seller} {looked sorry/could not
  help}.
{hero} {ran} back and {looked} {under every bush/behind the {view}}. {He} {found only/saw} {sight}.
{hero} {sat down/stood} on the {step/road} and {cried}.
= effort 40%
{effort}
= search
{suddenly} {friend} was there. "You helped me, now I {will /}help you," {fhe} said. And {fhe}
  {later}. {There/Then} they found the money, {in the dust/between two stones}!
{And who/Who} {came/walked} along? {friend}! "{What have you lost/Why so
  {sad/gloomy/glum/quiet/unhappy}}?" {fhe} asked. {Then/At once} {fhe} {later}. {soon} they found
  the money {again/at last}.
{friend} had {seen/heard} it. "{We will find it/Let us look together}," {fhe} said. {Fhe} {later}.
  And {really/there}, {beside {a container}/in the grass}, they found the money!
---
= buy 85%
{hero} {got/bought} {goods} {at last/just before the {shop/stall} closed}. The {seller} gave {him}
  {a fruit} {for the way/as a present}.
{then} {he} {ran} to the {seller} and {bought/paid for} {goods}.
The {seller} {laughed/was glad}. "{Here you are/There you go}: {goods}. {And a {fruit} for each of
  you/Watch the hole in your pocket}!"
= thanks
"Thank you, {friend}," {h says}. "{Without you I would have come home with nothing/You saved the
  day}."
{hero} {thanked {friend}/shared the {fruit} with {friend}}, and they {walked} {a bit of the
  way/home} together.
"{Thank you/How kind}, {friend}!" {h says}. "{You helped me first/That is how it works}," {f says}.
= home 75%
At home {his} {elder} {was {worried}/stood at the window}. "{Where were you so long/There you are}!"
  {hero} told {ehim} {everything/about {friend}}, and {ehe} {hug}.
"{You are late/What took you so long}," {e says}. Then {ehe} heard the whole story and {hug}.
{His} {elder} {sewed up the hole/made {meal}} and {said/laughed}: "{You are late, but I am {proud}/A
  good heart takes longer}."
They had {meal}. {hero} {told/talked} about {friend}, and {his} {elder} {hug}.
= lesson 75%
{hero} {learned/knew now} that {kindness comes back to you/it is worth stopping for others}.
{The next time/From then on} {he} {took the same way/left a bit earlier}, {to have time for
  {friend}/in case somebody needed {him}}.
"{Who helps is helped/Time for a friend is never lost}," {e says}.
{friend} and {hero} became {good/close/best} friends, and {all because of {goods}/they often went to
  the {seller} together}.
"""
