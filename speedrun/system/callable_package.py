"""Packages that can be called: `speedrun.duel` is a package and a function of `speedrun.api`."""

import importlib
import sys
from types import ModuleType
from typing import Any


class CallablePackage(ModuleType):
    """A package whose call is that of the function of its name in `speedrun.api`."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Call the function."""
        name = self.__name__.rpartition(".")[2]
        return getattr(importlib.import_module("speedrun.api"), name)(*args, **options)


def make_callable(name: str) -> None:
    """Make an imported package callable."""
    sys.modules[name].__class__ = CallablePackage
