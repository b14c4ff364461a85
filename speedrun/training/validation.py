"""Validation during training: `--keep best` scores the weights that did best on a slice of text.

The slice comes from the training documents, is left out of training, and has nothing to do with
the held-out split that ranks. It is scored on the clock, and takes `SHARE` of the budget at most.
"""

import hashlib
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from speedrun.data.heldout import HeldOut
from speedrun.data.source import Documents, Source
from speedrun.data.tokenizer import EOT, Tokenizer
from speedrun.protocols import Engine, Rows, Weights
from speedrun.training.clock import BudgetClock

SHARE = 0.03  # of the budget, at most
_SHARE_AT_ONCE = 0.001  # of the budget that scoring the slice once may take; it is made smaller
_NUM_READ = 2000  # documents that the slice is drawn from
_ONE_IN, _MAX_DOCS = 20, 64
_MAX_TOKENS = 8192  # scored at once


def draw(source: Source, heldout: HeldOut) -> HeldOut:
    """The slice: of the first documents of a text, those whose hash is lowest.

    The same documents give the same slice. ValueError where there are fewer than two.
    """
    documents, found = source.train(), {}  # by their text as `HeldOut.has` compares it
    for _, document in zip(range(_NUM_READ), documents, strict=False):
        if document.strip() and not heldout.has(document):
            found.setdefault(" ".join(document.split()).casefold(), document)
    documents.close()
    if len(found) < 2:
        raise ValueError(
            "--keep best: it needs two different training documents at least, one to train on and"
            f" one to validate with; here are {len(found)}: use --keep last, or give more"
        )
    size = min(_MAX_DOCS, max(1, len(found) // _ONE_IN))
    return HeldOut(sorted(found.values(), key=_rank)[:size])


def _rank(document: str) -> bytes:
    return hashlib.sha256(b"validation\0" + document.encode("utf-8", "surrogatepass")).digest()


class Without:
    """A source without the documents of a slice; see `speedrun.data.source.Source`."""

    def __init__(self, source: Source, left_out: HeldOut) -> None:
        self._source, self.left_out = source, left_out
        self.name, self.origin = source.name, source.origin
        both = source.train_fingerprint + left_out.fingerprint
        self.train_fingerprint = hashlib.sha256(both.encode()).hexdigest()

    def train(self, state: dict[str, Any] | None = None) -> Documents:
        """Training documents from the start, or from after a saved state."""
        return _Without(self._source.train(state), self.left_out)

    def heldout(self, limit: int | None) -> list[str]:
        """The held-out documents of the source."""
        return self._source.heldout(limit)


class _Without:
    def __init__(self, documents: Documents, left_out: HeldOut) -> None:
        self._documents, self._left_out = documents, left_out
        self.state, self.interrupt = documents.state, documents.interrupt
        self.close = documents.close

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        return next(one for one in self._documents if not self._left_out.has(one))


def rows_of(left_out: HeldOut, tokenizer: Tokenizer, context: int) -> Rows:
    """The slice as rows [rows, context + 1] that tile its tokens; one shorter row of a tiny one."""
    mark = np.array([EOT], dtype=np.int32)
    pieces = [mark]
    for document in left_out.documents:
        pieces += [tokenizer.encode(document).astype(np.int32), mark]
    tokens = np.concatenate(pieces)
    if len(tokens) <= context:
        return tokens[None]
    rows = np.lib.stride_tricks.sliding_window_view(tokens, context + 1)[::context]
    return np.ascontiguousarray(rows[: max(1, _MAX_TOKENS // context)])


class Validation:
    """Validates a training now and then, and keeps the weights that did best."""

    def __init__(self, engine: Engine, rows: Rows, clock: BudgetClock) -> None:
        self._engine, self._rows, self._clock = engine, rows, clock
        self._cost_s = self._spent_s = 0.0  # of one validation, and of all so far
        self._weights: Weights = {}
        self._has_fixed_rows = False  # scores of other rows do not compare
        self._best = (math.inf, 0.0, 0)  # nats, share and step
        self.curve: list[tuple[float, float]] = []  # share, nats

    def warm_up(self) -> None:
        """Time a validation off the clock, and use fewer rows where it takes too long."""
        while True:
            before = self._clock.now()
            self._nats()
            self._engine.weights()
            self._cost_s = self._clock.now() - before
            limit_s = _SHARE_AT_ONCE * self._clock.budget_s
            if self._has_fixed_rows or len(self._rows) == 1 or self._cost_s <= limit_s:
                return
            fitting = int(len(self._rows) * limit_s / self._cost_s)
            self._rows = self._rows[: max(1, min(fitting, len(self._rows) - 1))]

    def reserve_s(self) -> float:
        """Seconds that the validation after the last step takes."""
        return self._cost_s

    def is_due(self) -> bool:
        """Whether one more, and the last one, keep to their share of what is spent."""
        planned_s = self._spent_s + 2 * self._cost_s + self._engine.finalize_s()
        return planned_s <= SHARE * self._clock.spent_s()

    def take(self, num_steps: int) -> None:
        """Score the slice, and keep the weights if it never scored better."""
        before, share = self._clock.now(), self._clock.share()
        nats = self._nats()
        if math.isfinite(nats):
            self.curve.append((share, nats))
        if nats < self._best[0]:
            self._best, self._weights = (nats, share, num_steps), self._engine.weights()
        self._cost_s = max(self._cost_s, took_s := self._clock.now() - before)
        self._spent_s += took_s
        self._clock.excuse()

    def finish(self, num_steps: int) -> None:
        """Score the final weights too, and load the best ones."""
        self.take(num_steps)
        if self._weights and self._best[2] != num_steps:
            self._engine.load(self._weights)
        self._weights = {}

    def state(self) -> tuple[dict[str, Any], Weights]:
        """Numbers and weights that it goes on with."""
        best = [v if math.isfinite(v) else None for v in self._best]
        numbers = {"spent_s": self._spent_s, "best": best, "curve": self.curve}
        return numbers | {"num_rows": len(self._rows)}, self._weights

    def restore(self, state: Mapping[str, Any], weights: Weights) -> None:
        """Go on from a state."""
        self._rows, self._has_fixed_rows = self._rows[: state["num_rows"]], True
        nats, share, step = state["best"]
        self._best = (math.inf if nats is None else nats, share, int(step))
        self._spent_s, self._weights = state["spent_s"], weights
        self.curve = [(share, nats) for share, nats in state["curve"]]

    def facts(self) -> dict[str, Any]:
        """Its part of the record's `train.engine`."""
        nats, share, step = self._best
        return {
            "keep": "best",
            "kept_share": round(share, 4),
            "kept_step": step,
            "kept_nats": nats if math.isfinite(nats) else None,
            "validation_tokens": int(self._rows[:, 1:].size),
            "validation_s": round(self._spent_s, 3),
            "validation_curve": [(round(share, 4), nats) for share, nats in self.curve],
        }

    def _nats(self) -> float:
        return float(self._engine.nll(self._rows, 0).mean())
