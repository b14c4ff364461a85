"""A few steps and scores of one engine; as a script, those of a team that a launcher started.

Arguments: a file for rank 0's findings, an architecture, settings.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from speedrun.backends import registry
from speedrun.backends.coordinator import share_weights
from speedrun.config import Data
from speedrun.evaluation import elbo
from speedrun.evaluation.score import document_nats
from speedrun.evaluation.windows import windows
from speedrun.models import loader
from speedrun.protocols import Architecture, Engine, EngineSpec
from speedrun.training import distributed
from speedrun.training.request import RunRequest, resolve

NUM_STEPS, VOCAB, STRIDE = 10, 300, 16


def asked_for(arch: str, settings: list[str], backend: str = "auto") -> RunRequest:
    return RunRequest(
        arch=arch,
        params="60K",
        backend=backend,
        data=Data(vocab=VOCAB),
        seed=3,
        settings=("model.context=32", "recipe.precision=fp32", "recipe.compile=false", *settings),
    )


def found_by(engine: Engine, architecture: Architecture, request: RunRequest) -> dict[str, Any]:
    """Losses of training steps, then nats of documents under weights that are given."""
    run = resolve(architecture, request, VOCAB)
    rng = np.random.default_rng(7)
    losses = []
    for number in range(NUM_STEPS):
        starts = rng.integers(0, VOCAB, (run.recipe.batch_rows, 1))
        rows = ((starts + np.arange(run.model.context + 1)) % VOCAB).astype(np.int32)
        engine.step(rows, 1.0 - number / NUM_STEPS)
        losses.append(engine.train_loss())
    share_weights(engine)
    trained, apart = engine.weights(), engine.metadata().get("weights_apart")
    drawn = architecture.initial(run.model, 11)
    engine.load({name: rng.normal(0, 0.1, array.shape) for name, array in drawn.items()})
    share_weights(engine)
    num_docs = 500 if architecture.LIKELIHOOD == "exact" else 40
    lengths = rng.integers(2, 90, num_docs)
    docs = [rng.integers(0, VOCAB, length).astype(np.int32) for length in lengths]
    if architecture.LIKELIHOOD == "exact":
        nats = document_nats(engine, docs, run.model.context, STRIDE, 0)
    else:
        todo = windows([len(doc) for doc in docs], run.model.context, STRIDE)
        nats = elbo._replicate(engine, docs, todo, [0, 0], lambda share: None)
    return {
        "losses": losses,
        "trained": {name: array.tolist() for name, array in trained.items()},
        "nats": nats.tolist(),
        "apart": apart,
        "facts": engine.metadata(),
        "peak_bytes": engine.peak_bytes(),
    }


def alone(arch: str, settings: list[str], backend: str) -> dict[str, Any]:
    """What one process finds."""
    request = asked_for(arch, settings, backend)
    architecture = loader.architecture(arch)
    device = registry.device(backend, architecture)
    run = resolve(architecture, request, VOCAB)
    made = registry.engine(
        EngineSpec(
            architecture=architecture,
            config=run.model,
            recipe=run.recipe,
            device=device,
            seed=run.seed,
        )
    )
    return found_by(made, architecture, request)


def main(out: str, arch: str, *settings: str) -> None:
    request, group = distributed.joined(asked_for(arch, list(settings)))
    if group.rank > 0:
        distributed.follow_and_exit(request, group)
    architecture = loader.architecture(arch)
    device = registry.device(request.backend, architecture)
    with distributed.leading(group):
        run = resolve(architecture, request, VOCAB)
        own = registry.engine(
            EngineSpec(
                architecture=architecture,
                config=run.model,
                recipe=run.recipe,
                device=device,
                seed=run.seed,
                group=group,
            )
        )
        engine = distributed.assembled(own, group, run)
        Path(out).write_text(json.dumps(found_by(engine, architecture, request)))


if __name__ == "__main__":
    main(*sys.argv[1:])
