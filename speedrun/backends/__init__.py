"""One folder a framework; `speedrun.models.loader` finds them by name."""
