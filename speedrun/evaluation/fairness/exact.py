"""Checks of exact models: what a token cost in scoring must follow from the tokens before it.

Whatever a model goes by when it cheats (the row's length, the batch, the clock, a count of calls,
the text itself), in the last check it would have to predict as well without what it peeked at.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from speedrun.evaluation.fairness.common import CHECK_TOLERANCE_NATS, check_array, softmax_nats
from speedrun.evaluation.scorer import Scored
from speedrun.protocols import Engine, UnfairModelError

LOGITS = "logits (rows x context x vocabulary)"
_NUM_ALONE = 8
_NUM_TOGETHER = 4
_MAX_ROWS = 16


def check(
    scored: Sequence[Scored], engine: Engine, rebuilt: Engine, vocab: int, num_places: int
) -> None:
    """Check scored rows of one kind against `engine`, which scored them, and against another.

    `rebuilt` has the same weights and has scored nothing; it may be `engine` itself.
    """
    _check_alone(scored[:_NUM_ALONE], engine)
    alike = [one for one in scored if len(one.row) == len(scored[0].row)][:_NUM_TOGETHER]
    rows, nats = np.stack([one.row for one in alike]), np.stack([one.nats for one in alike])
    counted = np.zeros(nats.shape, dtype=np.bool_)
    for row, one in zip(counted, alike, strict=True):
        row[one.counted] = True
    moved = np.abs(rebuilt.nll(rows, alike[0].seed) - nats)[counted].max()
    if not moved <= CHECK_TOLERANCE_NATS:
        raise UnfairModelError(
            f"not its weights alone: a model made anew from them scores {moved:.2g} nats"
            " differently (state outside the weights, or something kept between calls?)"
        )
    logits = rebuilt.logits(rows[:, :-1])
    check_array(logits, (*nats.shape, vocab), LOGITS)
    off = np.abs(softmax_nats(logits, rows[:, 1:]) - nats)[counted].max()
    if not off <= CHECK_TOLERANCE_NATS:
        raise UnfairModelError(
            f"not normalised: scores differ from the softmax of the logits by {off:.2g} nats"
        )
    _check_blind(scored, rebuilt, vocab, num_places)


def _check_alone(scored: Sequence[Scored], engine: Engine) -> None:
    for one in reversed(scored):
        moved = np.abs(engine.nll(one.row[None], one.seed)[0] - one.nats)[one.counted].max()
        if not moved <= CHECK_TOLERANCE_NATS:
            raise UnfairModelError(
                f"rows of a batch affect each other, or calls do: a row alone and again scores"
                f" {moved:.2g} nats differently"
            )


def _check_blind(scored: Sequence[Scored], engine: Engine, vocab: int, num_places: int) -> None:
    """Compare with predictions of a model that sees neither the target nor what follows it.

    Behind a place there are random tokens, so that rows have other lengths, other ends and other
    company than in scoring.
    """
    for group in _places(scored, num_places):
        rng = np.random.default_rng()  # unforeseeable: a model may know this file
        places = np.array([place for _, place in group])
        # Never below half of the context, which a model may need: all rows are scored at the whole.
        length = max(1 + places.max(), (len(group[0][0].row) - 1) // 2)
        tokens = rng.integers(0, vocab, (len(group), length), dtype=np.int32)
        for row, (one, place) in zip(tokens, group, strict=True):
            row[: place + 1] = one.row[: place + 1]
        logits = engine.logits(tokens)
        check_array(logits, (*tokens.shape, vocab), LOGITS)
        targets = np.array([one.row[place + 1] for one, place in group])
        blind = softmax_nats(logits[np.arange(len(group)), places], targets)
        claimed = np.array([one.nats[place] for one, place in group])
        worst = int(np.abs(blind - claimed).argmax())
        if not abs(blind[worst] - claimed[worst]) <= CHECK_TOLERANCE_NATS:
            raise UnfairModelError(
                f"not causal: a token costs {claimed[worst]:.4g} nats in its row, and"
                f" {blind[worst]:.4g} where neither it nor what follows is shown (allowed is a"
                f" difference of {CHECK_TOLERANCE_NATS:g})"
            )


def _places(scored: Sequence[Scored], num_places: int) -> Iterator[list[tuple[Scored, int]]]:
    """Random places in the rows, in groups of similar ones that fit into memory."""
    rng = np.random.default_rng()
    picked = [scored[number % len(scored)] for number in range(num_places)]
    pairs = [(one, int(rng.choice(one.counted))) for one in picked]
    pairs.sort(key=lambda pair: -pair[1])
    while pairs:
        most = _NUM_TOGETHER * (len(scored[0].row) - 1) // (1 + pairs[0][1])
        size = min(_MAX_ROWS, max(1, most))
        group, pairs = pairs[:size], pairs[size:]
        yield [group[index] for index in rng.permutation(len(group))]
