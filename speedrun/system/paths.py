"""TODO."""

import os
from pathlib import Path

import platformdirs

CACHE_VARIABLE = "SPEEDRUN_CACHE"


def cache_dir() -> Path:
    """Where tokens, tokenizers and held-out documents are kept between runs."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("speedrun"))
