"""Who can be in a story: names and kinds of animals, as rules of the storybook grammar."""

TEXT = """
girl = Ada | Agnes | Alice | Alma | Amber | Amelia | Amina | Amy | Anna | Anya | Ava | Beatrice
  Bella | Beth | Bonnie | Carla | Cecily | Celia | Chloe | Clara | Cora | Daisy | Dalia | Dana
  Daphne | Della | Dora | Edith | Eliza | Ella | Elsa | Emily | Emma | Esme | Esther | Etta | Eva
  Fatima | Faye | Fern | Fiona | Flora | Freya | Gemma | Gina | Grace | Greta | Gwen | Hana | Hannah
  Hattie | Hazel | Heidi | Helen | Holly | Ida | Ines | Inga | Iris | Isla | Ivy | Jane | Jenny
  Jill | Josie | Joy | Julia | June | Kara | Kate | Kim | Kira | Lara | Leah | Leila | Lena | Lily
  Lina | Lola | Lucy | Luna | Mabel | Maia | Mara | Marta | Mary | Matilda | Maya | Meg | Mei | Mia
  Mila | Millie | Mina | Mira | Molly | Nadia | Nancy | Nell | Nina | Noor | Nora | Olga | Olive
  Olivia | Opal | Paula | Pearl | Penny | Petra | Phoebe | Polly | Priya | Rosa | Rose | Ruby | Ruth
  Sadie | Sally | Sara | Sasha | Selma | Sofia | Stella | Sue | Susan | Suki | Sylvia | Tara | Tess
  Thea | Tilly | Tina | Uma | Una | Vera | Violet | Wanda | Willa | Winnie | Yara | Yuki | Zara
  Zelda | Zoe
boy = Aaron | Abel | Adam | Ahmed | Alan | Albert | Alex | Alfie | Amir | Andy | Anton | Archie
  Arlo | Arthur | Asher | Basil | Ben | Benny | Bert | Billy | Bobby | Boris | Bruno | Caleb
  Carlos | Casper | Cedric | Charlie | Chen | Cole | Conrad | Cyrus | Dan | Danny | David | Dean
  Denis | Diego | Dylan | Eddie | Edgar | Eli | Elias | Emil | Eric | Ernest | Ethan | Ezra | Felix
  Finn | Frank | Fred | Gabriel | George | Gilbert | Gus | Hamza | Hank | Harry | Harvey | Hassan
  Henry | Herman | Homer | Hugo | Ian | Igor | Isaac | Ivan | Jack | Jacob | Jake | James | Jasper
  Jim | Joe | Jonas | Josh | Juan | Julius | Kai | Karim | Karl | Kenji | Kevin | Kit | Lars | Leo
  Leon | Levi | Liam | Linus | Louis | Luca | Lucas | Luke | Magnus | Malik | Marco | Mark | Martin
  Mateo | Matt | Max | Mike | Milo | Moses | Nate | Ned | Nico | Noah | Nolan | Omar | Oscar | Otto
  Owen | Pablo | Patrick | Paul | Pedro | Percy | Peter | Philip | Ralph | Ravi | Ray | Rex | Roger
  Roman | Rory | Rufus | Sam | Samir | Scott | Seth | Silas | Simon | Stefan | Sven | Ted | Theo
  Thomas | Tim | Toby | Tom | Tommy | Umar | Victor | Vincent | Walter | Wes | Wilbur | Will | Yusuf
  Zack
pet = Acorn | Almond | Apricot | Barley | Bean | Biscuit | Bramble | Bubbles | Bumble | Button
  Caramel | Cashew | Chestnut | Clover | Coco | Cookie | Cotton | Crumpet | Dapple | Doodle | Dusty
  Fidget | Flick | Fluff | Freckle | Fudge | Fuzzy | Ginger | Hiccup | Honey | Jingle | Juniper
  Lemon | Maple | Marble | Midge | Minnow | Mocha | Muffin | Nibbles | Noodle | Nutmeg | Oatie
  Paprika | Patch | Peanut | Pebble | Pepper | Pickle | Pip | Pom | Poppy | Pudding | Puff | Pumpkin
  Quill | Ragtag | Raisin | Ripple | Rusty | Saffron | Scamp | Scruff | Sesame | Skip | Smudge
  Sneezy | Snowy | Socks | Sorrel | Sparky | Spot | Sprout | Sugar | Tassel | Thistle | Ticket
  Toffee | Truffle | Tuft | Turnip | Twig | Velvet | Waffles | Whiskers | Wiggle | Yoyo | Ziggy
helper = Amos | Bartle | Blot | Bodkin | Captain | Chip | Cosmo | Domino | Dot | Duster | Feather
  Fleet | Flint | Flip | Glimmer | Gulliver | Hobbit | Hopper | Inky | Jet | Jolly | Lantern
  Licorice | Misty | Mossy | Nimble | Nutty | Ozzie | Pirate | Plum | Quick | Rascal | Shadow
  Shelly | Silver | Skipper | Sooty | Speck | Spindle | Stripe | Swift | Tango | Tiptoe | Topaz
  Trumpet | Tumble | Twitch | Wobble | Zigzag | Zip
pawed = badger | bear | beaver | bunny | cat | chipmunk | dog | dormouse | ferret | fox | fox cub
  gopher | groundhog | guinea pig | hamster | hare | hedgehog | kitten | koala | lemur | leopard cub
  lion cub | lynx | marten | meerkat | mole | mongoose | mouse | muskrat | otter | panda
  polar bear | porcupine | possum | puppy | rabbit | raccoon | skunk | squirrel | tiger cub | vole
  weasel | wolf cub | wombat
unpawed = calf | crow | donkey | duck | duckling | elephant | fawn | foal | frog | gecko | goat
  goose | hippo | lamb | lizard | monkey | newt | owl | parrot | peacock | pelican | penguin
  piglet | pony | puffin | raven | robin | seal | sparrow | stork | swan | toad | tortoise | turkey
  turtle | woodpecker | zebra
anybeast = {pawed} | {pawed} | {unpawed}
bird = blackbird | bluebird | canary | cuckoo | dove | finch | hummingbird | jay | kingfisher | lark
  magpie | nightingale | robin | seagull | sparrow | starling | swallow | thrush | wagtail
  woodpecker | wren
birds = blackbirds | doves | ducks | finches | geese | gulls | larks | pigeons | robins | sparrows
  starlings | storks | swallows | swans
bug = ant | bee | beetle | bumblebee | butterfly | caterpillar | cricket | dragonfly | firefly
  grasshopper | ladybird | ladybug | moth | snail | spider | wasp
"""
