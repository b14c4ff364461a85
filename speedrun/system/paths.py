"""Folder of the cache."""

import os
from pathlib import Path

import platformdirs

CACHE_VARIABLE = "SPEEDRUN_CACHE"


def cache_dir() -> Path:
    """Folder of cached tokens, tokenizers and held-out documents; SPEEDRUN_CACHE overrides it."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("speedrun"))
