"""One folder a framework; `speedrun.discover` finds them by name."""
