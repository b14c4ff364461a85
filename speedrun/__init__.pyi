from speedrun.api import Callbacks as Callbacks
from speedrun.api import Run as Run
from speedrun.api import duel as duel
from speedrun.api import leaderboard as leaderboard
from speedrun.api import load as load
from speedrun.api import race as race
from speedrun.api import resume as resume
from speedrun.api import sweep as sweep

__version__: str
