"""The strongest language model this machine can train in five minutes: the harness.

`from speedrun import race, duel, sweep, load, leaderboard` is its Python interface, described in
`speedrun.api`, which is imported when one of its names is first used.
"""

import importlib
from typing import Any

__version__ = "0.1.0"
_OF_API = ("Callbacks", "Run", "duel", "leaderboard", "load", "race", "resume", "sweep")


def __getattr__(name: str) -> Any:
    if name in _OF_API:
        return getattr(importlib.import_module("speedrun.api"), name)
    raise AttributeError(f"module 'speedrun' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_OF_API])
