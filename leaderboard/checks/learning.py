"""Checks of a score against the loss curve of the training that it came from."""

from collections.abc import Iterator
from statistics import median

from leaderboard.checks.model import is_counted
from speedrun.records.schema import Record

# Least score in nats per token, as a share of the training loss over the last tenth of the curve.
# Recorded races lie between 0.93 and 1.0; regularisation and averaged weights reach lower, and a
# curve of few points is a mean over a long time in which the loss fell. Overfitting is honest.
_MIN_SHARE, _MIN_SHARE_COARSE = 0.8, 0.6
# The training loss of a bound is another one: recorded shares are 0.79 and more.
_MIN_SHARE_BOUND = 0.6
_FINE = 20  # points


def problems(record: Record) -> Iterator[str]:
    """A score far below what training reached, and training that left no trace."""
    train, score = record.train, record.score
    if is_counted(record):
        return
    nats = [loss for _, loss in train.loss_curve if loss is not None]
    if not nats:
        yield "its loss curve is empty, but a network was trained"
        return
    if len(train.loss_curve) > train.num_steps:
        points, steps = len(train.loss_curve), train.num_steps
        yield f"its loss curve has {points} points, but only {steps} steps were made"
    if score is None or not score.num_tokens:
        return
    least = _MIN_SHARE if len(nats) >= _FINE else _MIN_SHARE_COARSE
    if score.likelihood == "bound":
        least = _MIN_SHARE_BOUND
    final, per_token = median(nats[-max(1, len(nats) // 10) :]), score.nats / score.num_tokens
    if per_token < least * final:
        yield (
            f"a score of {per_token:.3g} nats per token does not follow from a training loss that"
            f" ended at {final:.3g}"
        )
