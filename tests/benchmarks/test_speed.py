"""The measurements of `run.py bench` as pytest-benchmark tests; its options save and compare.

    pytest tests/benchmarks --benchmark-only -n 0
    pytest tests/benchmarks --benchmark-only -n 0 --benchmark-save before
    pytest tests/benchmarks --benchmark-only -n 0 --benchmark-compare

Each time is that of one repeat: 8 training steps, 64 documents scored, a story of 200 tokens, on
the built-in storybook. `bench` judges a small change better: it measures all cases in turn.
"""

import statistics

import pytest

from speedrun.bench.cases import cases
from speedrun.bench.workload import Workload

pytest.importorskip("pytest_benchmark")

PARAMS, ROUNDS, NUM_STEPS = "2M", 5, 8
CASES = cases(None, PARAMS, "auto", None)[0]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.name.replace(" ", "-"))
def workload(request, tmp_path_factory):
    """Built and warm, on data that needs no network."""
    folder = tmp_path_factory.mktemp("bench")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPEEDRUN_CACHE", str(folder / "cache"))
        patch.setenv("HF_HUB_OFFLINE", "1")
        made = Workload(request.param, folder / "tokens")
        made.prepare()
        yield made
        made.close()


# Scoring and sampling first: what they take may depend on the weights, which training changes.
@pytest.mark.parametrize("work", ["score", "sample", "train"])
def test_speed(benchmark, workload, work):
    benchmark.group = work
    repeat = {
        "score": workload.score,
        "sample": workload.sample,
        "train": lambda: workload.learn(NUM_STEPS),
    }[work]
    rates: list[float] = []
    benchmark.pedantic(lambda: rates.append(repeat()), rounds=ROUNDS, iterations=1)
    benchmark.extra_info["tokens_per_s"] = statistics.median(rates)
