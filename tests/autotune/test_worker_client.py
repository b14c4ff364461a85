"""The probe's child process: heard, ended when it hangs, outlived when it crashes."""

import math
import time
from pathlib import Path

import psutil
import pytest
from helpers import fake_worker

from speedrun.autotune.worker_client import Failed, ProcessBench, TimedOut
from speedrun.protocols import ExecutionConfig

TESTS = Path(__file__).resolve().parent.parent


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    made = ProcessBench(fake_worker.subject(), [str(TESTS / "helpers" / "fake_worker.py")])
    made.start(60)
    yield made
    made.close()


def built(bench, what: int = 1, limit_s: float = 30.0, **changes):
    settings = ExecutionConfig(num_threads=what, micro_batch_rows=changes.pop("rows", 4))
    return bench.build("a", settings, limit_s=limit_s, **changes)


def test_first_steps_and_times_come_back(bench):
    answer = built(bench)
    assert list(answer.losses) == [7.0, 6.0, 5.0, 4.0] and not answer.is_slow
    assert len(answer.times_s) == 4 and min(answer.times_s) >= fake_worker.STEP_S
    assert bench.time("a", 5, limit_s=30) >= fake_worker.STEP_S


def test_one_far_too_slow_is_given_up_at_once(bench):
    assert len(built(bench, first_limit_s=1e-4).losses) == 1
    assert len(built(bench, step_limit_s=1e-4).losses) == 3
    with pytest.raises(Failed, match="KeyError"):
        bench.time("a", 1, limit_s=30)


@pytest.mark.parametrize(
    ("what", "says"),
    [
        (fake_worker.CRASH, "killed by SIGSEGV"),
        (fake_worker.MEMORY, "OutOfMemory: no room"),
        (fake_worker.FAIL, "RuntimeError: no kernel for it"),
    ],
)
def test_what_goes_wrong_is_said_in_a_line_and_the_bench_works_on(bench, what, says):
    with pytest.raises(Failed) as failed:
        built(bench, what)
    assert str(failed.value) == says
    assert bench.is_up is (what != fake_worker.CRASH)
    if not bench.is_up:
        bench.start(60)
    assert len(built(bench).losses) == 4


def test_one_that_hangs_is_killed_in_time(bench):
    before_s = time.monotonic()
    process = psutil.Process(bench._process.pid)
    with pytest.raises(TimedOut, match=r"did not end within 0\.5 s"):
        built(bench, fake_worker.HANG, limit_s=0.5)
    assert time.monotonic() - before_s < 5
    assert not bench.is_up and not process.is_running()


def test_plain_settings_may_take_smaller_pieces(bench):
    answer = built(bench, fake_worker.MEMORY, may_shrink=True)
    assert answer.facts["micro_batch_rows"] == 2


def test_what_engines_print_is_no_answer(bench):
    assert len(built(bench, fake_worker.TALK).losses) == 4


def test_a_loss_that_is_no_number_comes_back_as_such(bench):
    assert all(math.isnan(loss) for loss in built(bench, fake_worker.NAN).losses)


def test_a_process_that_cannot_start_says_why(tmp_path):
    path = tmp_path / "broken.py"
    path.write_text("raise SystemExit('error: no such thing')")
    bench = ProcessBench({}, [str(path)])
    with pytest.raises(Failed, match="no such thing"):
        bench.start(60)
    assert not bench.is_up


def test_it_ends_when_the_race_is_gone(bench):
    """Even in the middle of a step: the other end of standard input closes."""
    process = bench._process
    process.stdin.write('{"do": "build", "name": "a", "settings": {"num_threads": 12},')
    process.stdin.write(' "may_shrink": false, "first_limit_s": null, "step_limit_s": null}\n')
    process.stdin.flush()
    time.sleep(0.3)
    assert process.poll() is None
    process.stdin.close()
    assert process.wait(timeout=20) == -9
