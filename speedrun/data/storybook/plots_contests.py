"""Plots about contests: to win or to help."""

TEXT = """
# a contest
@ contest prize
= contest: contest | train | stumble | help
a running race | ran {up and down the hill/to {theplace} and back} | {tripped over a
  {root/stone}/lost a shoe} | {stopped and pulled {fhim} up/turned back to lift {fhim} up}
a baking contest | baked {cake after cake/one {fruit} pie after another} | {spilled all the
  sugar/dropped the eggs} | {gave {fhim} half of {his} own/pushed {his} own bowl across}
a singing contest | sang {to the cows/in the bath/on the stairs} | {forgot the words/lost {fhis}
  voice} | {sang the next line softly/hummed the tune from the side}
a drawing contest | drew {horses and ships/noses and {flowers}} {on every scrap of paper/all over
  the pavement} | {broke {fhis} only pencil/knocked over the paint} | {lent {fhim} a pencil/shared
  {his} brush and paint}
a boat race | {carved/sanded} a {small/slim} boat and tried it in the {bathtub/brook} | {lost {fhis}
  sail in the wind/tore {fhis} sail} | gave {fhim} {his} own {spare/second} sail
a boat race | built a boat from {bark/corks} and {tested/sailed} it in a bucket | saw {fhis} boat
  {sink/tip over} | {fished/pulled} the boat out with a {stick/net}
a sandcastle contest | {built towers/dug moats} in the sandbox | saw {fhis} {tower/wall}
  {fall/crumble} | brought wet sand and {helped to build it up again/a bucket}
a sandcastle contest | {shaped walls/carried water} {day after day/in the sandbox} | got sand in
  {fhis} eyes | {washed {fhis} eyes with water/led {fhim} to the water}
a snowman contest | {rolled snowballs/collected coals and carrots} | broke the nose of {fhis}
  snowman | broke {his} own carrot in two
a snowman contest | {rolled bigger and bigger balls/piled up snow} in the yard | had no hat for
  {fhis} snowman | {gave {fhim} {a cloth}/took off {his} own hat and gave it away}
a spelling contest | {spelled words at breakfast/read the dictionary in bed} | {got stuck in a
  word/was too {scared} to speak} | {smiled and nodded to {fhim}/whispered, "You can do it"}
a swimming race | swam {in the lake/from one shore to the other} | {got a cramp/swallowed water} |
  {swam over and held {fhim} up/called the lifeguard and stayed beside {fhim}}
a kite contest | flew kites in {every wind/sun and rain} | broke the string of {fhis} kite | gave
  {fhim} half of {his} own string
a kite contest | made kites of {paper/silk/cloth} and {string/bamboo/ribbons} | got the kite stuck
  in {a tree} | climbed up to free it
a pumpkin contest | {watered a pumpkin/sang to a pumpkin} {for weeks/morning and night} | {could not
  lift {fhis} pumpkin/lost a wheel of {fhis} cart} | {carried it with {fhim}/gave {fhim} a place on
  {his} own cart}
a sled race | {waxed the sled/pulled the sled up the hill} {again and again/twenty times} | {fell
  off at the first bend/crashed into a {bush/snowbank}} | {stopped and let {fhim} sit behind
  {him}/dug {fhim} out of the snow}
= prize: prize
a {golden/silver} {cup/medal/crown/bell}
{a container} full of {sweet}
{a fine} {thing}
a ride {in a hot-air balloon/on an elephant/in a fire engine}
{a cake} as big as {a wheel/a drum/a chair}
= news
{oneday} there was {big/great} news: {contest} was to be held {place}, and the prize was {prize}!
{^a worker} {hung up/nailed up} a {poster/sign}: {contest}! {Everyone/Anyone} could {take part/join
  in}. The prize was {prize}.
"{Have you heard/Did you hear}?" {e asks}. "There will be {contest} {on Sunday/in {some} days}." The
  winner would get {prize}.
{Every year/Each {spring/summer/autumn/winter}} there was {contest} {place}. This {year/time},
  {hero} wanted to {win/take part}. The prize was {prize}.
At school, the {teacher/children} talked of {nothing but /}{contest}. {hero} dreamed of the prize:
  {prize}.
= rival
{friend}, {a fkind} who was {good at everything/known to be the best}, {joined in, too/wanted to
  win, too}.
"{I will win/Nobody can beat me}," said {friend}, a {big/tall/strong} {fkind}. "{You are too
  small/You will see}."
There was also {friend}, {a fkind} {from the next town/from across the river/with {a colour}
  {cloth}}, who {had won last year/never lost}.
{friend}, {a quiet/a shy/a new} {fkind}, {signed up/put down {fhis} name} {too/right after {him}}.
= train 80%
{Every day/From morning till night} {hero} {train}.
{hero} {practiced/got ready}. {He} {train} {while}.
To {win/be ready}, {hero} {train}, and {his} {elder} {watched/cheered/kept time}.
So {hero} {train}, {even when it rained/until {his} arms and legs were sore}. {sky}.
{Before breakfast/After school} {hero} {train}. "{You get better every day/Do not forget to have
  fun}," {e says}.
= effort 40%
{effort}
---
= day 85%
{Then/At last} the day {came/was there}. {Flags fluttered/A band played}, and {everyone/the whole
  town} was {there/watching}.
On the day of the contest {hero} {was so {scared} that {he} could not eat/woke up before the
  {sun/birds}}.
{Everyone was there/All had come}: {a worker}, {a worker} and {even /}{a worker}. {A whistle/A bell}
  sounded, and it {began/started}!
"{Ready, set, go/Three, two, one}!" {cried/shouted} {a worker}. {hero}'s heart {beat/hammered}
  {fast/wildly}.
= lead 60%
At first {all/everything} went well, and {hero} was {ahead/among the best}. {He} could {almost
  /}{see/touch} the prize.
{hero} did {his} best. {soon} only {friend} was {as good as {he}/better}.
{hero} and {friend} were {side by side/the best of all}. {Everyone/The crowd} {cheered/shouted}.
It was {close/exciting}! {First/Now} {friend} was {ahead/better}, {then/now} {hero}.
= stumble
{suddenly} {friend} {stumble}. "{Oh no/Oh dear}!" {fhe} {cried/whispered}.
But then {friend} {stumble}! {Some/A few} people {laughed/gasped}. {friend} had tears in {fhis}
  eyes.
Just before the end, {friend} {stumble}. {Nobody/No one else} {helped/stopped}.
{hero} {saw/noticed} it {out of the corner of {his} eye/at once}: {friend} {stumble}.
= choice
{hero} could {win now/go on and win}. But {he} {did not think twice/could not leave {friend} alone}.
  {He} {help}.
"{If I help/If I stop}, I {may/will} lose," {he} thought. {Then/But} {he} {looked} at {friend} and
  {help}.
What {was more important/mattered more}, {prize} or {a friend/being kind}? {hero} {help}.
{hero} {help}. "{Come/Come on}, {we will finish together/you can do it}," {he} said.
Without {a word/thinking}, {hero} {help}.
---
= result
In the end {a worker}'s {son/daughter/cousin} won. {hero} and {friend} came {last/second to last},
  but {everyone/the crowd} {cheered/clapped} {loudest/for them}.
{hero} did not {win/get the prize}. But {the judge/{a worker}} gave {him} a {ribbon/medal} {for
  kindness/for a good heart}.
{friend} won after all, with {hero} right behind. {Fhe} {held up/shared} the prize and
  {called/pulled} {hero} to {fhis} side.
{They/The two} finished {together/at the same moment}. "{We have two winners/It is a tie}!"
  {cried/said} the judge, and they {shared/both got} {prize}.
{Strangely/Oddly} enough, {hero} won anyway, because {everyone voted for {him}/the others had been
  too hasty}! {He} {got/held} {prize} and {shared it/stood there} with {friend}.
= rivalthanks 85%
"{You did not have to help me/You could have won without me}," {f says}. "{Thank you/That was
  {kind-hearted} of you}, {hero}."
{friend} {held out/gave {him}} {fhis} hand. "{I was wrong about you/You are the real winner}. {Thank
  you/Shall we be friends}?"
"Thank you, {hero}," {f says}. "Let us {practice/celebrate} together {next time/from now on}."
  {hero} {nodded/{laughed}}.
{friend} {ran} to {hero} and {hugged/thanked} {him}. "{Nobody else stopped/I will never forget
  that}," {fhe} said.
= celebrate 40%
Afterwards they {all /}had {meal}. {hero} was {happy}.
{hero} and {friend} {sat/walked} {place} and {ate {sweet}/{laughed} about it}.
{His} {elder} {hug}. "{I am {proud} of you/I have never been so proud}," {ehe} {said/whispered}.
= lesson
{hero} {learned/knew now} that {winning is not everything/a friend is better than {prize}}.
{From then on/After that}, {hero} and {friend} {trained/practiced} {together/side by side}, and
  {next year/soon} {both/they} {won/were hard to beat}.
"{You can lose and still win/A good heart is worth more than a prize}," {he} {told/said to} {his}
  {elder}.
The prize was {soon /}forgotten, {but nobody forgot what {hero} had done/but the friendship
  {stayed/lasted}}.
"""
