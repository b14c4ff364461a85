"""Tables of the storybook: rows whose cells belong together (a trait and how it shows, ...)."""

TEXT = """
= elder: elder | Elder | gender
mom | Mom | f
mom | Mom | f
mother | Mother | f
mommy | Mommy | f
dad | Dad | m
dad | Dad | m
father | Father | m
daddy | Daddy | m
papa | Papa | m
grandma | Grandma | f
grandmother | Grandmother | f
granny | Granny | f
grandpa | Grandpa | m
grandfather | Grandfather | m
aunt | Auntie | f
uncle | Uncle | m

= trait: trait | habit | effort
curious | asked questions about {everything/the moon and the stars/everything that moved} |
  {hero} was curious, so {he} looked at the matter from {every side/all sides}.
patient | {never minded waiting/could sit still for hours} |
  {hero} was patient. {He} took a deep breath and {went on/tried again}, {slowly/carefully}.
determined | {never gave up easily/always kept trying} |
  It was {hard}, but {hero} was determined, and giving up was out of the question.
careful | {always looked twice/thought before every step/never broke a cup} |
  {hero} was careful and thought {hard/twice/for a moment} before {he} did anything.
clever | {liked riddles and puzzles/could count to a thousand/knew many {long/hard} words} |
  {hero} was clever. {He} closed {his} eyes and thought until {he} {had an idea/knew what to do}.
quick | ran {faster than the wind/everywhere instead of walking} |
  {hero} was quick and did not {waste/lose} a {minute/moment/second}.
hardworking | {always finished what {he} began/liked to help with every chore} |
  {hero} was hardworking and did not mind {that it was {hard}/a bit of trouble}.
cheerful | {hummed/sang/whistled} from morning till night |
  {hero} stayed cheerful and {hummed/sang} a little song to keep {his} spirits up.
gentle | {spoke softly even to snails/never hurt a fly/stroked every {kitten/cat/lamb} {he} met} |
  {hero} was gentle, and {he} went about it without any {fuss/noise/hurry}.
thoughtful | often {sat by the window and dreamed/gazed at the sky and wondered} |
  {hero} was thoughtful. "{What would be the best thing to do/What comes first}?" {he}
  {wondered/thought}.
hopeful | {believed that every day held something good/looked for rainbows even in the snow} |
  {hero} was hopeful. "It will turn out well{/ in the end/ somehow}," {he} told {himself}.
imaginative | made up stories about {clouds/puddles/spoons/buttons/shadows/trains} |
  {hero} was imaginative and {pictured/saw in {his} mind} how {well/nicely} it {might/could} end.
tidy | kept {his} {toys/books/shoes/pencils} in {straight rows/perfect order} |
  {hero} was tidy and did one thing after {another/the other}, {as always/in the right order}.
playful | turned everything into a game |
  {hero} was playful and made a game of it, and that {made it easier/helped a little}.
polite | {always said please and thank you/held the door open for everyone} |
  {hero} was polite and {thought/asked} {first/kindly} about what others {wanted/needed}.
adventurous | {climbed every hill {he} saw/wanted to see the whole world} |
  {hero} was adventurous, and a bit of trouble only made {him} {bolder/more eager}.
calm | {hardly ever/almost never} lost {his} temper |
  {hero} stayed calm and {counted to {ten/twenty/five}/breathed in and out {three/four} times}.
lively | {could never sit still/was up before the {rooster/sun/birds}} |
  {hero} was lively and {jumped/hopped} up, {ready to try/ready for anything}.
sensible | {always wore a {cap/scarf/hat} in the cold/packed an extra {fruit} for every trip} |
  {hero} was sensible. {First/Before anything else}, {he} {sat down/stood still} and made a plan.
musical | could {whistle/hum/sing} {any tune/every song} after hearing it once |
  {hero} was musical and {whistled/hummed} a tune, which {always /}helped {him} think.

= place: place | theplace | view
in the park | the park | {swings/duck pond/fountain/old bandstand/sandbox}
at the playground | the playground | {slide/seesaw/monkey bars/merry-go-round}
at the beach | the beach | {dunes/pier/lighthouse/waves/rocks}
in the woods | the woods | {fallen log/mossy rock/brook/hollow {tree}}
in the meadow | the meadow | {tall grass/haystack/wooden fence/molehills}
by the lake | the lake | {reeds/jetty/boathouse/willows}
by the river | the river | {stone bridge/watermill/ferry/stepping stones}
on the farm | the farm | {barn/henhouse/tractor/pigsty/orchard}
in the garden | the garden | {rosebushes/compost heap/watering can/shed/hedge}
on the hill | the hill | {ruins/windmill/lone {tree}/wooden bench}
in the village square | the village square | {well/statue/market stalls/clock tower}
at the market | the market | {fish stall/fruit stand/flower lady/cheese stand}
in the schoolyard | the schoolyard | {bicycle rack/flagpole/climbing frame}
at the zoo | the zoo | {penguins/elephants/monkey house/flamingos/ticket booth}
in the library garden | the library garden | {stone lion/sundial/reading bench}
at the harbor | the harbor | {fishing boats/nets/big crane/anchor}
in the castle ruins | the castle ruins | {broken tower/old gate/moat}
in the orchard | the orchard | {ladder/beehives/biggest {tree}}
at the railway station | the railway station | {ticket window/clock/platform}
near the waterfall | the waterfall | {wet rocks/ferns/rainbow spray}
at the fair | the fair | {carousel/ferris wheel/popcorn stand/puppet theater}
in the snow field | the snow field | {frozen stream/sled hill/snowman}
in the valley | the valley | {sheep/old mill/winding road}
on the cliff path | the cliff path | {gulls/iron railing/white stones}
in the backyard | the backyard | {clothesline/doghouse/garden hose/apple tree}
at the campground | the campground | {tents/fire pit/picnic table}

= weather: weather | sky
sunny | The sun {shone/smiled} down from a {blue/clear} sky
bright | Sunlight {danced/sparkled} on {the roofs/every leaf/the windows}
warm | The air smelled of {flowers/hay/honey/cut grass/bread}
hot | It was so hot that even the {bees/dogs/cats/flies} were {lazy/asleep}
windy | The wind {tugged at/shook/tossed} the {leaves/branches/washing}
breezy | A breeze {carried/brought} the smell of {flowers/cake/bread/the sea}
cloudy | Gray clouds hung {low over the hills/over the rooftops}
foggy | The fog was as thick as {soup/milk/wool/porridge}
misty | A thin mist lay over the {fields/ponds/meadows}
rainy | Rain {drummed/tapped/pattered} on the {roof/leaves/windows}
wet | There were puddles {everywhere/on every path/as big as ponds}
frosty | Frost {glittered/sparkled} on {every twig/the grass/the fences}
snowy | Snowflakes {drifted/fell/whirled} {from the sky/through the air}
cold | Everyone's breath made {little/tiny} {white/silver} clouds
icy | Icicles hung from the {roofs/gutters/branches}
cool | The {grass/moss/air} was cool and {fresh/damp}
mild | {Birds/Larks/Thrushes/Finches} sang in the {trees/hedges/bushes}
golden | The leaves had turned {red and gold/yellow/copper}
gray | The sky was {the color of a {mouse/pebble/nickel}/as gray as an old spoon}
fine | There was not a single cloud in the sky
calm | The {water/air/world} was so still that one could hear {a leaf fall/the bees}
lovely | The whole world {smelled/looked/felt} {new/fresh/green}
dull | The sky looked like {an old sheet/dishwater/wet wool}
stormy | The wind {howled/moaned/whistled} around the corners
"""
