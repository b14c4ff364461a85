"""Single words and short word groups of the storybook grammar, one rule a paragraph."""

TEXT = """
other = {instrument}
fearful = bats | bees | clowns | cellars | crowds | escalators | geese | ghosts | goats | masks
  shadows | snakes | balloons | cows | owls | fireworks | mirrors
little = little | little | little | small | young | sweet | cheerful | merry | lively | playful
  friendly | happy | smiling | bright-eyed | bouncy | jolly | dreamy | sunny | tiny | funny
big = big | large | huge | enormous | great | giant | massive | mighty
small = small | tiny | little | wee | teeny | miniature
pretty = pretty | lovely | beautiful | fine | splendid | handsome | charming | delicate | dainty
  elegant | graceful | marvelous | wonderful | magnificent | gorgeous | exquisite
old = old | ancient | crooked | rusty | dusty | shabby | weathered | wobbly | creaky | faded | worn
strange = strange | odd | peculiar | unusual | mysterious | funny | puzzling
colour = red | blue | green | yellow | orange | purple | pink | white | brown | black | gray
  golden | silver | crimson | scarlet | violet | turquoise | cream | lilac | copper | emerald
  indigo | ivory | lavender | rosy | amber | navy | teal | peach | ruby
fine = {colour} | {colour} | shiny | striped | spotted | wooden | bright | painted | old | brand new
  {colour} and {colour} | tiny | sparkly | polished | checkered | round | glittering | patched
  handmade | {small} {colour} | velvet | dotted | speckled | {pretty} {colour} | well-worn | special
flower = bluebell | buttercup | carnation | cornflower | crocus | daffodil | daisy | dandelion
  foxglove | geranium | hollyhock | iris | lily | lupin | marigold | orchid | pansy | peony
  petunia | poppy | primrose | rose | snapdragon | snowdrop | sunflower | tulip | violet | zinnia
flowers = asters | bluebells | buttercups | cornflowers | crocuses | daffodils | daisies
  dandelions | forget-me-nots | hyacinths | irises | lilies | marigolds | pansies | peonies
  poppies | primroses | roses | snowdrops | sunflowers | tulips | violets | wildflowers
tree = alder | apple tree | ash tree | aspen | beech | birch | cedar | cherry tree | chestnut tree
  elm | fig tree | fir tree | hazel | juniper | lime tree | maple | oak | olive tree | palm tree
  pear tree | pine tree | plum tree | poplar | rowan | spruce | sycamore | walnut tree | willow
fruit = apple | apricot | banana | cherry | fig | grape | lemon | lime | mango | melon | nectarine
  orange | peach | pear | pineapple | plum | quince | raspberry | strawberry | tangerine
fruits = apples | apricots | bananas | blackberries | blueberries | cherries | currants | dates
  figs | gooseberries | grapes | lemons | melons | mulberries | oranges | peaches | pears | plums
  raspberries | strawberries | tangerines | walnuts
vegetables = artichokes | beans | beets | cabbages | carrots | cauliflowers | cucumbers | leeks
  lettuces | onions | parsnips | peas | peppers | potatoes | pumpkins | radishes | turnips
food = bread and butter | bread and honey | cheese sandwiches | tomato soup | noodles | pancakes
  mashed potatoes | roast chicken | rice and beans | pea soup | fried eggs | oatmeal | porridge
  apple slices | baked potatoes | spaghetti | toast with jam | waffles | vegetable stew | dumplings
  cold chicken | pumpkin soup | boiled eggs | muffins | crackers and cheese | meatballs | fish pie
  buttered corn | omelets | lentil soup | warm rolls | cucumber sandwiches | rice pudding
pie = {fruit} cake | {fruit} pie | chocolate cake | honey cake | carrot cake | almond cake
  nut cake | rice pudding | vanilla pudding | {fruit} pudding
cake = {fruit} cake | {fruit} pie | {fruit} tart | chocolate cake | gingerbread house | honey cake
  carrot cake | almond cake | cinnamon bun | vanilla pudding | oatmeal cookie | {fruit} muffin
  cream puff | butter biscuit | nut cake
sweet = cookies | candies | toffees | chocolates | cupcakes | doughnuts | gumdrops | jelly beans
  lollipops | marshmallows | peppermints | {fruit} tarts | honey cakes | cinnamon buns | caramels
  sugared almonds | {fruit} drops | ginger biscuits | cream puffs | macaroons | brownies
drink = warm milk | hot chocolate | cold lemonade | {fruit} juice | mint tea | apple cider
  ginger tea | cocoa | fresh water | chamomile tea | sweet tea
game = hide and seek | tag | hopscotch | marbles | catch | leapfrog | kickball | dominoes | charades
  follow the leader | skittles | pirates | knights and dragons | checkers | blind man's buff
  musical chairs | cards | shadow puppets | jump rope | croquet | hula hoops | statues
instrument = banjo | bell | bugle | clarinet | cello | drum | fiddle | flute | guitar | harmonica
  harp | horn | piano | recorder | tambourine | trumpet | tuba | ukulele | violin | xylophone
container = basket | bag | barrel | bowl | box | bucket | cart | crate | jar | pail | pot | sack
  suitcase | tray | trunk | wagon
cloth = apron | beret | bonnet | bow tie | cap | cape | cardigan | coat | dress | hat | hood
  jacket | poncho | raincoat | robe | sash | scarf | shawl | shirt | skirt | sweater | turban | vest
shape = ship | whale | dragon | castle | camel | teapot | slipper | snail | crown | giant | sheep
  feather | rabbit | mountain | boot | spoon | swan | dinosaur | butterfly | pillow | umbrella
  horse
house = house | cottage | cabin | hut | home | farmhouse | lighthouse | bungalow
homeadj = small | cozy | tidy | crooked | narrow | {colour} | brick | stone | wooden | snug | noisy
  quiet | tall | sunny | thatched | pretty | whitewashed | round | humble
near = near the sea | by the river | at the edge of a forest | on a hill | in a quiet village
  in a busy town | beside a {tree} | near a railway station | at the end of a lane
  in the mountains | next to a bakery | in a green valley | across from a school | by a lake
  behind a church | near a {big} meadow | on a windy island | beside a mill
  in a sleepy little town | near a swamp
  on the corner of {Flower/Maple/Market/Mill/Garden/Church/River/King} Street
morning = morning | morning | day | afternoon | {Monday/Tuesday/Wednesday/Thursday/Friday} morning
  {Saturday/Sunday} | {Saturday/Sunday} afternoon | {spring/summer/autumn/winter} {day/morning}
month = January | February | March | April | May | June | July | August | September | October
  November | December
happy = happy | glad | pleased | delighted | cheerful | joyful | overjoyed | thrilled
  happy and proud | as happy as a {lark/clam/king/puppy} | very happy | full of joy
  happier than ever
sad = sad | unhappy | gloomy | miserable | heartbroken | very sad | downhearted | close to tears
  disappointed | sorrowful | glum
scared = scared | afraid | frightened | terrified | nervous | fearful | alarmed
angry = angry | cross | mad | annoyed | grumpy | furious | upset | irritated
tired = tired | weary | sleepy | worn out | exhausted | out of breath | tired and hungry | drowsy
surprised = surprised | amazed | astonished | puzzled | startled | speechless | stunned
worried = worried | anxious | uneasy | troubled | nervous | restless | full of worry | upset
proud = proud | very proud | so proud | as proud as a peacock | pleased and proud | terribly proud
kind-hearted = kind | generous | gentle | warm-hearted | thoughtful | caring | good-natured
  helpful | sweet
softly = softly | quietly | gently | kindly | calmly | in a low voice | in a gentle voice | slowly
  tenderly | patiently | after a moment | thoughtfully | simply | shyly
sadly = sadly | quietly | in a small voice | with a sigh | unhappily | in a shaky voice | gloomily
  with a sniff | with wet eyes | in a whisper
carefully = carefully | slowly | gently | patiently | step by step | neatly | bit by bit | steadily
  cautiously | softly | little by little | without a sound
quickly = quickly | at once | right away | in a hurry | as fast as {he} could | swiftly | in a flash
  straight away | without delay | in no time
ran = ran | hurried | raced | dashed | rushed | skipped | trotted | scampered | galloped | sprinted
walked = walked | strolled | wandered | marched | went | tiptoed | tramped | hiked | ambled
  skipped
looked = looked | peered | stared | gazed | glanced | peeked | squinted
cried = cried | wept | sobbed | sniffled | shed a few tears | burst into tears | began to cry
laughed = laughed | giggled | chuckled | grinned | laughed out loud | smiled from ear to ear
  beamed
jumped = jumped | hopped | leaped | danced | skipped | bounced | twirled | spun around
found = found | discovered | spotted | noticed | saw | caught sight of
some = three | four | five | six | seven | eight | nine | ten | a dozen | a few | several
while = for a while | for a long time | for almost an hour | until noon | for half the day
  all morning | until the church bells rang | for ten whole minutes | until the sun stood low
  again and again | until lunch | until it was nearly dark | for two hours
  for what felt like forever
presently = soon | before long | after a while | a little later | at last | by and by
crash = bang | boom | clang | clatter | crash | crack | smash | thud | thump | crunch | clonk
sound = bang | boom | clang | clatter | click | crack | creak | crunch | hiss | hum | jingle | ping
  plop | pop | rattle | rumble | rustle | scratch | screech | splash | squeak | thud | thump
  tinkle | whoosh | whistle | wail | whimper
badadj = dreadful | awful | terrible | horrible
hard = hard | difficult | tricky | tough | not easy | harder than it looked | no easy thing
shone = shone | glowed | sparkled | glittered | gleamed | twinkled | glimmered | shimmered
worker = baker | barber | beekeeper | blacksmith | bus driver | butcher | captain | carpenter
  clown | cobbler | cook | dancer | dentist | doctor | farmer | firefighter | fisherman | gardener
  grocer | hunter | inventor | jeweler | juggler | knight | librarian | magician | mail carrier
  mayor | mechanic | miller | nurse | painter | pilot | plumber | police officer | potter | sailor
  scientist | shepherd | shopkeeper | singer | soldier | tailor | teacher | train conductor | weaver
  window cleaner | woodcutter | zookeeper
pastime = collecting {shells/stamps/buttons/feathers/pebbles/leaves/acorns/coins} | climbing trees
  painting pictures | looking at {clouds/picture books/maps/birds/the stars} | playing {game}
  baking {sweet} | telling jokes | building towers | singing songs | catching {fireflies/frogs}
  playing the {instrument} | riding a {scooter/tricycle/seesaw/sled} | jumping in puddles
  watching {birds/ants/trains/boats/bees} | picking {flowers/fruits} | making paper {boats/hats}
  flying kites | digging in the sand | dancing in the kitchen | drawing {castles/dragons/horses}
  feeding the {birds/ducks/chickens} | making up {songs/rhymes/riddles/stories} | rolling down hills
  skipping stones | reading about {pirates/planets/dinosaurs/volcanoes/inventors/knights}
thing = airplane | ball | balloon | banjo | basket | beach ball | bell | blanket | boat | book
  boomerang | bracelet | bucket | button | camera | cap | car | coin | comb | compass | cup | doll
  drum | dump truck | feather | fire engine | flag | flashlight | flute | glove | hairbrush
  harmonica | hat | helicopter | horn | jump rope | key | kite | lantern | locket | magnet
  magnifying glass | marble | mask | medal | mirror | mitten | music box | necklace | notebook
  paintbrush | pencil | pinwheel | puppet | purse | ribbon | ring | robot | rocket | sailboat
  scarf | seashell | shovel | slipper | spinning top | spoon | spyglass
  stuffed {rabbit/lion/owl/elephant} | sword | tambourine | teacup | teddy bear | top hat
  toy {train/truck/tractor/horse/camel/soldier} | umbrella | wand | watch | whistle | yo-yo
"""
