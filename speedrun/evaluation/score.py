"""Held-out scores: nats, bits per byte, perplexity, and their standard errors.

The harness owns the denominators. Bounds are estimated in `elbo.py`.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speedrun.data.heldout import HeldOut
from speedrun.data.tokenizer import EOT, Tokenizer
from speedrun.evaluation import elbo
from speedrun.evaluation.scorer import ScoreNotFinite, Scorer, ScoringBatch
from speedrun.evaluation.windows import Window, ratio, windows
from speedrun.protocols import Likelihood
from speedrun.records.sections import Score

MAX_NATS = 350.0  # a token; above it the square of a perplexity is no float64
_BATCH_TOKENS = 8192
# Rows are as long as the context, or of a long one a multiple of this: a row's length is no hint
# at where its document ends.
_PAD_TO = 256


@dataclass(frozen=True, kw_only=True)
class Documents:
    """Held-out documents in the tokens of one tokenizer."""

    tokens: Sequence[NDArray[np.int32]]  # each begins and ends with end-of-text
    num_bytes: NDArray[np.float64]  # [documents]: UTF-8 bytes of the raw text


@dataclass(frozen=True, kw_only=True)
class ScoringConfig:
    """Windows and likelihood of a score."""

    context: int
    stride: int
    likelihood: Likelihood = "exact"
    seed: int = 0


def title(likelihood: Likelihood) -> str:
    """The stage of scoring, with the draws that a bound takes."""
    draws = "" if likelihood == "exact" else f", with {elbo.NUM_DRAWS} noise draws each"
    return f"scoring the held-out documents{draws}"


def encode(heldout: HeldOut, tokenizer: Tokenizer) -> Documents:
    """The held-out documents as `score` takes them."""
    num_bytes = [len(document.encode("utf-8")) for document in heldout.documents]
    encoded = (tokenizer.encode(document).astype(np.int32) for document in heldout.documents)
    return Documents(
        tokens=[np.pad(ids, 1, constant_values=EOT) for ids in encoded],
        num_bytes=np.array(num_bytes, dtype=np.float64),
    )


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Nats of every document, and what a score says of a bound beside them."""

    nats: NDArray[np.float64]  # [documents]
    of_a_bound: dict[str, Any]


def score(
    scorer: Scorer,
    documents: Documents,
    config: ScoringConfig,
    watch: Callable[[float], None] = lambda share: None,
) -> Score:
    """Score every document on its own, from end-of-text to end-of-text.

    Every rank of the scorer's group calls this with the same documents, and gets the same score.
    Raises ScoreNotFinite where it cannot be written down.
    """
    return score_of(measure(scorer, documents, config, watch), documents, config)


def measure(
    scorer: Scorer,
    documents: Documents,
    config: ScoringConfig,
    watch: Callable[[float], None] = lambda share: None,
) -> Measured:
    """The nats of each document, of which `score_of` makes a score."""
    docs = documents.tokens
    if config.likelihood == "exact":
        return Measured(nats=document_nats(scorer, docs, config, watch), of_a_bound={})
    todo = windows([len(doc) for doc in docs], config.context, config.stride)
    drawn = elbo.draw(scorer, docs, todo, config.seed, watch)
    lengths = elbo.length_nats(_num_tokens(documents))
    of_a_bound = {
        "num_draws": elbo.NUM_DRAWS,
        "bits_per_byte_mc_se": drawn.mc_se / float(documents.num_bytes.sum()) / math.log(2),
        "length_nats": float(lengths.sum()),
    }
    return Measured(nats=drawn.nats + lengths, of_a_bound=of_a_bound)


def score_of(measured: Measured, documents: Documents, config: ScoringConfig) -> Score:
    """The score that these nats are; raises ScoreNotFinite where it cannot be written down."""
    nats, num_bytes, num_tokens = measured.nats, documents.num_bytes, _num_tokens(documents)
    per_byte, per_byte_se = ratio(nats, num_bytes)
    per_token, per_token_se = ratio(nats, num_tokens)
    if per_token > MAX_NATS:
        raise ScoreNotFinite(f"{per_token:,.4g} nats a token are a perplexity beyond any number")
    perplexity = math.exp(per_token)
    return Score(
        bits_per_byte=per_byte / math.log(2),
        bits_per_byte_se=per_byte_se / math.log(2),
        perplexity=perplexity,
        perplexity_se=perplexity * per_token_se,  # delta method
        nats=float(nats.sum()),
        nats_per_token=per_token,
        likelihood=config.likelihood,
        window=config.context,
        stride=config.stride,
        num_docs=len(documents.tokens),
        num_bytes=int(num_bytes.sum()),
        num_tokens=int(num_tokens.sum()),
        **measured.of_a_bound,
    )


def _num_tokens(documents: Documents) -> NDArray[np.float64]:
    return np.array([len(doc) - 1 for doc in documents.tokens], dtype=np.float64)


def document_nats(
    scorer: Scorer,
    docs: Sequence[NDArray[np.int32]],
    config: ScoringConfig,
    watch: Callable[[float], None] = lambda share: None,
) -> NDArray[np.float64]:
    """Nats of each document, which begins and ends with end-of-text."""
    todo = windows([len(doc) for doc in docs], config.context, config.stride)
    todo.sort(key=lambda w: -_padded(w, config.context))  # longest first: memory shows early
    batches: list[tuple[list[Window], int]] = []  # scored at once, with the length of their rows
    rest = todo
    while rest:
        padded = _padded(rest[0], config.context)
        size = max(1, _BATCH_TOKENS // padded)
        batches.append((rest[:size], padded))
        rest = rest[size:]
    scoring = (_scoring_batch(docs, batch, padded, config.seed) for batch, padded in batches)
    nats, done = np.zeros(len(docs), dtype=np.float64), 0
    for (batch, _), scored in zip(batches, scorer.nll(scoring), strict=True):
        for row_nats, window in zip(scored, batch, strict=True):
            nats[window.doc] += row_nats[window.counted].sum()
        done += len(batch)
        watch(done / len(todo))
    return nats


def _padded(window: Window, context: int) -> int:
    num_targets = window.stop - window.start - 1
    return min(context, math.ceil(num_targets / _PAD_TO) * _PAD_TO)


def _scoring_batch(
    docs: Sequence[NDArray[np.int32]], batch: Sequence[Window], num_targets: int, seed: int
) -> ScoringBatch:
    rows = np.full((len(batch), num_targets + 1), EOT, dtype=np.int32)
    where = np.zeros((len(batch), num_targets), dtype=np.bool_)
    for row, scored, window in zip(rows, where, batch, strict=True):
        row[: window.stop - window.start] = docs[window.doc][window.start : window.stop]
        scored[window.counted] = True
    return ScoringBatch(rows=rows, seed=seed, where=where)
