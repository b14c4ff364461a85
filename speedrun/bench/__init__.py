"""Speed of training, scoring and sampling on this machine, and the parts of a training step."""
