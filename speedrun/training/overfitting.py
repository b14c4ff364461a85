"""Overfitting: a small text that is read many times, and learned by heart."""

import math

from speedrun.records.schema import Record
from speedrun.records.sections import Event, Score

# Up to about four readings of a text are worth nearly as much as new text (Muennighoff et al.
# 2023, Scaling Data-Constrained Language Models).
MANY_EPOCHS = 4.0
_DECAY = 15.4  # repetitions after which the worth of one more has fallen to 1/e (R*_D there)
_GAP = 1.1  # between a held-out and a training loss that is no chance


def worth(epochs: float) -> float:
    """Tokens of new text worth as much as a token of one read so often, on average (eq. 5)."""
    repeated = epochs - 1
    return (1 + _DECAY * (1 - math.exp(-repeated / _DECAY))) / epochs


def forecast(epochs: float, share: float) -> str | None:
    """The sentence, after the first reading, on how often the budget will read the text.

    None where that is not too often. `share` of the budget is spent.
    """
    expected = epochs / share
    if expected <= MANY_EPOCHS:
        return None
    return (
        f"the budget will read the training text about {expected:,.0f} times: a token of it is"
        f" worth {worth(expected):.2f} of a token of new text; more text would serve"
    )


def of_epochs(epochs: float | None, kept_share: float | None) -> str | None:
    """The sentence on a text that was read too often; None where it was not.

    `kept_share` is the share of the budget after which the best weights were kept, if they were.
    """
    if epochs is None or epochs <= MANY_EPOCHS:
        return None
    what = f"the training text was read {epochs:,.0f} times: the model may have learned it by heart"
    if kept_share is not None:
        return f"{what}; scored are the weights that validated best, at {kept_share:.0%}"
    return f"{what}; give more text or fewer --params, or keep the best weights: --keep best"


def of_score(trained: Record, score: Score) -> Event | None:
    """The event of a text read too often that was learned by heart indeed; None otherwise."""
    train, losses = trained.train, [nats for _, nats in trained.train.loss_curve if nats]
    if not losses or (train.epochs or 0.0) <= MANY_EPOCHS or score.likelihood != "exact":
        return None
    if score.nats_per_token <= _GAP * losses[-1]:
        return None
    what = (
        f"held-out text costs {score.nats_per_token:.2f} nats a token, the training text"
        f" {losses[-1]:.2f} at the end: it was learned by heart"
    )
    return Event(share=1.0, kind="overfitting", what=what)
