"""Old name of `speedrun.system.git`, kept for scripts."""

from speedrun.system.git import code_version

__all__ = ["code_version"]
