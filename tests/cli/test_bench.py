"""`run.py bench` on the command line: mistakes, and a bench that is saved and compared."""

import json
from pathlib import Path

import pytest
from helpers.benches import bench_of, row_of, saved
from helpers.command_line import done_well, refused

from speedrun.bench import result

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ("--repeats 0", "--repeats 0: allowed are 1 to 1000"),
        ("--repeats many", "--repeats"),
        ("--repeats 3 --minutes 1", "contradict"),
        ("--minutes nan", "--minutes nan"),
        ("--arch transfomer", "did you mean transformer"),
        ("--arch lstm,lstm", "give different names"),
        ("--arch lstm,./lstm", "two architectures have the same name"),
        ("--arch ,", "give different names"),
        ("--arch ngram --backend cpu", "no torch_model.py"),
        ("--backend cpx", "unknown device 'cpx'"),
        ("--device cpu,cpu", "--device cpu,cpu"),
        ("--params 2M,2M", "each larger than the one before"),
        ("--params tiny", "size 'tiny'"),
        ("--params 100", "--params"),
        ("--data no/such", "no/such"),
        ("--against no/such.json", "--against no/such.json"),
        ("--save README.md", "the file exists"),
        ("--save no/such/bench.json", "there is no folder no/such"),
    ],
)
def test_a_mistake_is_one_line(args, says, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert says in refused("bench", *args.split())


def test_a_bench_with_nothing_in_common_is_refused_before_anything_is_built(tmp_path):
    path = saved(bench_of(row_of("d3pm")), tmp_path)
    assert "no case in common" in refused("bench", "--arch", "lstm", "--against", path)


@pytest.mark.slow
def test_a_bench_is_saved_and_compared(stories, tmp_path, monkeypatch):
    """Through the command line, each case in a process of its own."""
    monkeypatch.setenv("COLUMNS", "200")
    path = tmp_path / "bench.json"
    request = ("bench", "--arch", "ngram", "--params", "200K", "--data", stories)
    shown = done_well(*request, "--repeats", 3, "--profile", "--save", path)
    assert "ngram 200K numpy" in shown and "counting" in shown
    row = result.load(path).rows[0]
    assert len(row.train) == len(row.score) == len(row.sample) == 3
    assert row.flop is None, "nothing is multiplied"
    assert row.profile is not None
    assert set(row.profile.parts_s) == {"waiting for data", "counting"}
    found = json.loads(done_well(*request, "--repeats", 1, "--against", path, "--json"))
    assert [c["kind"] for c in found["comparison"]["changes"]] == ["train", "score", "sample"]
