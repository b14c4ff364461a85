"""Scores that a model could only give by cheating are refused after scoring."""

import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from helpers import folders, hostile
from helpers.fakes import TableEngine

from speedrun.backends import registry
from speedrun.config import Recipe
from speedrun.evaluation import score as evaluate
from speedrun.evaluation.fairness import UnfairModelError, bound, exact, random_rows, saved
from speedrun.evaluation.fairness.heldout import HeldOutChecks
from speedrun.evaluation.score import Documents, ScoringConfig
from speedrun.evaluation.scorer import Scored
from speedrun.models import loader
from speedrun.protocols import EngineSpec

VOCAB, CONTEXT = 64, 16


def documents(num: int = 120) -> Documents:
    """Documents of even ids, most of them shorter than the context."""
    rng = np.random.default_rng(0)
    tokens = [
        np.r_[0, 2 * rng.integers(1, VOCAB // 2, rng.integers(6, 30)), 0].astype(np.int32)
        for _ in range(num)
    ]
    return Documents(tokens=tokens, num_bytes=np.array([4.0 * len(ids) for ids in tokens]))


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    """Scoring in several calls."""
    monkeypatch.setattr(evaluate, "_BATCH_TOKENS", 32 * CONTEXT)


def scored(folder: str, settings=None, num_steps: int = 2, before=lambda: None):
    """Race-like: check at random, train a little, score, check again; the bits per byte."""
    architecture, device = loader.architecture(folder), registry.device("cpu")
    if "torch" not in architecture.backends():
        device = registry.device("numpy")
    shape = {"context": CONTEXT, **(settings or {})}
    config = architecture.for_params(shape.pop("size", 20_000), VOCAB, **shape)
    recipe = Recipe(compile=False, precision="fp32", batch_rows=64)
    spec = EngineSpec(architecture=architecture, config=config, recipe=recipe, device=device)
    engine = registry.engine(spec)
    rng = np.random.default_rng(1)
    for _ in range(num_steps):
        engine.step(rng.integers(0, VOCAB, (64, config.context + 1), dtype=np.int32), 1.0)
    engine.finalize()
    likelihood = architecture.LIKELIHOOD
    trained, engine = engine, engine.rebuilt()
    checks = HeldOutChecks(engine=engine, architecture=architecture, model=config)
    saved.check_rebuilt(trained, engine, documents().tokens, config.context)
    random_rows.check(engine, VOCAB, config.context, likelihood)
    before()
    stride = max(1, config.context // 2)
    scoring = ScoringConfig(context=config.context, stride=stride, likelihood=likelihood)
    score = evaluate.score(checks.scorer(), documents(), scoring)
    checks.check()
    return score.bits_per_byte


ALIBI = """
        age = torch.arange(T)[:, None] - torch.arange(T)[None]
        x = self.embed(tokens)
        scores = (x @ x.transpose(1, 2)) - 0.1 * age
        x = scores.masked_fill(age < 0, -torch.inf).softmax(-1) @ x
        out = F.linear(x + tokens[..., None] * 0, self.embed.weight)"""
HONEST = {
    "transformer": ("transformer", {"num_common": 8}),
    "transformer of one token": ("transformer", {"num_common": 8, "context": 1}),
    "lstm": ("lstm", {"num_common": 8, "depth": 2, "token_scales": 1}),
    "ngram": ("ngram", {}),
    "d3pm": ("d3pm", {"num_common": 8}),
    "d3pm, uniform": ("d3pm", {"num_common": 8, "transition": "uniform"}),
    "d3pm of one token": ("d3pm", {"num_common": 8, "context": 1}),
    "recent words": (str(folders.PLUGIN), {"size": 21_764}),
    "README's example": (folders.readme_example(), {}),
    "the hostile ones without their trick": ("pass", {}),
    "attention with biases by distance": (ALIBI, {}),
}


@pytest.mark.parametrize("name", HONEST)
def test_honest_models_are_accepted(name, tmp_path):
    folder, settings = HONEST[name]
    if isinstance(folder, dict):
        folder = str(folders.write(tmp_path / "mine", folder))
    elif folder not in loader.architecture_names() and not folder.startswith("/"):
        folder = str(hostile.write_exact(tmp_path / "mine", folder))
    assert 0.5 < scored(folder, settings) < 10


@pytest.mark.parametrize("name", hostile.EXACT)
def test_hostile_exact_models_are_refused(name, tmp_path):
    folder = hostile.write_exact(tmp_path / "mine", hostile.EXACT[name])
    with pytest.raises(UnfairModelError) as caught:
        scored(str(folder), before=lambda: time.sleep(0.6 if "while" in name else 0))
    assert "\n" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("name", hostile.BOUND)
def test_hostile_bounds_are_refused(name, tmp_path):
    folder = hostile.write_bound(tmp_path / "mine", *hostile.BOUND[name])
    with pytest.raises(UnfairModelError) as caught:
        scored(str(folder), {"num_common": 0}, num_steps=80 if "clean" in name else 2)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("of", "check", "name"),
    [
        (exact, "_check_alone", "remembers rows"),
        (exact, "_check_blind", "looks ahead in text"),
        (HeldOutChecks, "_check_weights", "changes its weights while it scores"),
        (bound, "check_alone", "reads the other rows of text"),
        (bound, "check_excess", "weights terms of text less"),
    ],
)
def test_without_any_one_check_a_hostile_model_is_accepted(of, check, name, tmp_path, monkeypatch):
    monkeypatch.setattr(of, check, lambda *args: None)
    folder = tmp_path / "mine"
    if name in hostile.EXACT:
        scored(str(hostile.write_exact(folder, hostile.EXACT[name])))
    else:
        scored(str(hostile.write_bound(folder, *hostile.BOUND[name])), {"num_common": 0})


def test_few_rows_give_as_many_estimates_of_a_bound_as_many(monkeypatch):
    """A tight bound of three estimates lies five standard errors too low once in fifty races."""
    estimates = []
    for name in ("check_alone", "check_given"):
        monkeypatch.setattr(bound, name, lambda *args: None)
    monkeypatch.setattr(bound, "_excess", lambda row, *args: estimates.append(row) or 0.1)
    row = Scored(row=np.arange(3, dtype=np.int32), nats=np.zeros(2), seed=0)
    engine: Any = None
    bound.check([row] * 2, engine, engine, lambda tokens, num_given: np.ones((1, 1)))
    assert len(estimates) == 2 * bound._NUM_CONTEXTS


class OneNegative(TableEngine):
    """An exact engine with a negative score for one token of all."""

    def weights(self):
        return {}

    def rebuilt(self):
        return self

    def nll(self, rows, *rest):
        nats = super().nll(rows, *rest)
        nats[(rows[:, 1] == 40) & (rows[:, 2] == 42)] -= 50.0
        return nats


def test_a_negative_score_of_any_token_is_refused():
    engine = OneNegative(np.random.default_rng(0).normal(size=(VOCAB, VOCAB)))
    architecture: Any = SimpleNamespace(LIKELIHOOD="exact")
    model: Any = SimpleNamespace(vocab=VOCAB)
    docs = documents(800)
    docs.tokens[17][1:3] = 40, 42
    checks = HeldOutChecks(engine=engine, architecture=architecture, model=model)
    evaluate.score(checks.scorer(), docs, ScoringConfig(context=CONTEXT, stride=8))
    with pytest.raises(UnfairModelError, match=r"a held-out token costs -4\d"):
        checks.check()
