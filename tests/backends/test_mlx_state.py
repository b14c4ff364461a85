"""State that a model in MLX keeps outside its weights is found; what is random is repeatable."""

import numpy as np
import pytest
from helpers.engines import CONTEXT, VOCAB, folder_engine
from helpers.stateful import Parts

mx = pytest.importorskip("mlx.core")

from speedrun.evaluation.fairness import saved  # noqa: E402
from speedrun.protocols import UnfairModelError  # noqa: E402

pytestmark = pytest.mark.mlx
ROWS = np.random.default_rng(0).integers(0, VOCAB, (4, CONTEXT + 1), dtype=np.int32)
MODEL = """
import mlx.core as mx
import mlx.nn as nn

MEMORY = []

class Model(nn.Module):
    seen = []

    def __init__(self, config):
        super().__init__()
        self.embed = nn.Embedding(config.vocab, config.width)
        self._counts = mx.zeros((config.vocab, config.vocab))
        self.drop = nn.Dropout(0.2)

    def logits(self, tokens_BT):
        x_BTD = {features}
        if self.training:
            {learn}
        return x_BTD @ self.embed.weight.T{plus}
"""
PAIRS = "self._counts = self._counts.at[tokens_BT[:, :-1], tokens_BT[:, 1:]].add(1.0)"
DISHONEST = {
    "a private array": {"learn": PAIRS, "plus": " + 3 * mx.log1p(self._counts[tokens_BT])"},
    "the class": {"learn": "Model.seen.append(1)", "plus": " * (1 + len(Model.seen))"},
    "a global": {"learn": "MEMORY.append(1)", "plus": " * (1 + len(MEMORY))"},
}
HONEST = {
    "nothing": {},
    "dropout": {"features": "self.drop(self.embed(tokens_BT))"},
    "noise in training": {"learn": "x_BTD = x_BTD + 0.1 * mx.random.normal(x_BTD.shape)"},
}


@pytest.fixture
def engine_of(tmp_path):
    """`engine_of(parts)` is an engine of an architecture in a folder of its own."""

    def made(parts):
        folder = tmp_path / "model"
        if not folder.exists():
            whole = {"features": "self.embed(tokens_BT)", "learn": "pass", "plus": ""} | parts
            Parts().write(folder)
            (folder / "mlx_model.py").write_text(MODEL.format(**whole))
        return folder_engine(folder, "mlx")

    return made


def trained(engine):
    for _ in range(4):
        engine.step(ROWS, 1.0)
    engine.sync()
    return engine


@pytest.mark.parametrize("name", DISHONEST)
def test_what_is_learned_and_not_saved_is_refused(name, engine_of):
    engine = trained(engine_of(DISHONEST[name]))
    with pytest.raises(UnfairModelError, match=r"not the model that is saved"):
        saved.check_rebuilt(engine, engine.rebuilt(), list(ROWS), CONTEXT)


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_model_is_scored_as_it_trained_and_trains_alike_after_a_reset(name, engine_of):
    engine = trained(engine_of(HONEST[name]))
    rebuilt = engine.rebuilt()
    saved.check_rebuilt(engine, rebuilt, list(ROWS), CONTEXT)
    np.testing.assert_array_equal(rebuilt.nll(ROWS, 0), rebuilt.nll(ROWS, 0))
    loss = engine.train_loss()
    mx.random.normal((3,))
    engine.reset()
    assert trained(engine).train_loss() == loss == trained(engine_of(HONEST[name])).train_loss()
