"""A few processor steps against stored losses: refactoring must not move them.

They may be written anew only where a change of the mathematics is meant; say so in the commit.
"""

import numpy as np
import pytest

from speedrun import discover
from speedrun.config import Recipe

LOSSES = {
    ("default", "muon"): [5.561513, 5.450088, 5.337843, 5.225625],
    ("default", "adamw"): [5.561513, 5.445739, 5.328121, 5.209874],
    ("goedecke", "adamw"): [5.566237, 5.428907, 5.303451, 5.195333],
}


@pytest.mark.parametrize(("recipe", "optimizer"), LOSSES)
def test_losses_of_the_first_steps(recipe, optimizer):
    architecture = discover.architecture("transformer")
    settings = {**architecture.RECIPES[recipe]["model"], "context": 32}
    config = architecture.for_params(60_000, 257, **settings)
    chosen = Recipe(
        optimizer=optimizer, precision="fp32", compile=False, batch_rows=4, lr=2e-3, lr_matrix=0.02
    )
    engine = discover.backend("torch").engine(
        architecture, config, chosen, 0, discover.device("cpu")
    )
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 257, (4, 33), dtype=np.int32)
    losses = []
    for _ in range(4):
        engine.step(rows, 1.0)
        losses.append(engine.train_loss())
    np.testing.assert_allclose(losses, LOSSES[recipe, optimizer], rtol=2e-5)
