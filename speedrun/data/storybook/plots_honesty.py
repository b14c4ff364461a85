"""Plots about honesty: a mistake and an apology, a promise."""

TEXT = """
# a mistake and an apology
@ precious mishap hide
= precious: precious | fix
{colour} vase | {glued the pieces together/found another vase at the market}
{colour} teapot | {put the spout back on with glue/used it as a flowerpot}
pair of {reading/gold/round} glasses | {bent the frame straight/went to the shop for a new lens}
{big/blue} jar of {fruit} jam | {swept the floor/cooked a new pot of jam}
{pretty} music box | {oiled the wheels/found the loose spring}
{colour} lamp | {put in a new bulb/sewed a new shade}
{glass/china} {swan/horse/angel/bell} | {glued the {wing/neck/foot} on/put the pieces in a box}
{small/golden} clock | {found the little spring/took it to the clockmaker}
picture in {a pretty} frame | {cut new glass/made a new frame}
{colour} flowerpot with {a flower} | {planted it in a new pot/gathered up the soil}
{pretty} plate from {a worker} | {glued it/painted a new one}
= mishap: mishap
{he} {threw/kicked/bounced} a ball {through the room/against the wall}
{he} {danced/spun} around with {his} {eyes closed/arms out}
{he} {ran} through the {room/hall} {though it was not allowed/like a wild horse}
{he} climbed on a chair to reach the {sweet}
{he} {played/practiced} {game} {indoors/in the living room}
{he} {pretended/played} to be {a worker} with {a container} on {his} head
{his} {sleeve/scarf/elbow} got caught on {a container}
= hide: hide
hid the pieces {under the rug/behind {a container}/in the closet}
ran {away/outside} and hid {behind a {tree}/in the shed}
said that {the cat/the wind/the dog/a bird} had done it
told nobody {and went to bed early/and kept very still}
covered it with {a cloth}
= precious
{His} {elder} {had/owned} {a precious} that {ehe} loved {dearly/very much}.
On the {shelf/table/windowsill} stood {a precious}. {His} {elder} {loved/dusted} it {every
  day/dearly}.
There was one thing {hero} was not {allowed/supposed} to touch: {a precious}.
In the {living room/hall/kitchen} was {a precious}, {which was very old/a gift from long ago}. It
  belonged to {his} {elder}.
{His} {elder} {got/had} {a precious} as a {wedding/birthday} gift and {took good care of/was proud
  of} it.
= mishap
{oneday} {mishap}. {^crash}! It {hit/knocked against} the {precious}.
{oneday} {hero} was {alone/bored} {at home/inside}. {^mishap}, and {crash}! There it {lay/was}, on
  the floor.
{oneday} {mishap}. There was a {loud/{badadj}} {crash}. {hero} {turned around/froze}. The
  {precious}!
{oneday} {his} {elder} was {out/in the garden/asleep}. {^mishap}. The {precious} {fell/crashed} to
  the floor.
It was an accident: {mishap}. And then, {crash}, it {lay/was} on the floor, {broken/ruined}.
= hide
"{Oh no/Oh dear}," {h sobs}. {He} was so {scared} that {he} {hide}.
{hero} was {scared}. Nobody had {seen/noticed} it. So {he} {hide}.
"If {Elder} sees this, {ehe} will be {angry}," {he} thought. And {he} {hide}.
What now? {His} {face/ears} burned. {He} {hide}.
{He} did not {think/know what to do}. {He} {hide}.
---
= guilt 85%
But {he} felt {badadj}. {Not even {sweet} tasted good/{He} could not enjoy the {food}/Nothing was
  fun anymore}.
At {supper/lunch} {he} {could not eat/looked at {his} plate}. The {secret/truth} {sat/lay} in {his}
  {belly/stomach} like a stone.
That night {he} {turned from side to side/could not sleep}. {He} {kept hearing/still heard} the
  {crash}.
{He} {tried/went out} to play {game}, but {his} {heart/head} was {heavy/full of it}.
{Every time/Whenever} {his} {elder} {smiled/was kind}, {hero} felt {worse/smaller}.
= friend 75%
{His} friend {friend}, {a kind-hearted} {fkind}, {noticed/saw} it. "{You look {sad}/What is wrong},"
  {f says}, "{tell the truth/just say it}. {It gets heavier every day/Then it will be lighter}."
{He} told {his} friend {friend}, {a little} {fkind}. "{I once broke/Once I lost} {a thing}," {f
  says}. "{Saying sorry was hard/It hurt to tell}, but {then it was over/I slept well after that}."
"{Will {Elder} forgive me/Will {Elder} still love me/Do you think {Elder} will forgive me}?" {he}
  asked {friend}, {his} {best /}friend. "{Of course/Certainly}," {f answers}, "{but you must tell/go
  and tell the truth}."
{friend}, {the {fkind} next door/{his} friend}, {said/told {him}}, "{A lie has short legs/The truth
  is better late than never}."
= effort 40%
{effort}
= confess
{Finally/At last/The next {day/morning}}, {hero} went to {his} {elder}. "{Elder}," {he} said, "{I
  have to tell you something/it was me}. I {broke/ruined} the {precious}. {I am so sorry/Please
  forgive me}."
{soon} {hero} could not {bear/stand} it {anymore/any longer}. {He} {cried} and told {his} {elder}
  {everything/the whole truth}.
With {shaking/cold} {hands}, {hero} {brought/showed} {his} {elder} what was left of it. "{I did
  this/It was my fault}. I am sorry," {he} whispered.
"{Elder}, {are you busy/may I say something}?" {hero} asked. Then it all {came/burst} out: "{I did
  it/I broke it} and {I was afraid/I did not dare to tell}. I am sorry!"
{hero} {took a deep breath/stood up straight} and {told/said} the truth: "I was {careless/too wild},
  and {then I was afraid/I did not tell you}. I am sorry."
---
= answer
{His} {elder} was {quiet/silent} for a {while/moment}. Then {ehe} {hug}. "{Thank you for telling
  me/I am glad you told me}," {ehe} said.
"I {am sad/was {angry}} about it," {e says}, "but {I am/now I am} {proud/very proud} {that you
  told/of your honest words}." And {ehe} {hug}.
{His} {elder} {sighed/nodded}. "{I knew/I saw it this morning}. {I was waiting for you to tell me/I
  hoped you would come}," {ehe} said and {hug}.
"{Things/Such things} can be replaced, {but you cannot/trust cannot}," {e says}, and {hug}.
{His} {elder} was {not angry/sad, but not angry}. "{Anyone can make a mistake/Everyone breaks
  something once}. {It takes courage to say so/To lie about it is worse}."
= fix 80%
Together they {fix}.
{then} they {fix}, and {hero} {helped/did most of it}.
To make {up for it/things right}, {hero} {fix}, {carefully}.
The next {day/morning} they {fix}. It was not {quite /}{the same/perfect}, but {it was fine/nobody
  minded}.
{hero} {wanted to help/asked how to help}. So they {fix}, and {afterwards/then} they had {meal}.
= promise 45%
"{I will never/I promise not to} {play/run} {like that/so wildly} {inside/in there}
  {again/anymore}," {h says}.
{hero} {gave/paid} {some} of {his} own coins and {washed the dishes/helped in the garden} for a
  {week/month}.
{He} {painted/drew} a picture for {his} {elder}, with {sight} on it. Under it {he} wrote "{Sorry/I
  am sorry}".
"Did you ever break something, too?" {hero} asked. {His} {elder} {laughed}. "{Oh yes/Many times}!
  {Even/Once} {a container} full of eggs."
= lesson 80%
{hero} {learned/found out} that {the truth makes the heart light/saying sorry is hard but good}.
{That night/Afterwards} {hero} {slept/felt} {well again/as light as a feather}. {The secret/The lie}
  was gone.
{From then on/After that}, when {hero} made a mistake, {he} {said so/told} {at once/right away}.
And {hero} {never hid/did not hide} anything {like that /}from {his} {elder} {again/anymore}.

# a promise broken and kept
@ flowers worker ban
= ban: rule | tempting | deed | harm | amends
not to feed the {goat/parrot/pony} more than once a day | it {looked/seemed} so hungry | gave it {a
  container} full of {vegetables} | it lay there with a {round/swollen} belly and {groaned/would not
  move} | walked it slowly up and down and gave it {mint/water}
not to open the {henhouse/rabbit hutch/pigsty} | the animals {looked/sounded} so sad | opened it {a
  crack/just a little} | all of them {ran/rushed} out and were gone {in a flash/among the
  {vegetables}} | {lured/carried} them back one by one with {vegetables}
not to touch the {wet/fresh} paint | it {shone} so {nicely/brightly} | touched it with the tip of
  {his} nose | there were {colour} spots {on every door/from the floor to the ceiling} | washed off
  the spots and painted everything anew
to water the {flowers} every day | the game of {game} was such fun | {forgot/left} them for {some}
  days | the {flowers} {drooped/hung their heads} and were almost dry | {watered/tended} them every
  morning and evening until they stood up again
to be home before dark | {the fair was/the fireflies were} so {pretty} | stayed {just a bit
  longer/for one more game} | {his} {elder} had searched {everywhere/half the night} with a lantern
  | stayed home for three days and helped in the kitchen
not to eat {the {sweet}/the {cake}} for the {party/guests} | it smelled so good in the
  {kitchen/pantry} | took one small bite, then another | nothing but crumbs was left for the
  {party/guests} | baked all over again, {carefully}
to look after {his} little {cousin/sister/brother} | there was {sight} outside | {went out/looked
  away} for a minute | the little one was {nowhere to be seen/gone} | searched until the little one
  was found asleep in {a container}
not to climb on the {roof/wall/ladder} | one could see {theplace} from up there | climbed {higher
  and higher/to the very top} | {he} could not get down {anymore/again} until {a worker} came |
  {swept the yard/stacked the wood} for a week
to carry the letter straight to the {worker} | there was so much to see {place} | {put it down/laid
  it aside} to look at {sight} | the wind {carried/blew} the letter {into the river/over the roofs}
  | went to the {worker} to explain and carried back an answer
not to pick the green {fruits} | they {shone} like {jewels/little lamps} | ate {some} of them, green
  as they were | {his} belly ached and the branch was {bare/empty} | watered the tree and waited
  until the rest were ripe
= promise
"Will you promise {rule}?" {e asks}. "{I promise/Yes, I promise}," {h answers}.
{hero} had promised {his} {elder} {rule}. {A promise is a promise/They had shaken {hands} on it}.
{oneday} {hero} {gave/made} a promise: {rule}. {His} {elder} {nodded/smiled} and {left/trusted
  {him}}.
"I must go {out/to town}," {e says}. "{You know/Remember}, you promised {rule}." {hero}
  {nodded/promised again}.
There was one rule {at home/in the house}, and that was {rule}. {hero} had promised {it/to keep it}.
= tempting
{oneday} {he} was {alone/bored}, and {tempting}.
{All day/For a while} {he} {kept/remembered} {his} promise. But {tempting}!
It was {hard}, because {tempting}.
{But/Then}, one {weather} {day/morning}, {tempting}. {hero} {looked} around.
= friend
"{You promised/Do not do it}," said {his} friend {friend}, {a little} {fkind}. "{Think of {Elder}/It
  will end badly}." {hero} did not {listen/want to hear it}.
"{Is that allowed/Are you allowed to do that}?" asked {friend}, {a fkind} {who was visiting/from
  next door}. "{Nobody will know/Only this once}," {h answers}.
{friend}, {his} {best/oldest} friend, {shook {fhis} head/frowned}. "{A promise is a promise/You gave
  your word}," {fhe} said.
= deed
"{Just this once/Nobody will notice}," {hero} thought, and {he} {deed}.
{He} {forgot/pushed aside} {his} promise. {He} {deed}.
And so {hero} {deed}. {At first/For a moment} {it was fun/nothing happened}.
{hero} {thought/told {himself}}, "{It cannot hurt/Once is no times}." And {he} {deed}.
= harm
But {before long/a little later/soon} {harm}!
{suddenly} {he} saw what {he} had done: {harm}.
{When {he} {turned/looked} around/A little later}, {harm}. {hero} was {scared}.
It {did not take long/took only {some} minutes}, and {harm}. "{Oh no/Oh dear}!" {h cries}.
---
= guilt 75%
{hero} {wished/wanted} {he} could turn back {time/the clock}. {He} was {sad}.
{His} {ears/cheeks} {burned/glowed}. {What would {his} {elder} say/How could {he} make it good
  again}?
{He} {cried}. {He} had given {his} word, and now it was {broken/worth nothing}.
"{I should have listened/If only I had kept my promise}," {h sobs}.
= effort 40%
{effort}
= tell
{hero} did not {wait/hide}. {He} {ran/went} to {his} {elder} and {said/told {ehim}}, "{I broke my
  promise/I did what I should not do}. I am {so /}sorry."
When {his} {elder} {came/asked}, {hero} {looked at the floor/swallowed}. "{It was me/I did not keep
  my word}," {he} said.
"{Elder}, I {have to/must} tell you something," {h admits}, and {he} told {everything/the whole
  story}.
{His} {elder} {saw/knew} it {at once/right away}. "{What did you promise/Did you forget}?" {ehe}
  asked. {hero} {cried}. "{I am sorry/I did wrong}."
= answer
{His} {elder} {was quiet/sighed}. "{A promise is like a cup/A word is like a glass}," {ehe} said.
  "{Once it is broken, it must be mended/It breaks easily and mends slowly}. {Shall we begin/Will
  you help me}?"
"I am {sad/not {happy/glad/pleased}} about it," {e says}. "{But you told me yourself/But I like it
  that you do not lie}. {How will you put it right/What can we do now}?"
{His} {elder} {knelt down/took {his} {hands}}. "{Everyone fails sometimes/It happens}. {Now/What
  counts is that} {we put it right/you try again}," {ehe} said.
"{I trusted you/I counted on you}," {e says} {softly}. That {hurt/was worse than any shouting}.
= amends
So {hero} {amends}. It took {some} {days/hours}.
{hero} wanted to make it good again. {He} {amends}.
Together they {amends}. {It took a long time/It was {hard}}, but {hero} did not {complain/stop}.
And {hero}, without {being asked/a word}, {amends}.
---
= trust 75%
{soon} everything was {well/in order} again. {His} {elder} {hug}.
{It took {some} days/Little by little}, and {his} {elder} trusted {him} again.
Later {hero} told {friend} about it. {friend} {nodded/listened} and said, "{Well done/I knew you
  could mend it}."
"{Now your word is whole again/You mended it well}," {e says} and {hug}.
= again 60%
Some {weeks/days} later, {hero} promised something {again/new}. This time {he} {kept {his} word/did
  not forget it}, {even when it was {hard}/not for one second}.
The next time {he} was {tempted/alone}, {hero} {put {his} {hands} behind {his} back/went out to play
  {game}} and {kept/did not break} {his} promise.
{After that/From then on}, when {hero} {made a promise/gave {his} word}, {everyone/{friend}}
  {knew/could be sure} that {he} {would keep it/meant it}.
= lesson
{hero} {learned/knew now} that {a promise is easy to make and {hard/difficult} to keep/trust is
  worth more than {sweet}}.
"{Only promise what you can keep/A promise weighs more than a {container}}," {he} told {friend}.
{hero} was {proud} of {himself}, {and so was {his} {elder}/more than of any {medal/prize}}.
That {evening/night} there was a {feast/supper/lunch/table full} of {meal}, and {hero} {was allowed
  to help/got the biggest piece}.
"""
