"""Second held-out set: the documents after the scored ones, which no race ever scores.

A model that was fitted to the public documents, by training on them or by choosing among many runs,
scores them better than others of their kind. The comparison is over documents: both sets are draws
from one validation split, so their scores differ by the choice of documents, and a t-test says
whether by more than that. Sets also differ in how rare their words are, which has nothing to do
with the model; a regression on the nats of a unigram model of the tokens takes that out.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from leaderboard.attestations import SecondHeldOut
from leaderboard.checks.notes import SECOND_SIGNIFICANCE
from speedrun.data.heldout import HeldOut
from speedrun.data.source import Source
from speedrun.evaluation.score import Documents, Measured
from speedrun.protocols import Likelihood

MAX_DOCS = {"exact": 2000, "bound": 200}  # a bound is drawn many times
MIN_DOCS = 8


def documents_after(source: Source, first: HeldOut, likelihood: Likelihood) -> HeldOut | None:
    """The documents after the scored ones, none of them equal to one; None for too few."""
    num_scored = len(first.documents)
    num_wanted = min(num_scored, MAX_DOCS[likelihood])
    later = source.heldout(num_scored + num_wanted)[num_scored:]
    later = [text for text in later if text.strip() and not first.has(text)]
    return HeldOut(later) if len(later) >= MIN_DOCS else None


def compare(first: tuple[Documents, Measured], second: tuple[Documents, Measured]) -> SecondHeldOut:
    """Difference of the score on the second set from that on the first, and its p-value.

    Least squares of a document's nats on its bytes, on its unigram nats and, in the second set, on
    its bytes again, whose factor is the difference. Documents are weighted by the inverse of their
    length; the standard error is robust where that is not their variance (HC1, White 1980).
    """
    nats = np.concatenate([measured.nats for _, measured in (first, second)])
    num_bytes = np.concatenate([documents.num_bytes for documents, _ in (first, second)])
    num_first = len(first[1].nats)
    in_second = np.arange(len(nats)) >= num_first
    unigram = _unigram_nats([*first[0].tokens, *second[0].tokens])
    columns = np.column_stack([num_bytes * in_second, num_bytes, unigram])
    weights = 1 / np.sqrt(num_bytes)  # the variance of a document grows with its length
    factors, se = _least_squares(columns * weights[:, None], nats * weights)
    bits = [float(nats[part].sum() / num_bytes[part].sum()) for part in (in_second, ~in_second)]
    statistic = abs(factors) / max(se, 1e-300)
    p_value = float(2 * stats.t.sf(statistic, len(nats) - columns.shape[1]))
    return SecondHeldOut(
        num_docs=len(nats) - num_first,
        bits_per_byte=bits[0] / math.log(2),
        difference=(bits[0] - bits[1]) / math.log(2),
        adjusted=factors / math.log(2),
        adjusted_se=se / math.log(2),
        p_value=p_value,
        is_explained=p_value >= SECOND_SIGNIFICANCE,
    )


def _least_squares(columns: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """Factor of the first column, and its robust standard error."""
    inverse = np.linalg.pinv(columns.T @ columns)
    factors = inverse @ columns.T @ y
    scores = columns * (y - columns @ factors)[:, None]
    covariance = inverse @ (scores.T @ scores) @ inverse * len(y) / (len(y) - len(factors))
    return float(factors[0]), math.sqrt(max(0.0, float(covariance[0, 0])))


def _unigram_nats(tokens: list[NDArray[np.int32]]) -> NDArray[np.float64]:
    """Nats of each document by the frequencies of tokens in all of them, the first token given."""
    counts = np.bincount(np.concatenate(tokens))
    nats = -np.log(np.maximum(counts, 1) / counts.sum())
    return np.array([nats[document[1:]].sum() for document in tokens])
