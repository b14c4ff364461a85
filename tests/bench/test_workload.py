"""One case, measured for real: rates of training, scoring and sampling."""

from pathlib import Path
from typing import Any

import pytest
from helpers.folders import write_stories

from speedrun.bench.cases import Case
from speedrun.bench.workload import Workload


@pytest.fixture(scope="module")
def stories(tmp_path_factory) -> Path:
    return write_stories(tmp_path_factory.mktemp("bench") / "stories.jsonl")


@pytest.fixture
def workload(stories, tmp_path, fake_time):
    """Counted, in this process; nothing but the test moves its clock."""
    counted = Case(arch="ngram", params=200_000, device="numpy", data=str(stories))
    made: Any = Workload(counted, tmp_path / "tokens", now=fake_time)
    yield made
    made.close()


def test_rates_are_tokens_over_time(workload, fake_time):
    """A step takes 2 s and a wait for rows 1 s of a clock that nothing else moves."""
    made, real = workload, workload._rows

    def rows():
        fake_time.advance(1.0)
        return real()

    made._rows = rows
    made._engine.step = lambda rows, lr_scale: fake_time.advance(2.0)
    assert made.train() == pytest.approx(64 * 256 / 3.0)
    assert made.row()["wait_share"] == pytest.approx(1 / 3)
    num_tokens = sum(1 + len(made._tokenizer.encode(d)) for d in made._docs.documents)
    real_nll, calls = made._engine.nll, []

    def nll(*args):
        calls.append(fake_time.advance(0.5))
        return real_nll(*args)

    made._engine.nll = nll
    assert made.score() == pytest.approx(num_tokens / (0.5 * len(calls)))


def test_a_story_counts_the_tokens_that_were_drawn(workload):
    workload._steps(2)
    drawn: list[int] = []
    real = workload._engine.reader

    def reader() -> Any:
        of_engine = real()
        feed = of_engine.feed
        of_engine.feed = lambda tokens: (drawn.append(1), feed(tokens))[1]
        return of_engine

    workload._engine.reader = reader
    _, num_tokens = workload._tell(0)
    assert 0 <= len(drawn) - num_tokens <= 1  # the last draw may be the story's end
