"""Phrases that every plot may use: openings, speech tags, sights, closings; one phrase a line."""

TEXT = """
= then
{Then/Soon/Next,/After that,/Later,/And so/Now/This time,/So/With that,}
= soon
{Soon/Before long,/After a while,/A little later,/A moment later,/In the end,/At last,/By and by,}
{Not long after,/After some time,/It did not take long until/Sooner than expected,/Finally,}
= suddenly
{Suddenly,/All at once,/Just then,/All of a sudden,/At that very moment,/Without any warning,}
{But then/Out of nowhere,/In the middle of it all,/Right at that moment,/The next moment,}
= oneday
One {weather} {morning},
One {weather} {morning}
One {morning},
One day,
{On/Early on/Late on} a {weather} {day/morning/afternoon},
It was a {weather} {day/morning} when
{One day in {month},/One {month} morning,/One evening in {month},}
It {happened/so happened} {last/one} {spring/summer/autumn/winter} that
= saidword
said
= answeredword
{answered/replied/said/said}
= askedword
{asked/asked/asked/wondered/inquired}
= criedword
{cried/shouted/called/exclaimed/burst out/called out}
= h says
{saidword} {hero}
{hero} {saidword}
{hero} said
said {hero}
said {hero} {softly/with a smile/with a nod/in a firm voice/in a clear voice/earnestly}
= h answers
{answeredword} {hero}
{hero} {answeredword}
= h asks
{askedword} {hero}
{hero} {askedword}
asked {hero}, {who was puzzled/tilting {his} head/looking up/scratching {his} nose/eyes wide}
= h cries
{criedword} {hero}
{hero} {criedword}
{criedword} {hero} {loudly/at the top of {his} voice/as loudly as {he} could}
= h admits
said {hero} {quietly/in a small voice/in a low voice/with lowered eyes/with a red face}
{hero} said {quietly/in a small voice/in a low voice}
= h sobs
said {hero} {sadly}
{hero} {whispered/sniffed/sobbed/sighed/murmured/mumbled}
{whispered/sniffed/sobbed/sighed/murmured/mumbled} {hero}
= f says
{saidword} {friend}
{friend} {saidword}
{friend} said
said {friend}
said {friend} {softly/with a smile/with a nod/with a wink/with a grin/without a pause}
= f answers
{answeredword} {friend}
{friend} {answeredword}
= f asks
{askedword} {friend}
{friend} {askedword}
asked {friend} {softly}
= f cries
{criedword} {friend}
{friend} {criedword}
{criedword} {friend} {loudly/with wide eyes}
= f sobs
said {friend} {sadly}
{whispered/sniffed/sobbed/sighed/murmured/mumbled} {friend}
= e says
said {his} {elder}
{his} {elder} {saidword}
said {his} {elder} {softly/with a smile/with a nod/with a wink/after a while}
= e answers
{answeredword} {his} {elder}
{his} {elder} {answeredword}
= e asks
asked {his} {elder}
{his} {elder} asked
asked {his} {elder} {softly}
= traitline
{hero} was {a trait} {kind} who {habit}.
{hero} was very {trait} and {habit}.
Because {he} was so {trait}, {he} {habit}.
Everyone {said/knew/agreed/could tell} that {hero} was {trait}. {He} {habit}.
{He} was {known to be/by nature/always/usually/a bit/quite/really/truly} {trait} and {habit}.
{hero} {habit}, for {he} was {a trait} {kind}.
= likes
{hero} loved {pastime}.
{hero} was very {fond of/good at/keen on} {pastime}.
What {he} liked {most/best} {of all/in the world/every day} was {pastime}.
{He} spent {whole afternoons/hours/most days/every free minute/rainy days} {pastime}.
{His} favorite {thing/hobby/game/pastime} was {pastime}, and {he} did it {every day/whenever {he}
  could}.
There was nothing {he} liked better than {pastime}{/, except perhaps {food}/, except for {sweet}}.
= friendline
{His} best friend was {a little} {fkind} {named/called} {friend}.
{hero} had a {good/best/dear/loyal} friend, {a little} {fkind} {named/called} {friend}.
{He} {often/always/usually} played {game} with {friend}, the {fkind} next door.
{friend}, {a kind-hearted} {fkind}, was {his} best friend.
{He} and {his} friend {friend}, {a little} {fkind}, {were always together/did everything together}.
Next door lived {a fkind} {named/called} {friend}, and the two were {the best of/good/close}
  friends.
= opening
Once upon a time, there was {a little} {kind} {named/called} {hero}. {traitline}
Once upon a time, there was {a little} {kind} {named/called} {hero}. {likes}
Once upon a time, {near}, there lived {a little} {kind} {named/called} {hero}. {traitline}
Once upon a time there lived {a little} {kind} whose name was {hero}. {likes} {traitline}
In {a homeadj} {house} {near} lived {a little} {kind} {named/called} {hero}. {traitline}
In {a homeadj} {house} {near}, {a little} {kind} named {hero} lived with {his} {elder}. {likes}
There was once {a little} {kind} {named/called} {hero} who loved {pastime}. {traitline}
{Long ago/Many years ago/Not so long ago/Once}, {a little} {kind} named {hero} lived {near}. {likes}
{Every day/Every morning}, {a little} {kind} named {hero} could be seen {pastime}. {traitline}
{hero} was {a little} {kind} who lived with {his} {elder} {near}. {traitline}
{hero} was {a trait} {kind} from {a homeadj} {house} {near}. {likes}
Everyone in the {village/town/neighborhood/valley/street} knew {hero}, {a trait} {kind} who loved
  {pastime}.
This is the story of {hero}, {a little} {kind} who {habit}. {likes}
The {kind} who lived in the {colour} {house} {near} was called {hero}. {traitline}
Have you heard of {hero}? {He} was {a little} {kind} who lived {near}. {traitline}
Once there was {a kind} {named/called} {hero}. {He} lived in {a homeadj} {house} with {his} {elder}.
= sight
{a colour} {bug} on {a flower}
{a small} {bird} {singing/hopping/asleep} in {a tree}
two {birds} {quarreling/sleeping/splashing/bathing} {beside/near/in front of/behind} {a container}
a {cat/dog/goat/donkey/kitten} asleep on a {warm/sunny/low/dusty} {wall/step/roof/bench/cart}
{a worker} {carrying/pushing/washing/painting} {a container} full of {fruits}
a cloud {shaped like/that looked like} {a shape}
{some} {colour} {flowers} in {a container}
{a worker} in {a colour} {cloth}
{an old/a young/a tall/a thin/a stout} {man/woman} {playing/carrying} {a instrument}
{a strange} {house} with {a colour} {door/roof/chimney/gate/fence}
a {cobweb/puddle/window/lamp} that {shone} like {silver/gold/glass/a star/a jewel}
{a big} {tree} full of {birds}
{some} {fruits} {on/under/beside} {a container}
a {boat/truck/wagon/train/cart} {full of/loaded with} {vegetables/fruits/flowers}
= meal
{food} and {sweet}
{food}, {sweet} and {drink}
{food} with {drink}
{pie} and {drink}
{food} and {pie}
= hug
gave {him} a {big/warm/long/tight} hug
hugged {him} {tightly/for a long time/hard/warmly}
{kissed {him} on the {forehead/cheek/nose}/patted {him} on the back/took {him} in {ehis} arms}
= closing
That {night/evening}, {hero} {fell asleep with a smile/slept like a {log/stone/baby/dormouse}}.
{hero} {went/walked/ran/skipped} home, {happy}, and {had/ate} {food} for supper.
They all lived happily ever after.
{From that day on/From then on/Ever since}, {hero} {smiled/felt warm inside} whenever {he} thought
  of it.
And the next {day/morning}, {he} was {pastime} again, as if nothing had happened.
{hero} {never forgot/always remembered/often talked about} that {day/{morning}}.
Afterwards there was {plenty of/a big bowl of/a hot plate of} {food} for everyone, and {sweet} too.
{At bedtime/That night/In the evening}, {his} {elder} {sang {him} a song/read {him} a story} about a
  {shape}.
It had been {a long/a good/a strange/quite a/a wonderful} day, {hero} thought.
= praise
{His} {elder} was {proud} of such {a trait} {kind}.
"I am {so /}glad to have such {a trait} {kind}," {e says}.
It had helped a lot that {he} was so {trait}.
"{It pays to be/How good that you are so/I like it that you are} {trait}," {e says}.
{Being {trait}/To be {trait}} is a {fine/good/useful} thing, {hero} thought.
"""
