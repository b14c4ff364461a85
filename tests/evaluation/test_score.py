"""Scores on models whose likelihood is known, and checks on models that break a rule."""

import math

import numpy as np
import pytest
from helpers.fakes import TableEngine, uniform_engine

from speedrun.data import tokenizer
from speedrun.data.heldout import HeldOut
from speedrun.evaluation import score as evaluate
from speedrun.evaluation.score import Documents, ScoringConfig, document_nats
from speedrun.evaluation.scorer import ScoreNotFinite, Scorer
from speedrun.evaluation.windows import ratio, windows

VOCAB = 12


@pytest.mark.parametrize(
    ("context", "stride"), [(1, 1), (4, 1), (4, 3), (4, 4), (8, 1), (8, 3), (8, 4)]
)
def test_windows_score_every_target_once_with_full_context(context, stride):
    lengths = list(range(2, 40))
    scored = {doc: [] for doc in range(len(lengths))}
    for w in windows(lengths, context, stride):
        assert 1 < w.stop - w.start <= context + 1
        first = w.start + w.first
        assert w.start == 0 or w.first >= context - stride
        scored[w.doc] += range(first + 1, w.stop)
    for doc, targets in scored.items():
        assert targets == list(range(1, lengths[doc])), "each target once, in order"


def test_a_uniform_model_has_the_entropy_of_its_vocabulary():
    bpe = tokenizer.shipped()
    heldout = HeldOut(["One day.", "Tom ran — naïve 🐶!", "x" * 500])
    config = ScoringConfig(context=64, stride=32)
    score = evaluate.score(Scorer(uniform_engine(bpe.vocab)), evaluate.encode(heldout, bpe), config)
    num_tokens = sum(len(bpe.encode(d)) + 1 for d in heldout.documents)
    num_bytes = sum(len(d.encode()) for d in heldout.documents)
    assert score.num_tokens == num_tokens and score.num_bytes == num_bytes
    assert score.perplexity == pytest.approx(bpe.vocab)
    assert score.perplexity_se == pytest.approx(0, abs=1e-6)
    expected = num_tokens * math.log2(bpe.vocab) / num_bytes
    assert score.bits_per_byte == pytest.approx(expected, rel=1e-12)


def test_documents_are_scored_alone_whatever_the_batch():
    rng = np.random.default_rng(1)
    docs = [np.r_[0, rng.integers(1, VOCAB, n), 0].astype(np.int32) for n in (1, 3, 30, 7, 50)]
    table = rng.normal(size=(VOCAB, VOCAB))
    engine, config = TableEngine(table), ScoringConfig(context=16, stride=8)
    together = document_nats(Scorer(engine), docs, config)
    alone = [document_nats(Scorer(engine), [doc], config)[0] for doc in docs]
    np.testing.assert_allclose(together, alone, rtol=1e-12)
    # The table sees one token back, so windows change nothing and the sum is known.
    table = engine.table.astype(np.float64)
    logp = table - np.log(np.exp(table).sum(-1, keepdims=True))
    np.testing.assert_allclose(together, [-logp[d[:-1], d[1:]].sum() for d in docs], rtol=1e-6)


@pytest.mark.parametrize(("context", "lengths"), [(1, {2}), (64, {65}), (600, {257, 513, 601})])
def test_the_length_of_a_row_is_no_hint_at_the_end_of_its_document(context, lengths):
    docs = [np.r_[0, np.ones(n - 2), 0].astype(np.int32) for n in range(2, 700, 3)]
    engine = TableEngine(np.zeros((VOCAB, VOCAB)))
    document_nats(Scorer(engine), docs, ScoringConfig(context=context, stride=max(1, context // 2)))
    assert {shape[1] for shape in engine.shapes} == lengths
    # Nor is the order of rows: it is that of the documents.
    few = [docs[60], docs[2], docs[70]]
    config = ScoringConfig(context=256, stride=128)
    seen = []
    engine.nll = lambda rows, *rest: seen.append(rows) or np.zeros((len(rows), 256))
    document_nats(Scorer(engine), few, config)
    assert [int((row != 0).sum()) for row in np.concatenate(seen)] == [180, 6, 210]


@pytest.mark.parametrize("stride", [0, -1, 9])
def test_windows_that_never_end_or_leave_gaps_are_refused(stride):
    with pytest.raises(ValueError, match="must be 1 to"):
        windows([20], 8, stride)


def test_standard_error_matches_resampling():
    rng = np.random.default_rng(0)
    num_bytes = rng.integers(200, 1200, 400).astype(float)
    nats = num_bytes * rng.normal(0.7, 0.1, 400)
    _, se = ratio(nats, num_bytes)
    draws = [rng.integers(0, 400, 400) for _ in range(2000)]
    resampled = np.std([nats[d].sum() / num_bytes[d].sum() for d in draws])
    assert se == pytest.approx(resampled, rel=0.08)


@pytest.mark.parametrize(
    ("logit", "says"),
    [(-np.inf, "scores are not finite"), (-1e4, "nats a token are a perplexity beyond any number")],
)
def test_a_score_that_is_no_number_is_its_own_error(logit, says):
    table = np.zeros((VOCAB, VOCAB))
    table[:, 3] = logit
    documents = Documents(
        tokens=[np.array([0, *[3] * 20, 0], dtype=np.int32)] * 2, num_bytes=np.ones(2) * 20
    )
    config = ScoringConfig(context=16, stride=8)
    with np.errstate(invalid="ignore"), pytest.raises(ScoreNotFinite, match=says):
        evaluate.score(Scorer(TableEngine(table)), documents, config)
