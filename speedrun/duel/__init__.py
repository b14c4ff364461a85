"""Paired races of two sides in turn, and the verdict about them.

Called, it is `speedrun.api.duel`.
"""

from speedrun.system.callable_package import make_callable

make_callable(__name__)
