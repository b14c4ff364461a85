"""The strongest language model this machine can train in five minutes: the harness."""

__version__ = "0.1.0"
