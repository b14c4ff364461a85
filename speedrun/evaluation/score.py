"""Held-out scores: nats, bits per byte, perplexity, and their standard errors.

The harness owns the denominators. Bounds are drawn in `bounds.py`.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speedrun.backends.coordinator import Job, each_nats
from speedrun.data.heldout import HeldOut
from speedrun.data.tokenizer import EOT, Tokenizer
from speedrun.evaluation import elbo
from speedrun.evaluation.windows import Window, ratio, windows
from speedrun.protocols import Engine, Likelihood

_BATCH_TOKENS = 8192
_PAD_TO = 32  # row lengths are rounded up, so that few shapes are met


@dataclass(frozen=True, kw_only=True)
class Score:
    """The score of §2 of the rules, as the record keeps it."""

    bits_per_byte: float
    bits_per_byte_se: float
    perplexity: float
    perplexity_se: float
    nats: float
    nats_per_token: float
    likelihood: Likelihood
    window: int
    stride: int
    num_docs: int
    num_bytes: int
    num_tokens: int
    # Of a bound only: draws for each document, the error they leave, the price of the lengths.
    num_draws: int | None = None
    bits_per_byte_mc_se: float | None = None
    length_nats: float | None = None


def score(
    engine: Engine,
    heldout: HeldOut,
    tokenizer: Tokenizer,
    *,
    context: int,
    stride: int,
    seed: int = 0,
    likelihood: Likelihood = "exact",
    watch: Callable[[float], None] = lambda share: None,
) -> Score:
    """Score every held-out document on its own, from end-of-text to end-of-text."""
    mark = np.array([EOT], dtype=np.int32)
    encoded = (tokenizer.encode(d).astype(np.int32) for d in heldout.documents)
    docs = [np.concatenate((mark, ids, mark)) for ids in encoded]
    num_bytes = np.array([len(d.encode("utf-8")) for d in heldout.documents], dtype=np.float64)
    num_tokens = np.array([len(d) - 1 for d in docs], dtype=np.float64)
    about_bounds: dict[str, Any] = {}
    if likelihood == "exact":
        nats = document_nats(engine, docs, context, stride, seed, watch)
    else:
        todo = windows([len(doc) for doc in docs], context, stride)
        drawn = elbo.draw(engine, docs, todo, num_bytes, seed, watch)
        lengths = elbo.length_nats(num_tokens)
        nats = drawn.nats + lengths
        about_bounds = {
            "num_draws": drawn.num_draws,
            "bits_per_byte_mc_se": drawn.mc_se / float(num_bytes.sum()) / math.log(2),
            "length_nats": float(lengths.sum()),
        }
    per_byte, per_byte_se = ratio(nats, num_bytes)
    per_token, per_token_se = ratio(nats, num_tokens)
    perplexity = _exp(per_token)
    return Score(
        bits_per_byte=per_byte / math.log(2),
        bits_per_byte_se=per_byte_se / math.log(2),
        perplexity=perplexity,
        perplexity_se=perplexity * per_token_se,  # delta method
        nats=float(nats.sum()),
        nats_per_token=per_token,
        likelihood=likelihood,
        window=context,
        stride=stride,
        num_docs=len(docs),
        num_bytes=int(num_bytes.sum()),
        num_tokens=int(num_tokens.sum()),
        **about_bounds,
    )


def document_nats(
    engine: Engine,
    docs: Sequence[NDArray[np.int32]],
    context: int,
    stride: int,
    seed: int,
    watch: Callable[[float], None] = lambda share: None,
) -> NDArray[np.float64]:
    """Nats of each document, which begins and ends with end-of-text."""
    todo = windows([len(doc) for doc in docs], context, stride)
    todo.sort(key=lambda w: (w.start - w.stop, w.doc, w.start))  # longest first: memory shows early
    batches = list(_batches(todo, context))
    jobs = (Job(rows=_rows(docs, batch, context), seed=seed) for batch in batches)
    nats = np.zeros(len(docs), dtype=np.float64)
    done = 0
    for batch, scored in zip(batches, each_nats(engine, jobs), strict=True):
        for row_nats, window in zip(scored, batch, strict=True):
            nats[window.doc] += row_nats[window.first : window.stop - window.start - 1].sum()
        done += len(batch)
        watch(done / len(todo))
    return nats


def _batches(todo: Sequence[Window], context: int) -> Iterator[Sequence[Window]]:
    """Windows that are scored at once, of which the first is longest."""
    done = 0
    while done < len(todo):
        batch = todo[done : done + max(1, _BATCH_TOKENS // _padded(todo[done], context))]
        yield batch
        done += len(batch)


def _padded(longest: Window, context: int) -> int:
    """Length of a row that holds a window's targets, rounded up."""
    num_targets = longest.stop - longest.start - 1
    return min(context, math.ceil(num_targets / _PAD_TO) * _PAD_TO)


def _rows(
    docs: Sequence[NDArray[np.int32]], batch: Sequence[Window], context: int
) -> NDArray[np.int32]:
    rows = np.full((len(batch), _padded(batch[0], context) + 1), EOT, dtype=np.int32)
    for row, window in zip(rows, batch, strict=True):
        row[: window.stop - window.start] = docs[window.doc][window.start : window.stop]
    return rows


def _exp(nats: float) -> float:
    return math.exp(nats) if nats < 700 else math.inf
