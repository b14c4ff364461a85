"""Held-out scores: nats, bits per byte, perplexity, their standard errors, and the checks.

The harness owns the denominators and the normalisation; a model only supplies logits.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speedrun.data.splits import HeldOut
from speedrun.data.tokenizer import EOT, Tokenizer
from speedrun.protocols import Engine, Likelihood

_BATCH_TOKENS = 8192
_PAD_TO = 32  # row lengths are rounded up, so that few shapes are met
# Largest difference in nats that rounding explains, in fp32 over different shapes.
CHECK_TOLERANCE_NATS = 1e-3


class UnfairModel(ValueError):
    """The model failed a check that every record rests on."""


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


@dataclass(frozen=True)
class Window:
    """Part of a document as a row: tokens [start, stop), scored from target `first` on."""

    doc: int
    start: int
    stop: int
    first: int  # index of the first target in the row that is scored


def windows(lengths: Sequence[int], context: int, stride: int) -> list[Window]:
    """Windows that score every target of every document exactly once.

    `lengths` are in tokens with the end-of-text on both sides. The first window of a
    document scores all its targets; a later one only those the one before did not reach.
    """
    out = []
    for doc, length in enumerate(lengths):
        num_targets = length - 1
        scored = 0
        while scored < num_targets:
            start = 0 if scored == 0 else scored - (context - stride)
            stop = min(start + context, num_targets)
            out.append(Window(doc, start, stop + 1, scored - start))
            scored = stop
    return out


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
    nats = document_nats(engine, docs, context, stride, seed, watch)
    num_bytes = np.array([len(d.encode("utf-8")) for d in heldout.documents], dtype=np.float64)
    num_tokens = np.array([len(d) - 1 for d in docs], dtype=np.float64)
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
    nats = np.zeros(len(docs), dtype=np.float64)
    done = 0
    while done < len(todo):
        longest = todo[done].stop - todo[done].start - 1
        length = min(context, math.ceil(longest / _PAD_TO) * _PAD_TO)
        batch = todo[done : done + max(1, _BATCH_TOKENS // length)]
        rows = np.full((len(batch), length + 1), EOT, dtype=np.int32)
        for row, window in zip(rows, batch, strict=True):
            row[: window.stop - window.start] = docs[window.doc][window.start : window.stop]
        scored = engine.nats(rows, seed)
        for row_nats, window in zip(scored, batch, strict=True):
            nats[window.doc] += row_nats[window.first : window.stop - window.start - 1].sum()
        done += len(batch)
        watch(done / len(todo))
    return nats


def ratio(
    numerators: NDArray[np.float64], denominators: NDArray[np.float64]
) -> tuple[float, float]:
    """Ratio of sums and its standard error over documents (linearised; Cochran 1977, §6.3)."""
    n = len(numerators)
    value = numerators.sum() / denominators.sum()
    residuals = numerators - value * denominators
    variance = n / (n - 1) * float(residuals @ residuals)
    return float(value), math.sqrt(variance) / float(denominators.sum())


def _exp(nats: float) -> float:
    return math.exp(nats) if nats < 700 else math.inf


def check(engine: Engine, vocab: int, context: int, seed: int = 0) -> None:
    """Refuse a model that looks ahead, mixes rows or is not normalised: raises UnfairModel.

    The tokens are random and what is changed is always a real input: a test that changes only
    a target cannot fail.
    """
    rng = np.random.default_rng([seed, 0xC4EC])
    rows = rng.integers(0, vocab, (4, context + 1), dtype=np.int32)
    inputs = rows[:, :-1]
    nats, logits = engine.nats(rows, seed), engine.logits(inputs)
    _check_shapes(nats, logits, vocab, context)
    for position in sorted({1, context // 3, context // 2, context - 1} - {0}):
        changed = inputs.copy()
        changed[:, position] = (changed[:, position] + 1 + rng.integers(vocab - 1)) % vocab
        moved = np.abs(engine.logits(changed) - logits)[:, :position].max()
        if moved > CHECK_TOLERANCE_NATS:
            raise UnfairModel(
                f"not causal: changing token {position} moved an earlier prediction by"
                f" {moved:.2g} nats (allowed {CHECK_TOLERANCE_NATS:g})"
            )
    if (moved := np.abs(engine.logits(inputs[:1]) - logits[:1]).max()) > CHECK_TOLERANCE_NATS:
        raise UnfairModel(f"rows of a batch affect each other by {moved:.2g} nats")
    off = np.abs(softmax_nats(logits, rows[:, 1:]) - nats).max()
    if off > CHECK_TOLERANCE_NATS:
        raise UnfairModel(
            f"not normalised: scores differ from the softmax of the logits by {off:.2g} nats"
        )


def _check_shapes(
    nats: NDArray[np.float64], logits: NDArray[np.float32], vocab: int, context: int
) -> None:
    if nats.shape != (4, context) or nats.dtype != np.float64:
        raise UnfairModel(
            f"nats has shape {nats.shape} and type {nats.dtype}, expected (4, {context}) float64"
        )
    if logits.shape != (4, context, vocab):
        raise UnfairModel(
            f"logits has shape {logits.shape}, expected rows x context x vocabulary"
            f" = (4, {context}, {vocab})"
        )
    if not (np.isfinite(nats).all() and np.isfinite(logits).all()):
        raise UnfairModel("the score of random tokens is not finite")


def softmax_nats(
    logits_BTV: NDArray[np.float32], targets_BT: NDArray[np.int32]
) -> NDArray[np.float64]:
    """Nats of the targets under the softmax of the logits, in float64: the harness's own."""
    logits = logits_BTV.astype(np.float64)
    top = logits.max(axis=-1, keepdims=True)
    log_sums = np.log(np.exp(logits - top).sum(axis=-1)) + top[..., 0]
    index = targets_BT[..., None].astype(np.int64)
    return log_sums - np.take_along_axis(logits, index, axis=-1)[..., 0]
