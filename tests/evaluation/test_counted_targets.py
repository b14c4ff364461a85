"""Scoring computes the targets that count, no others, whatever threads share the rows."""

import itertools

import numpy as np
import pytest
import torch
from helpers.engines import CONTEXT, VOCAB, load_random, random_rows, small_engine

from speedrun.backends.torch import losses, row_threads
from speedrun.evaluation.fairness.common import softmax_nats
from speedrun.evaluation.score import ScoringConfig, document_nats
from speedrun.evaluation.scorer import Scorer
from speedrun.evaluation.windows import windows
from speedrun.models import loader


@pytest.fixture
def two_threads():
    """Two of PyTorch's threads, however many there were."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module", params=["transformer", "lstm"])
def scored_plainly(request):
    """An engine, documents, and what plain passes of it say that they cost."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    engine, docs = small_engine(request.param, model={"num_common": 8}), documents()
    load_random(engine)
    nats = plain_nats(engine, docs)
    torch.set_num_threads(before)
    return engine, docs, nats


def documents(seed: int = 0) -> list[np.ndarray]:
    """Documents of every length up to three contexts and a bit, in random order."""
    rng = np.random.default_rng(seed)
    lengths = rng.permutation(np.arange(0, 3 * CONTEXT + 4, 3))
    return [np.r_[0, rng.integers(1, VOCAB, n), 0].astype(np.int32) for n in lengths]


def plain_nats(engine, docs) -> np.ndarray:
    """Nats of each document from one window after another, without padding, in float64."""
    nats = np.zeros(len(docs))
    for w in windows([len(doc) for doc in docs], CONTEXT, CONTEXT // 2):
        row = docs[w.doc][None, w.start : w.stop]
        nats[w.doc] += softmax_nats(engine.logits(row[:, :-1]), row[:, 1:])[0, w.first :].sum()
    return nats


@pytest.mark.parametrize("rows_per_thread", [None, 1, 5, 1000])
def test_documents_cost_what_plain_passes_say(
    scored_plainly, rows_per_thread, two_threads, monkeypatch
):
    engine, docs, expected = scored_plainly
    monkeypatch.setattr(type(engine.model), "rows_per_thread", rows_per_thread)
    counted, token_nll = [], losses.token_nll

    def counting(values, head, targets):
        counted.append(len(targets))
        return token_nll(values, head, targets)

    monkeypatch.setattr(losses, "token_nll", counting)
    nats = document_nats(Scorer(engine), docs, ScoringConfig(context=CONTEXT, stride=CONTEXT // 2))
    assert sum(counted) == sum(len(doc) - 1 for doc in docs), "each target once"
    assert len(counted) == (1 if rows_per_thread in (None, 1000) else 2), "a call a thread"
    np.testing.assert_allclose(nats, expected, rtol=1e-5)
    assert torch.get_num_threads() == 2


def test_threads_share_rows_evenly_and_the_processor_too(two_threads):
    assert row_threads.shares(7, 2) == [slice(0, 3), slice(3, 7)]
    assert row_threads.shares(2, 2) == [slice(0, 2)]

    def seen(part):
        return part.start, torch.get_num_threads(), torch.is_grad_enabled()

    parts = row_threads.shares(8, 1)
    assert row_threads.run(seen, parts) == [(0, 1, False), (4, 1, False)]
    with pytest.raises(ZeroDivisionError):
        row_threads.run(lambda part: 1 // part.start, parts)
    assert torch.get_num_threads() == 2


def test_a_model_trains_in_its_steps_and_rests_elsewhere(monkeypatch):
    model, modes = loader.architecture("transformer").model("torch"), []
    features = model.features

    def noted(self, *inputs):
        modes.append(self.training)
        return features(self, *inputs)

    monkeypatch.setattr(model, "features", noted)
    engine = small_engine()
    for _ in range(2):
        engine.step(random_rows(), 1.0)
        engine.nll(random_rows(), 0)
        engine.reader().feed(np.ones(2, dtype=np.int32))
    assert [mode for mode, _ in itertools.groupby(modes)] == [True, False, True, False]
