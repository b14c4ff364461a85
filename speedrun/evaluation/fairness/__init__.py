"""Checks that a score is one: causal, rows independent, repeatable, normalised, as saved.

`random_rows` tries a model before the clock starts, `heldout` compares what it was given in
scoring with what it predicts afterwards. The harness owns the normalisation; a model only supplies
logits, or the terms of a bound.
"""

from speedrun.protocols import UnfairModelError

__all__ = ["UnfairModelError"]
