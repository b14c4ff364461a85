"""The measurements of `run.py bench` as pytest-benchmark tests; its options save and compare.

    pytest tests/benchmarks --benchmark-only
    pytest tests/benchmarks --benchmark-only --benchmark-save before
    pytest tests/benchmarks --benchmark-only --benchmark-compare

Each time is that of one repeat: 8 training steps, 64 documents scored, a story of 200 tokens.
The data is the built-in storybook. `bench` is the better judge of a small change: here one test is
over before the next begins, there all variants are measured in turn.
"""

import statistics
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("pytest_benchmark")

from speedrun.bench.cases import variants
from speedrun.bench.workload import Subject

PARAMS, ROUNDS, NUM_STEPS = "2M", 5, 8
VARIANTS = variants(None, PARAMS, "auto", None)[0]


@pytest.fixture(scope="module", params=VARIANTS, ids=lambda variant: variant.name.replace(" ", "-"))
def subject(request, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    """Built and warm, on data that needs no network."""
    folder = tmp_path_factory.mktemp("bench")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPEEDRUN_CACHE", str(folder / "cache"))
        patch.setenv("HF_HOME", str(folder / "hf"))
        patch.setenv("HF_HUB_OFFLINE", "1")
        made = Subject(request.param, folder / "tokens")
        made.prepare()
        yield made
        made.close()


def measure(benchmark: Any, group: str, repeat: Callable[[], float]) -> None:
    benchmark.group = group
    rates: list[float] = []
    benchmark.pedantic(lambda: rates.append(repeat()), rounds=ROUNDS, iterations=1)
    benchmark.extra_info["tokens_per_s"] = statistics.median(rates)


# Scoring and sampling first: what they take may depend on the weights, which training moves.


def test_scoring(benchmark, subject):
    measure(benchmark, "scoring", subject.score)


def test_sampling(benchmark, subject):
    measure(benchmark, "sampling", subject.sample)


def test_training(benchmark, subject):
    measure(benchmark, "training", lambda: subject.learn(NUM_STEPS))
