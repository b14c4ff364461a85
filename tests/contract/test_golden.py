"""A few processor steps against stored losses: refactoring must not move them.

They may be written anew only where a change of the mathematics is meant; say so in the commit.
"""

import numpy as np
import pytest
from contract.conftest import Pair

from speedrun.backends import registry

LOSSES = {
    ("transformer", "default", "muon"): [5.561513, 5.450088, 5.337843, 5.225625],
    ("transformer", "default", "adamw"): [5.561513, 5.445739, 5.328121, 5.209874],
    ("transformer", "goedecke", "adamw"): [5.566237, 5.428907, 5.303451, 5.195333],
    ("lstm", "default", "muon"): [8.349871, 8.274501, 8.198754, 8.121330],
    ("lstm", "default", "adamw"): [8.349871, 8.274779, 8.199219, 8.121510],
}
# Parts that a model this small would do without.
SETTINGS = {"lstm": {"depth": 2, "token_scales": 1, "num_common": 64}}


@pytest.mark.parametrize(("arch", "recipe", "optimizer"), LOSSES)
def test_losses_of_the_first_steps(arch, recipe, optimizer):
    pair = Pair(arch, registry.device("cpu"))
    fixed = {**pair.architecture.RECIPES[recipe]["model"], "context": 32, **SETTINGS.get(arch, {})}
    config = pair.architecture.for_params(60_000, 257, **fixed)
    engine = pair.engine(config=config, optimizer=optimizer, lr=2e-3, lr_matrix=0.02)
    rows = np.random.default_rng(0).integers(0, 257, (4, 33), dtype=np.int32)
    losses = []
    for _ in range(4):
        engine.step(rows, 1.0)
        losses.append(engine.train_loss())
    np.testing.assert_allclose(losses, LOSSES[arch, recipe, optimizer], rtol=2e-5)
