"""A few steps and scores of one engine; as a script, on every rank that a launcher started.

Arguments: a file for the findings of rank 0, and the settings of each architecture as JSON.
"""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from speedrun.backends import registry
from speedrun.config import Data
from speedrun.distributed.group import ProcessGroup
from speedrun.evaluation import elbo
from speedrun.evaluation.score import ScoringConfig, document_nats
from speedrun.evaluation.scorer import Scorer, take_weights_of_rank_0
from speedrun.evaluation.windows import windows
from speedrun.models import loader
from speedrun.protocols import EngineSpec
from speedrun.training import distributed
from speedrun.training.request import RunRequest, resolve

NUM_STEPS, VOCAB, STRIDE = 10, 300, 16


def request_of(arch: str, settings: list[str], backend: str = "auto") -> RunRequest:
    return RunRequest(
        arch=arch,
        params="60K",
        backend=backend,
        data=Data(vocab=VOCAB),
        seed=3,
        settings=("model.context=32", "recipe.precision=fp32", "recipe.compile=false", *settings),
    )


def findings(request: RunRequest, group: ProcessGroup) -> dict[str, Any]:
    """Losses of training steps, then nats of documents under weights that are given."""
    architecture = loader.architecture(request.arch)
    run = resolve(architecture, request, VOCAB)
    engine = registry.engine(
        EngineSpec(
            architecture=architecture,
            config=run.model,
            recipe=run.recipe,
            device=registry.device(request.backend, architecture),
            seed=run.seed,
            group=group,
        )
    )
    rng = np.random.default_rng(7)
    losses = []
    for number in range(NUM_STEPS):
        starts = rng.integers(0, VOCAB, (run.recipe.batch_rows, 1))
        rows = ((starts + np.arange(run.model.context + 1)) % VOCAB).astype(np.int32)
        engine.step(rows, 1.0 - number / NUM_STEPS)
        losses.append(engine.train_loss())
    scorer = Scorer(engine, group)
    apart, trained = take_weights_of_rank_0(scorer), engine.weights()
    drawn = architecture.initial(run.model, 11)
    engine.load({name: rng.normal(0, 0.1, array.shape) for name, array in drawn.items()})
    num_docs = 300 if architecture.LIKELIHOOD == "exact" else 12
    lengths = rng.integers(2, 90, num_docs)
    docs = [rng.integers(0, VOCAB, length).astype(np.int32) for length in lengths]
    if architecture.LIKELIHOOD == "exact":
        config = ScoringConfig(context=run.model.context, stride=STRIDE)
        nats = document_nats(scorer, docs, config)
    else:
        todo = windows([len(doc) for doc in docs], run.model.context, STRIDE)
        nats, _ = elbo._replicate(scorer, docs, todo, [0, 0], lambda share: None)
    return {
        "losses": losses,
        "trained": {name: array.tolist() for name, array in trained.items()},
        "nats": nats.tolist(),
        "apart": apart,
        "facts": engine.metadata() | group.metadata(),
    }


def main(out: str, cases: str) -> None:
    requests = [request_of(arch, settings) for arch, settings in json.loads(cases).items()]
    joined, group = distributed.join(requests[0])
    found = {
        request.arch: findings(dataclasses.replace(request, backend=joined.backend), group)
        for request in requests
    }
    if group.rank == 0:
        Path(out).write_text(json.dumps(found))
    group.leave()


if __name__ == "__main__":
    main(*sys.argv[1:])
