"""One race in two processes, end to end through torchrun and the real command line."""

import contextlib
import os
import re
import signal
import threading
import time
from pathlib import Path

import psutil
import pytest
from helpers.command_line import FAST, TINY, command, refused, runs, the_error
from helpers.process_groups import (
    ROOT,
    TORCHRUN,
    VARIABLES,
    kill_all,
    launch,
    launched,
    until_logged,
)

from speedrun.records.schema import load
from speedrun.training import distributed

pytest.importorskip("torch")

RUN = [*TORCHRUN, "2", str(ROOT / "run.py")]


@pytest.mark.slow
def test_two_processes_race_and_leave_one_record_a_seed(stories, tmp_path):
    out = tmp_path / "runs"
    arguments = ["--minutes", "0.04", "--seeds", "2", "--data", str(stories), "--out", str(out)]
    code, output, errors = launched([*RUN, *arguments, *TINY, *FAST])
    assert code == 0, errors
    assert [folder.name[-1] for folder in runs(out)] == ["0", "1"]
    for folder in runs(out):
        record = load(folder / "record.json")
        assert record.status == "complete"
        facts = record.train.engine
        assert (facts["world_size"], facts["exchange"], facts["num_threads"]) == (2, "gloo", 1)
        assert facts["weights_apart"] == 0.0
        # Two processes of one processor are that processor's class.
        assert not re.search(r"-x\d+$", record.hardware.hardware_class)
        assert record.train.micro_batch_rows == record.config["recipe"]["batch_rows"] // 2
        assert record.clock.overshoot_s <= 0.05 * record.budget_s
        first, last = record.train.loss_curve[0][1], record.train.loss_curve[-1][1]
        assert first is not None and last is not None and last < first
    # One process speaks.
    assert len(re.findall("^bits per byte", output, re.MULTILINE)) == 2
    assert output.count("mean ± sd") == 1 and "2 processes" in output
    assert "Traceback" not in errors and "error:" not in errors


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["sweep"], "torchrun started 2 processes, and only a race runs in several: start sweep"),
        (["sample", "runs/x"], "start sample without it"),
        (["--params", "auto"], "auto knows one device"),
        (["--backend", "mlx"], "torchrun joins processes of torch only"),
        (["--arch", "ngram"], "has no torch_model.py"),
        (["--set", "recipe.batch_rows=1"], "--set recipe.batch_rows=2"),
    ],
)
def test_what_several_processes_cannot_do_is_one_line(args, says, as_rank):
    as_rank(0)
    assert says in refused(*args)


@pytest.fixture
def as_rank(monkeypatch):
    """`as_rank(1)`: this process is the second of two."""

    def be(rank: int) -> None:
        place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2}
        for name, value in (VARIABLES | place).items():
            monkeypatch.setenv(name, str(value))

    return be


def test_a_mistake_of_all_processes_is_said_once(as_rank):
    """The others wait silently until the launcher, whose rank 0 has ended, asks them to end."""
    as_rank(1)
    over, before = threading.Event(), signal.signal(signal.SIGTERM, lambda *_: None)

    def ask() -> None:
        while not over.wait(0.2):
            os.kill(os.getpid(), signal.SIGTERM)

    since_s = time.monotonic()
    threading.Thread(target=ask).start()
    try:
        assert command("--set", "recipe.batch_rows=9") == (2, "", "")
        assert 0.2 <= time.monotonic() - since_s < distributed._MAX_GRACE_S
    finally:
        over.set()
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def racing(stories: Path, out: Path):
    """A race of two processes whose clock runs: the launcher, and the processes by rank."""
    where = ["--data", str(stories), "--out", str(out)]
    process = launch([*RUN, "--minutes", "5", *where, *TINY, *FAST])
    try:
        until_logged(out, process)
        children = psutil.Process(process.pid).children(recursive=True)
        ranks = {child.environ().get("RANK"): child for child in children}
        yield process, [ranks["0"], ranks["1"]]
    finally:
        kill_all(process)


@pytest.mark.slow
@pytest.mark.parametrize("lost", [0, 1])
def test_a_process_that_dies_ends_the_race_of_all(stories, tmp_path, lost):
    with racing(stories, tmp_path) as (process, ranks):
        ranks[lost].kill()
        _, errors = process.communicate(timeout=90)
        left = ranks[1 - lost]
        assert not left.is_running() or left.status() == psutil.STATUS_ZOMBIE
    assert process.returncode != 0
    assert errors.count("Traceback") == 1, "another one than torchrun's own"
    assert "another process of this race is gone" in the_error(errors)
    assert not list(tmp_path.glob("*/record.json"))
    if lost == 1:
        assert not list(tmp_path.iterdir()), "rank 0 left something behind"


@pytest.mark.slow
def test_a_signal_to_the_launcher_keeps_the_run(stories, tmp_path):
    with racing(stories, tmp_path) as (process, ranks):
        os.kill(process.pid, signal.SIGTERM)
        _, errors = process.communicate(timeout=120)
        assert not any(child.is_running() for child in ranks)
    record = load(runs(tmp_path)[0] / "record.json")
    assert record.status == "interrupted" and record.score is not None, errors
    assert record.train.engine["world_size"] == 2
