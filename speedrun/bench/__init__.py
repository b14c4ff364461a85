"""How fast training, scoring and sampling are here, and where the time of a step goes."""
