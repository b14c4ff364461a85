"""Divergence: training whose loss, weights or score left what a distribution can be.

The rule. Chance is ln(vocab), the loss of a model that gives every token the same probability. A
loss is *blown up* where it is not finite, or more than twice chance and more than twice the loss
of the initial weights. Training has diverged where

- a loss is not finite, or
- every loss of the last quarter of the budget was blown up (so that a spike may recover), or
- it ends with `NUM_LAST` blown-up losses (or with as many as there were), or
- the weights or the held-out score are not finite afterwards, or
- the model fails the fairness checks after training that it passed before, and its loss or its
  weights show that rounding did it: no better than chance, or grown a hundredfold.

A diverged run has no score, so that nobody gains by it.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from speedrun.config import ModelConfig, Recipe, Run, num_params_tables
from speedrun.evaluation.fairness import UnfairModelError
from speedrun.evaluation.scorer import ScoreNotFinite
from speedrun.protocols import Architecture, Engine, Weights
from speedrun.records.sections import Event
from speedrun.records.strict_json import plain

LIMIT = 2.0  # times chance and the initial loss
SUSTAINED_SHARE = 0.25
NUM_LAST = 3  # losses at the end
GROWTH = 100.0  # of the largest weight, compared with 1 and with the initial ones
_RAISED = 1.5  # a rate that is this many times the usual one is named as the cause


class LossWatch:
    """Says of the losses of a training, one by one, whether it has diverged."""

    def __init__(self, vocab: int, initial_nats: float) -> None:
        self.chance_nats = math.log(vocab)
        highest = max(self.chance_nats, initial_nats if math.isfinite(initial_nats) else 0.0)
        self.limit_nats = LIMIT * highest
        self._sane_share = 0.0  # of the budget when the last loss that was not blown up came
        self._num_losses = self._num_blown_up = 0
        self._last_nats = 0.0

    @classmethod
    def of_state(cls, state: Mapping[str, float]) -> Self:
        """The watch whose `state` this is."""
        made = cls.__new__(cls)
        vars(made).update(state)
        return made

    def state(self) -> dict[str, float]:
        """Numbers that it goes on with."""
        return dict(vars(self))

    def problem(self, share: float, nats: float) -> str | None:
        """The finding after one more loss, measured at this share of the budget; None for none."""
        self._last_nats = nats
        if not math.isfinite(nats):
            return f"the loss is {nats}"
        self._num_losses += 1
        if nats <= self.limit_nats:
            self._sane_share, self._num_blown_up = share, 0
            return None
        self._num_blown_up += 1
        if self._num_blown_up < NUM_LAST or share - self._sane_share < SUSTAINED_SHARE:
            return None
        return self._blown_up()

    def problem_at_end(self) -> str | None:
        """The finding when training has ended."""
        is_blown_up = 0 < self._num_blown_up >= min(NUM_LAST, self._num_losses)
        return self._blown_up() if is_blown_up else None

    def _blown_up(self) -> str:
        return (
            f"the loss is {self._last_nats:,.4g} nats a token where chance is"
            f" {self.chance_nats:.3g}, and was above {self.limit_nats:.3g} since"
            f" {self._sane_share:.0%} of the budget"
        )


def of_weights(weights: Weights) -> str | None:
    """The finding where weights are not finite."""
    for name, array in weights.items():
        if num_bad := int((~np.isfinite(array)).sum()):
            return f"{num_bad:,} of {array.size:,} numbers of the weight {name!r} are not finite"
    return None


def of_failed_check(
    weights: Weights, initial: Weights, vocab: int, losses: Sequence[tuple[float, float | None]]
) -> str | None:
    """The finding where a blow-up explains a failed fairness check; None where nothing does.

    `losses` are the training's curve, of share and nats.
    """
    if not initial:  # counts do not blow up
        return None
    largest, before = _largest(weights), max(1.0, _largest(initial))
    last_nats, chance = losses[-1][1] if losses else 0.0, math.log(vocab)
    if last_nats is None or last_nats > chance:
        shown = (
            f"the loss is {last_nats or math.nan:,.4g} nats a token where chance is {chance:.3g}"
        )
    elif largest > GROWTH * before:
        shown = f"the largest weight is {largest:,.3g}, of the initial ones {before:,.3g}"
    else:
        return None
    return f"{shown}: numbers so large are rounded too coarsely to be scored"


def of_error(
    error: ScoreNotFinite | UnfairModelError,
    engine: Engine,
    architecture: Architecture,
    model: ModelConfig,
    seed: int,
    losses: Sequence[tuple[float, float | None]],
) -> str | None:
    """The finding where a blow-up explains why a trained model cannot be scored; None if none."""
    if isinstance(error, ScoreNotFinite):
        return str(error)
    initial = architecture.initial(model, seed)
    return of_failed_check(engine.weights(), initial, model.vocab, losses)


def _largest(weights: Mapping[str, NDArray[Any]]) -> float:
    return max(
        (float(np.abs(array).max()) for array in weights.values() if array.size), default=0.0
    )


def event(share: float, problem: str, num_steps: int, what_to_do: str) -> Event:
    """The event of the record: the problem, the step and the likely cause."""
    cause = f"; {what_to_do}" if what_to_do else ""
    what = f"{problem} (step {num_steps:,}){cause}"
    return Event(share=round(share, 4), kind="diverged", what=plain(what))


def advice(run: Run, architecture: Architecture) -> str:
    """The likely cause of a divergence and the setting to try; "" where nothing can be set."""
    recipe, fields = run.recipe, architecture.RECIPE_FIELDS
    names = ["lr", "lr_matrix"] if recipe.optimizer == "muon" else ["lr"]
    names += ["lr_table"] if num_params_tables(run.model) else []
    names = [name for name in names if fields is None or name in fields]
    if not names:
        return ""
    preset = architecture.RECIPES.get(run.recipe_name, {}).get("recipe", {})
    usual = Recipe(**preset)
    if usual.optimizer != recipe.optimizer:  # its rates are meant for another one
        usual = Recipe()
    times = {name: getattr(recipe, name) / getattr(usual, name) for name in names}
    worst = max(names, key=lambda name: times[name])
    value, normal = getattr(recipe, worst), getattr(usual, worst)
    if times[worst] > _RAISED:
        shown = f"{times[worst]:,.0f}" if 10 < times[worst] < 1e6 else f"{times[worst]:.2g}"
        return (
            f"likely cause: recipe.{worst}={value:g} is {shown} times the usual rate;"
            f" try --set recipe.{worst}={normal:g}"
        )
    if max(getattr(recipe, name) for name in names) * recipe.weight_decay > 1:
        return (
            f"likely cause: recipe.weight_decay={recipe.weight_decay:g} times the rate is above 1;"
            f" try --set recipe.weight_decay={usual.weight_decay:g}"
        )
    lower = " ".join(f"--set recipe.{name}={getattr(recipe, name) / 3:.2g}" for name in names)
    return f"likely cause: the learning rate; try {lower}"
