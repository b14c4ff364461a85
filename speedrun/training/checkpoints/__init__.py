"""Checkpoints of long races, and races that go on from them."""
