"""Plots about friends: sharing, a quarrel and peace."""

TEXT = """
# sharing
@ thing fine fun
= fun: fun
a {ship/castle/rocket/palace} {under the table/behind the {view}}
a {treasure hunt/puppet show/circus/parade} with {a container}
a {shop/hospital/school/post office} for {all the dolls/the {birds}/snails}
a {game/contest} with {some} {rules/rounds}
a {story/song} about {a worker} and {a shape}
a {race/dance} around the {view}
= friend
{friendline}
= have
{oneday} {hero} got {a fine} {thing} from {his} {elder}.
{hero} had {a fine} {thing}, and {he} {never/did not} let anyone {touch/hold} it.
For {his} birthday, {hero} got {a fine} {thing}. It was the {finest/best} {thing} in the whole
  {town/street/village/world}.
{oneday} {hero} {found/won/bought} {a fine} {thing} {place}.
{hero} was {very /}proud of {his} new {thing}. It was {fine} and {shone}.
{oneday} {he} brought {his} {fine} {thing} to {theplace}.
= ask
{friend} {saw/noticed/heard about} it and {came/ran} over. "{May I play with/Can I try/Can I hold}
  your {thing}?" {f asks}.
"What {a pretty} {thing}!" {f cries}. "{Can/May} I {have a turn/play too}?"
{friend} {had no {thing}/wanted to play too}. "{Please/Oh please}, {only for a minute/just once},"
  {f says}.
"{Let us/We could} play together," {f says} and {pointed at/reached for} the {thing}.
{friend} {looked} at the {thing} with {big/round/wide} eyes. "{May/Could} I try it?" {fhe}
  {said/asked}.
= no
"No!" {h cries}. "It is {mine/my {thing}/only for me}!" {He} {hid it behind {his} back/held it
  tight}.
But {hero} {shook {his} head/turned away/held the {thing} tight}. "{You might break it/It is mine},"
  {he} said.
"{Maybe/Perhaps} later," {h says}, but {he} did not {mean/think} it.
{hero} {frowned/made a face}. "{Get/Find} your own {thing}!" {he} {said/shouted/snapped}.
{hero} did not {answer/want to share}. {He} {ran/walked} away with the {thing} under {his} arm.
"{You are too/You have {dirty/clumsy} {hands} and are too} {small/wild}," {h says}, and {he}
  {put/locked} the {thing} in {a container}.
---
= leave
{friend} {was {sad}/hung {fhis} head} and {went home/sat down near the {view}}.
So {friend} {went/walked} away, {sad}, and {played/sat} alone with {a container}.
{friend} said nothing. {Fhe} {looked} at {fhis} feet and {left/went home}.
"{All right/Fine/Oh}," {f sobs}. {Fhe} {went/walked} off to look at {sight}.
A tear {ran/rolled} down {friend}'s {nose/cheek/face}. Then {fhe} {was gone/left}.
= alone 80%
{hero} played with the {thing} {while}, but {it was no fun alone/nobody laughed with {him}}.
At first {hero} was {happy}. But {after {some} minutes/soon} the {thing} was {boring/dull}.
{Strange/How odd}! The {thing} was {not half as/no longer} {pretty} {now/without {friend}}.
{hero} {looked} around. The only company {he} had was {sight}. {He} felt {lonely/sad}.
{hero} {tried/wanted} to play {game}, but {that takes two/you cannot do that alone}.
{From {far away/the other side}/In the distance} {he} heard other children {laugh/play {game}}.
  {hero} {sighed/felt alone}.
= elder 80%
"{Why so {sad/gloomy/glum/quiet/unhappy}/Where is {friend}}?" {e asks}. {hero} {told {ehim}
  everything/looked at the floor}. "{A {thing} cannot laugh with you/A toy is only half as much fun
  alone}," {his} {elder} said.
{His} {elder} had {seen/watched} {it all/everything}. "{How would you feel/What would you want}, if
  you were {friend}?" {ehe} {said/asked} {softly}.
"When I was {small/little/young}," {e says}, "I had {a thing} and no {friend/friends}. {Then I
  learned to share/I was very lonely}."
"{Do you remember/Remember}," {e says}, "how {friend} gave you half of {fhis} {food}?" {hero}
  {nodded/blushed/remembered}.
"You have {a fine} {thing}," {e says}, "but {do you have a friend/where is your friend}?"
= effort 40%
{effort}
= change
{hero} {thought about it/was ashamed/swallowed hard}. Then {he} {ran} to {friend}. "{I am sorry/I
  was mean}. {You/Now you} {can/may} have {the first/a long} turn."
{Then/So} {he} {ran} {quickly} to {friend}'s house. "{Do you want to play/Come and play}? We
  {can/will} {share/take turns}!"
{hero} {jumped up/stood up} and {found} {friend} near the {view}. "{Here/Take it}, {friend}," {he}
  said, and {held out/gave {fhim}} the {thing}.
"{I am sorry/Forgive me}, {friend}," {h says}. "{The {thing} is for both of us/Let us share it}."
{With a red face/Slowly}, {hero} went to {friend}. "{You first/It is your turn}," {he}
  {said/whispered} and put the {thing} {in/into} {fhis} {lap/arms}.
---
= together
{friend} {smiled/was {happy}/{laughed}}. "{Thank you/Oh, thank you}, {hero}! {I know a new game/I
  have an idea}!"
Together they {made/made up/invented} {fun}, and {the {thing} was part of it/both {laughed}}.
With the {thing} they {played/made} {fun}. {hero} had never {laughed/played} so {much/hard}.
{First/For a while} {friend} {had/took} the {thing}, {then/and then} {hero}. They {laughed} {while}.
{friend} {showed/taught} {him} {a new/a better} way to play with it. It was {great/wonderful} fun!
"{Look/See} what it can do!" {f cries}, and together they {made/invented} {fun}.
= gift 35%
The next day {friend} brought {a instrument}. "{We can share this/This is for us both}," {f says}.
Then {friend} {took out/opened {fhis} bag with} {food}, and {gave half to {hero}/they ate together}.
{hero}'s {elder} brought {meal} for {both/the two friends}.
{friend} gave {him} a {flower}. "{Thank you for sharing/You are my best friend}," {fhe} said.
= lesson 85%
{hero} {learned/found out} that {sharing makes {toys/things} better/joy grows when you share it}.
{From then on/After that}, {hero} {always /}{shared {his} toys/took turns} with {friend}.
"{Two have twice as much fun/It is more fun with two/Half of it is more than all of it}," {h says}.
{Now/That day} {hero} knew: a {thing} is {nice/fine}, but a friend is {better/much finer}.
And the {thing}? It {belonged/lived} {one day with {hero} and one day with {friend}/a bit to both of
  them}.

# a quarrel and peace
@ subject
= subject: subject | mine | yours | both
what to {play/do} | {game} | {game} | invented a new game, that was half one and half the other
who should {go/be} first | {me, because it was my idea/me, because I am older} | {me, because I
  asked first/me, because you were first yesterday} | tossed a coin, and {from then on/afterwards}
  took turns
what to call the {puppy/kitten/boat/snowman} | {pet} | {helper} | used both names, one after the
  other
which way to go | {left, past the {view}/over the hill} | {right, along the {brook/fence}/through
  the trees} | took one way there and the other way back
what color to paint the {door/fence/boat/wagon} | {colour} | {colour} | painted it in stripes
where to {build the tower/plant the {flower}/put the tent} | {here, near the {view}/in the sun} |
  {over there, by {a tree}/in the shade} | found a third place that was better than both
what to {bake/cook} | {a cake} | {food} | made both, and had dinner and dessert
who was to be {king/captain/the dragon} | {me, because I am taller/me, because I made the crown} |
  {me, because I am braver/me, because I know the story} | {had two of them/changed every ten
  minutes}
= friend
{friendline}
= begin
{oneday} {hero} and {friend} {were/met} {place}. Everything was {fine/well} until they {talked
  about/came to} {subject}.
{oneday} {hero} and {friend} {quarreled/could not agree} about {subject}.
{oneday} the two friends had a {big/loud/silly} quarrel. It was about {subject}.
{oneday} they wanted to {spend the day/play} {place}. But {subject}? They could not agree {about
  that/on it}.
It was {silly/strange}: {hero} and {friend} never {fought/quarreled}. But that day they
  {did/fought}, about {subject}.
= argue
"{^mine}," {h says}. "No, {yours}!" {f cries}.
"{^mine}!" {h cries}. "{No, no/No/Never}! {^yours}!" {said/cried} {friend}.
{hero} said, "{^mine}." {friend} said, "{^yours}." Neither gave {in/way}.
"{^yours}," {friend} {said/decided}. But {hero} {stamped {his} foot/shook {his} head}. "{^mine}!"
= shout 65%
"{You always/Why do you always} {get your way/decide}!" {cried/shouted} {friend}. {hero} was
  {angry}.
They {shouted/argued} so loudly that {a bird} {flew off/flew away}.
{One/The} word led to {the next/another}. "{You are mean/You are stubborn}!" "{So are you/And you
  are worse}!"
{hero} was {angry}, and {friend} was {angry}. {They turned their backs/Nobody smiled}.
= apart
"{Then I will play alone/I am not your friend anymore}!" {h cries}, and {ran} home.
{friend} {went/walked} {left/away}, and {hero} {went/walked} {right/home}. {Neither/Nobody} looked
  back.
So {hero} {sat/stayed} {at home/near the {view}}, and {friend} {sat/stayed} somewhere else. {sky}.
They did not {speak/talk} {for {two/three/some} days/for the rest of the day}. {sky}.
---
= alone 80%
But without {friend} it was {boring/quiet/no fun}. {hero} saw {sight}, and there was nobody to
  {tell/show it to}.
{hero} {tried/began} {pastime}, but {it was not the same/{his} thoughts were with {friend}}.
{hero} {looked} out of the window. {What was {friend} doing/Was {friend} {sad}, too}?
{hero} {ate {food}/lay on {his} bed} and {thought of/missed} {friend}. The {anger/quarrel} seemed
  {small/silly} now.
{hero} was {sad}. {He} could {hardly/not even} {remember/say} {why they had quarreled/how it had
  begun}.
= advice 75%
"{Why so {sad/gloomy/glum/quiet/unhappy}/Where is {friend}}?" {e asks}. {hero} told {ehim}
  {everything/about it}. "{Would you rather be right or have a friend/Somebody must take the first
  step}," {ehe} said.
"{I quarreled with my best friend, too/Once I did not speak to my {brother/sister} for a year}," {e
  says}. "{I wish I had said sorry sooner/It was a waste of time}."
{His} {elder} took {two sticks/two strings}. "One alone {breaks/snaps}," {ehe} said. "{Two together
  hold/Together they are strong}. {It is the same with friends./Do you see?/So it is with friends.}"
{^a worker} {came by/sat down}. "{I saw you two/You look {sad}}. {Talk to {fhim}/Do not wait too
  long}," {whe} said.
= effort 40%
{effort}
= meet
So {hero} {ran/went} {quickly} to {friend}'s house. {Halfway/On the bridge} {he} met {friend}, who
  was {on the way/coming} to {him}!
{hero} {picked {flowers}/took {sweet}} and {went/ran} to {friend}. {His} heart {beat fast/was
  heavy/beat loudly}.
{hero} {wrote/sent} a {note/letter}: "{I miss you/I am sorry}." {soon} there was a knock. It was
  {friend}.
{soon} {hero} {saw/found} {friend} near the {view}. They {looked} at each other and did not know
  what to say.
= sorry
"I am sorry," {h says}. "{I only thought of myself/I should have listened to you}." "I am sorry,
  {too/as well}," {f says}.
"{I am/I'm} sorry," both {said/cried} at the same {time/moment}. They had to {laugh/giggle}.
"{I was stubborn/I was {angry}}, {friend}. {Forgive me/I am sorry}," {h says}. {friend}
  {nodded/smiled}. "{Me too/So was I}."
{friend} {began/spoke first}: "I {miss/missed} you." "{I missed you, too/And I you}," {h says}. "{I
  am sorry/Let us never fight again}."
---
= solve
{Then/Together} they {thought/talked}, and {presently} they had it. They {both}.
"{Why not do both/What if we do both/What if we both win}?" {f asks}. And so they {both}.
This time each {listened to/heard} the other. In the end they {both}. {It was so easy/Nobody lost}!
"{Your idea was good/Yours was not bad}," {h says}. "{Yours, too/And yours}," {f says}. So they
  {both}.
= fun 65%
They {laughed} {while}, and nobody {noticed/saw} how {late/dark} it was.
It was {the best/a wonderful} {day/afternoon}. They even {saw/met} {sight}.
Afterwards they {had/shared} {meal}, {exactly/cut} in {halves/two}.
{hero} was {happy}. {friend} {laughed} and {jumped}.
{His} {elder} {saw/watched} them and {smiled/brought {meal}}.
= lesson
{hero} {learned/knew now} that {friends can disagree and still be friends/it is better to listen
  than to shout}.
{From then on/After that}, when they {disagreed/did not agree}, they {counted to ten/said, "Let us
  find a third way"}.
"{Sorry is a small word/It is such a small word}," {hero} thought, "but it {mends a lot/opens big
  doors}."
{No quarrel is worth a friend/A good friend is worth a small step}, {hero} thought, {and smiled/and
  {he} meant it}.
They still {quarreled/argued} {sometimes/now and then}, but {never for long/they always made peace
  before {supper/bedtime}}.
"""
