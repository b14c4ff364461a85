"""A sweep goes on where it was, survives what a run does, and works alone in its folder."""

import contextlib
import dataclasses
import io
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from helpers.sweeps import FakeRace
from rich.console import Console

from speedrun.cli import app
from speedrun.config import Data
from speedrun.records.schema import load
from speedrun.scaling_laws.laws_file import MANIFEST, read_manifest
from speedrun.sweep import sweep_dir as sweep_folder
from speedrun.sweep.child import curve_so_far, race_alone
from speedrun.sweep.executor import State, UnderWay, run_all
from speedrun.sweep.grid import Grid, Plan, arguments, plan
from speedrun.sweep.live import LiveSweepView, PlainSweepView, outlook

ROOT = Path(__file__).resolve().parents[2]
QUIET = PlainSweepView(Console(quiet=True))
SMALL = ("model.context=32", "recipe.compile=false")


@pytest.fixture
def grid(stories, tmp_path) -> Grid:
    return Grid(
        archs=("transformer",),
        params=(20_000, 40_000, 60_000),
        minutes=(0.02,),
        num_seeds=2,
        backend="cpu",
        data=Data(path=str(stories), vocab=300, eval_docs=20),
        settings=SMALL,
        out=tmp_path / "sweep",
    )


@pytest.fixture
def planned(grid) -> Plan:
    return plan(grid, lambda text: None)


def keys(race: FakeRace) -> list[tuple[int, int]]:
    return [(run.params, run.seed) for run in race.raced]


def test_seeds_are_outermost_and_every_second_goes_backwards(planned):
    order = [(run.params, run.seed) for run in planned.runs]
    assert order == [(20_000, 0), (40_000, 0), (60_000, 0), (60_000, 1), (40_000, 1), (20_000, 1)]


def test_a_stopped_sweep_goes_on_and_repeats_nothing(planned):
    first = FakeRace(planned)
    first.stops_after = 2
    with pytest.raises(KeyboardInterrupt):
        run_all(planned, QUIET, first)
    again = FakeRace(planned)
    state = run_all(planned, QUIET, again)
    assert keys(first) + keys(again) == [(run.params, run.seed) for run in planned.runs]
    assert len(state.done) == 6 and not state.left
    third = FakeRace(planned)
    run_all(planned, QUIET, third)
    assert not third.raced


def test_runs_are_known_by_their_records_not_by_their_names(planned):
    run_all(planned, QUIET, FakeRace(planned))
    for number, folder in enumerate(sorted(planned.grid.out.glob("run-*"))):
        folder.rename(folder.with_name(f"renamed {number}"))
    again = FakeRace(planned)
    run_all(planned, QUIET, again)
    assert not again.raced


@pytest.mark.parametrize(
    "changes",
    [
        {"hardware__class": "cuda-h200"},
        {"data__train_fingerprint": "0" * 64},
        {"data__heldout_fingerprint": "0" * 64},
        {"status": "interrupted"},
        {"clock__suspended_s": 3.0},
    ],
)
def test_a_record_that_does_not_count_is_raced_again(planned, changes):
    """And is a failure of that run until then; the sweep does not go round in circles."""
    state = run_all(planned, QUIET, FakeRace(planned, **changes))
    assert len(state.failed) == 6 and not state.done
    assert all(failure.error.startswith("its record") for failure in state.failed.values())
    again = FakeRace(planned)
    assert len(run_all(planned, QUIET, again).done) == len(again.raced) == 6


def test_a_loss_that_diverged_is_a_result(planned):
    run_all(planned, QUIET, FakeRace(planned, status="diverged", score=None))
    again = FakeRace(planned)
    run_all(planned, QUIET, again)
    assert not again.raced


def test_a_run_that_fails_is_noted_the_rest_goes_on_and_it_is_tried_again(planned):
    broken = FakeRace(planned)
    broken.fails = {planned.runs[1].key}
    state = run_all(planned, QUIET, broken)
    assert len(broken.raced) == 6 and len(state.done) == 5
    (failure,) = sweep_folder.failures(planned.grid.out).values()
    assert (failure.error, failure.exit_code) == ("it broke", 1)
    assert failure.key == planned.runs[1].key
    again = FakeRace(planned)
    run_all(planned, QUIET, again)
    assert again.raced == [planned.runs[1]]
    assert not sweep_folder.failures(planned.grid.out)


def test_a_crash_in_the_middle_of_a_line_is_passed_by(tmp_path):
    sweep_folder.note_failure(
        tmp_path,
        sweep_folder.Failure(
            arch="a", params=1, minutes=1.0, seed=0, exit_code=None, error="it broke"
        ),
    )
    with (tmp_path / sweep_folder.FAILURES).open("a") as file:
        file.write('{"arch": "b", "par')
    assert len(sweep_folder.failures(tmp_path)) == 1


def test_other_settings_are_refused_and_sizes_may_be_added(planned, grid):
    run_all(planned, QUIET, FakeRace(planned))
    other = dataclasses.replace(grid, settings=(*SMALL, "recipe.lr=0.1"), recipe="goedecke")
    with pytest.raises(ValueError, match=r"recipe was default, is goedecke; --set was .*0.1"):
        run_all(plan(other, print), QUIET, FakeRace(planned))
    more = plan(dataclasses.replace(grid, params=(20_000, 90_000), minutes=(0.02, 0.03)), print)
    race = FakeRace(more)
    run_all(more, QUIET, race)
    assert (20_000, 0.02) not in {(run.params, run.minutes) for run in race.raced}
    assert len(race.raced) == 6
    assert len(read_manifest(grid.out / MANIFEST)["grids"]) == 2


def test_a_manifest_that_is_none_is_one_line(planned):
    planned.grid.out.mkdir()
    (planned.grid.out / MANIFEST).write_text("{}")
    with pytest.raises(ValueError, match="not the manifest of a sweep"):
        run_all(planned, QUIET, FakeRace(planned))


def test_two_sweeps_do_not_work_in_one_folder(tmp_path):
    with (
        sweep_folder.locked(tmp_path / "new"),
        pytest.raises(ValueError, match="another sweep is at work"),
        sweep_folder.locked(tmp_path / "new"),
    ):
        pass
    with sweep_folder.locked(tmp_path / "new"):
        pass
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="cannot write"), sweep_folder.locked(tmp_path / "file"):
        pass


def test_a_size_that_cannot_be_is_refused_before_anything_runs(grid):
    with pytest.raises(ValueError, match="too small"):
        plan(dataclasses.replace(grid, params=(1_000, 40_000)), print)
    assert not grid.out.exists()


def test_the_time_left_is_that_of_the_runs_left(planned):
    state = State(planned, {})
    assert outlook(state).startswith("0 of 6 done, 6 left, until about ")
    assert state.left_s() == pytest.approx(6 * (0.02 * 60 + 25))
    state.running[planned.runs[0].key] = UnderWay(planned.runs[0])
    assert state.left_s() == pytest.approx(6 * (0.02 * 60 + 25), abs=1)
    assert len(state.left) == 5


def test_the_live_table_shows_scores_and_what_runs(planned):
    # Live draws over itself: what was printed above it is what stays.
    console = Console(force_terminal=True, width=120, record=True, file=io.StringIO())
    race = FakeRace(planned)
    race.fails = {planned.runs[0].key}
    with LiveSweepView(console) as view:
        run_all(planned, view, race)
    shown = console.export_text()
    assert "failed (it broke)" in shown and "bits per byte" in shown and "5 of 6 done" in shown


def test_a_race_is_told_all_that_was_asked_for(planned, grid):
    words = arguments(planned.runs[0], grid)
    request = ("--backend", "cpu", "--eval-docs", "20", "--data", "model.context=32", "--json")
    for word in (*request, "--tune", "quick"):
        assert word in words


def test_a_race_that_fails_says_why(tmp_path):
    heard: list[str] = []
    words = ["--arch", "transfomer", "--out", str(tmp_path)]
    ended = race_alone(words, tmp_path, heard.append)
    assert ended.exit_code == 2 and "did you mean transformer" in ended.error and heard


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--params", "40K,20K"], "larger than the one before"),
        (["--params", "40K,40K"], "larger than the one before"),
        (["--params", "40K,many"], "give a number"),
        (["--minutes", "2,1"], "larger than the one before"),
        (["--minutes", "0"], "above 0"),
        (["--seeds", "0"], "1 to 100"),
        (["--arch", "transfomer"], "did you mean transformer"),
        (["--arch", "lstm,lstm"], "different architectures"),
        (["--arch", ","], "different architectures"),
        (["--params", "1K,2M"], "ask for"),
        (["--recipe", "defualt"], "did you mean default"),
        (["--backend", "gpu"], "unknown device"),
        (["--set", "recipe.lrr=1"], "did you mean recipe.lr"),
        (["--data", "no/such/place"], "no such file"),
        (["--eval-docs", "some"], "'all'"),
        (["--report", "no/such/folder"], "no such folder"),
        (["--on", "slurm"], "allowed are local and ray"),
        (["--address", "127.0.0.1:6379"], "only with --on ray"),
        (["--report", "."], "no run there counts"),
        (["--report", ".", "--hold-out-minutes", "soon"], "--hold-out-minutes"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_two(args, says, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        app.main(["sweep", *args])
    assert stopped.value.code == 2
    shown = capsys.readouterr().err
    assert shown.startswith("error: ") and shown.count("\n") == 1 and says in shown
    assert not list(tmp_path.rglob("*")), "a mistake must leave nothing behind"


def start(stories: Path, out: Path, cache: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            sys.executable,
            str(ROOT / "run.py"),
            "sweep",
            "--arch",
            "ngram",
            "--params",
            "60K",
            "--minutes",
            "0.5",
            "--seeds",
            "2",
            "--vocab",
            "300",
            "--eval-docs",
            "20",
            "--data",
            str(stories),
            "--out",
            str(out),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "SPEEDRUN_CACHE": str(cache)},
    )


def test_a_sweep_that_is_killed_takes_its_race_along_and_goes_on_later(stories, tmp_path):
    """kill -9 while the second race is under way."""
    out, cache = tmp_path / "sweep", tmp_path / "cache"
    sweep = start(stories, out, cache)
    assert sweep.stdout is not None
    shown = []
    while not any("racing" in line and "seed 1" in line for line in shown):
        shown.append(sweep.stdout.readline())
        assert shown[-1], sweep.stderr and sweep.stderr.read()
    (race,) = psutil.Process(sweep.pid).children()
    sweep.kill()
    sweep.communicate(timeout=30)
    with contextlib.suppress(psutil.NoSuchProcess):
        race.wait(timeout=30)
    assert not race.is_running()
    (first,) = out.glob("*/record.json")
    before = first.read_bytes()
    sweep = start(stories, out, cache)
    output, errors = sweep.communicate(timeout=90)
    assert sweep.returncode == 0, errors
    assert "seed 0:" not in output and "2 of 2 done" in output
    assert first.read_bytes() == before
    assert sorted(load(path).seed for path in out.glob("*/record.json")) == [0, 1]
    assert "1 size(s) scored at this budget, and a fit needs at least 4" in output


def test_racing_stops_what_cannot_win_and_a_full_sweep_races_it_after_all(grid):
    sizes = (20_000, 30_000, 40_000, 60_000, 90_000)
    planned = plan(dataclasses.replace(grid, params=sizes), print)
    race = FakeRace(planned)
    for number, size in enumerate(sizes):  # each a fifth worse than the one before
        race.curves[size] = [(n / 100, 1.2**number * (3 - n / 100)) for n in range(1, 101)]
    state = run_all(planned, QUIET, race, is_racing=True)
    stopped = {key[1]: failure for key, failure in state.stopped.items() if key[3] == 1}
    assert set(stopped) == set(sizes[1:]) and not state.failed and not state.left
    assert all((failure.stopped_at or 1.0) <= 0.5 for failure in stopped.values())
    assert "stopped by racing" in outlook(state)
    again = FakeRace(planned)
    run_all(planned, QUIET, again, is_racing=True)
    assert not again.raced
    run_all(planned, QUIET, again)
    assert len(again.raced) == len(state.stopped)
    assert not sweep_folder.failures(grid.out)


def test_the_curve_of_a_race_under_way_is_read(tmp_path):
    folder = tmp_path / ".x.123.partial"
    folder.mkdir()
    (folder / "log.jsonl").write_text('{"share": 0.1, "loss_nats": 3.0}\n{"share": 0.2, "lo')
    assert curve_so_far(tmp_path, 123) == [(0.1, 3.0)]
    assert curve_so_far(tmp_path, 124) == []


def test_a_race_ends_when_its_starter_lets_go_of_it():
    """As when the sweep dies: the other end of standard input closes."""
    code = (
        "import time; from speedrun import cli; from speedrun.sweep import tether;"
        " cli.main = lambda: (print('racing', flush=True), time.sleep(60)); tether.main()"
    )
    race = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        start_new_session=True,
    )
    assert race.stdin is not None and race.stdout is not None
    assert race.stdout.readline() == "racing\n" and race.poll() is None
    race.stdin.close()
    assert race.wait(timeout=20) == -9
    race.stdout.close()


def test_ctrl_c_ends_the_race_and_leaves_what_is_done(planned):
    """As race_alone does it: the process is killed, and its hidden folder goes."""

    def stop(line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        race_alone(arguments(planned.runs[0], planned.grid), planned.grid.out, stop)
    alive = [p for p in psutil.Process().children() if p.status() != psutil.STATUS_ZOMBIE]
    assert not [p for p in alive if "speedrun.sweep.child_main" in p.cmdline()]
