"""Seconds that a race spends on being trusted, measured on a finished run, as a table.

    python tests/benchmarks/integrity_numbers.py RUN [--data PATH] [--docs 200]

Hashes cost what hashing as many tokens costs; they are made beside the training.
"""

import argparse
import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from common import heading, line

from speedrun.backends import registry
from speedrun.config import Data
from speedrun.data import heldout
from speedrun.data.tokenizer import expect_round_trips
from speedrun.evaluation import score as evaluate
from speedrun.evaluation.fairness import random_rows
from speedrun.models.code import code_digest
from speedrun.training.runs import restore


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--data", help="of the run, where it has moved")
    parser.add_argument("--docs", type=int, default=200, help="held-out documents to score")
    given = parser.parse_args()
    found = restore.load_run(given.run, "auto")
    architecture: Any = found.architecture
    record, model, likelihood = found.record, found.model, architecture.LIKELIHOOD
    source = restore.open_data(record, given.run, Data(path=given.data), print)
    pinned, checks = heldout.pin(source, 2000), found.checks()
    some = heldout.pin(source, given.docs)
    config = evaluate.ScoringConfig(
        context=model.context, stride=model.context // 2 or 1, likelihood=likelihood
    )
    evaluate.score(checks.scorer(), evaluate.encode(some, found.tokenizer), config)
    rate = registry.backend(found.device.backend).sustained_gflops(found.device)
    tokens = np.zeros(record.train.num_tokens, dtype="<u2").tobytes()
    parts: dict[str, Callable[[], Any]] = {
        "checks on random ids": lambda: random_rows.check(
            found.engine, model.vocab, model.context, likelihood
        ),
        "checks on held-out rows": checks.check,
        "round trip of 2,000 documents": lambda: expect_round_trips(found.tokenizer, pinned),
        "host gate, two rates": lambda: (rate(), rate()),
        "digest of the source": lambda: code_digest(architecture),
        "hash of the tokens": lambda: hashlib.sha256(tokens).hexdigest(),
    }
    clock = record.clock.model_dump()
    total_s = sum(s for name, s in clock.items() if name not in ("overshoot_s", "suspended_s"))
    heading("part", "s", "of the race")
    spent_s = 0.0
    for name, part in parts.items():
        began_s = time.perf_counter()
        part()
        took_s = time.perf_counter() - began_s
        spent_s += took_s
        line(name, f"{took_s:.3f}", f"{took_s / total_s:.2%}")
    line(f"all, of {total_s:.0f} s", f"{spent_s:.3f}", f"{spent_s / total_s:.2%}")


if __name__ == "__main__":
    main()
