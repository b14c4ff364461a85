"""Many races: planned, run in processes of their own, gone on with, and reported.

Called, it is `speedrun.api.sweep`.
"""

from speedrun.system.callable_package import make_callable

make_callable(__name__)
