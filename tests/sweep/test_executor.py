"""A sweep resumes where it stopped, survives races that fail, and shows its progress."""

import errno
import io
import json
from dataclasses import replace

import pytest
from helpers.sweeps import FakeRace, record
from rich.console import Console

from speedrun.records.schema import load, seal
from speedrun.scaling_laws.laws_file import MANIFEST, read_manifest
from speedrun.sweep import sweep_dir, unscored
from speedrun.sweep.executor import Running, State, run_all
from speedrun.sweep.grid import plan
from speedrun.sweep.live import LiveSweepView, PlainSweepView, outlook

QUIET = PlainSweepView(Console(quiet=True))
FIVE = (20_000, 30_000, 40_000, 60_000, 90_000)


def run(planned, race, **options) -> State:
    return run_all(planned, QUIET, race, **options)


def test_a_stopped_sweep_resumes_and_repeats_nothing(planned):
    first, again, third = FakeRace(planned), FakeRace(planned), FakeRace(planned)
    first.stops_after = 2
    with pytest.raises(KeyboardInterrupt):
        run(planned, first)
    state = run(planned, again)
    assert first.keys + again.keys == [race.key for race in planned.races]
    assert len(state.done) == 6 and not state.left and not state.running
    for number, folder in enumerate(sorted(planned.grid.base.out.glob("run-*"))):
        folder.rename(folder.with_name(f"renamed {number}"))
    run(planned, third)
    assert not third.raced, "runs are known by their records, not by their names"


class Heard(PlainSweepView):
    """A view that keeps its notices."""

    def __init__(self) -> None:
        super().__init__(Console(quiet=True))
        self.notices: list[str] = []

    def notice(self, text: str) -> None:
        self.notices.append(text)


def test_a_race_that_was_trained_is_scored_and_not_raced_again(planned, monkeypatch):
    first, again, heard = (
        FakeRace(planned, status="trained", score=None),
        FakeRace(planned),
        Heard(),
    )
    first.stops_after = 2
    with pytest.raises(KeyboardInterrupt):
        run(planned, first)
    lost = planned.races[1].key

    def score_later(folder, request, callbacks):
        trained = load(folder / "record.json")
        if planned.race_of(trained).key == lost:
            raise ValueError("its data were changed")
        content = trained.content() | {"status": "complete", "score": record(10, 1, 0).score}
        (folder / "record.json").write_text(seal(content).to_json())

    monkeypatch.setattr(unscored, "score_later", score_later)
    state = run_all(planned, heard, again)
    assert len(state.done) == 6 and state.done[first.keys[0]].score == record(10, 1, 0).score
    assert again.keys == [race.key for race in planned.races[1:]]
    assert any("is raced again: its data were changed" in text for text in heard.notices)


def test_a_record_that_is_rejected_is_a_failure_and_raced_again(planned):
    state = run(planned, FakeRace(planned, status="interrupted"))
    assert len(state.failed) == 6 and not state.done
    errors = {failure.error for failure in state.failed.values()}
    assert errors == {"its record was rejected: the run is interrupted"}
    again = FakeRace(planned)
    assert len(run(planned, again).done) == len(again.raced) == 6


def test_a_race_that_fails_is_noted_the_rest_continues_and_it_is_tried_again(planned):
    broken, out = FakeRace(planned), planned.grid.base.out
    broken.fails = {planned.races[1].key}
    state = run(planned, broken)
    assert len(broken.raced) == 6 and len(state.done) == 5
    (failure,) = sweep_dir.failures(out).values()
    assert (failure.key, failure.error) == (planned.races[1].key, "it broke")
    assert failure.exit_code == 1
    again = FakeRace(planned)
    run(planned, again)
    assert again.raced == [planned.races[1]] and not sweep_dir.failures(out)


def test_other_settings_are_refused_and_sizes_may_be_added(planned):
    run(planned, FakeRace(planned))
    grid = planned.grid
    base = replace(grid.base, settings=(*grid.base.settings, "recipe.lr=0.1"), recipe="goedecke")
    with pytest.raises(ValueError, match=r"recipe was default, is goedecke; --set was .*0.1"):
        run(plan(replace(grid, base=base), print), FakeRace(planned))
    more = plan(replace(grid, params=(20_000, 90_000), minutes=(0.02, 0.03)), print)
    race = FakeRace(more)
    run(more, race)
    assert len(race.raced) == 6 and (20_000, 0.02) not in {key[1:3] for key in race.keys}
    assert len(read_manifest(grid.base.out / MANIFEST)["grids"]) == 2


def test_early_stopping_ends_what_cannot_win_and_a_full_sweep_races_it_after_all(planned):
    planned = plan(replace(planned.grid, params=FIVE), print)
    state = run(planned, FakeRace(planned).each_size_worse(), early_stop=True)
    stopped = {key[1]: failure for key, failure in state.stopped.items() if key[3] == 1}
    assert set(stopped) == set(FIVE[1:]) and not state.failed and not state.left
    assert all((failure.stopped_at or 1.0) <= 0.5 for failure in stopped.values())
    assert f"{len(state.stopped)} stopped early" in outlook(state)
    again = FakeRace(planned)
    run(planned, again, early_stop=True)
    assert not again.raced
    run(planned, again)
    assert set(again.keys) == state.stopped.keys()
    assert not sweep_dir.failures(planned.grid.base.out)


def test_the_time_left_is_that_of_the_races_left(planned):
    state, race_s = State(planned, {}), 0.02 * 60 + 25
    assert outlook(state).startswith("0 of 6 done, 6 left, until about ")
    assert state.left_s() == pytest.approx(6 * race_s)
    race = planned.races[0]
    state.running[race.key] = running = Running(race)
    running.since_s -= 10
    assert state.left_s() == pytest.approx(6 * race_s - 10, abs=1)
    state.num_devices = 2
    assert state.left_s() == pytest.approx(3 * race_s - 5, abs=1)


def test_both_views_tell_starts_results_and_failures(planned, capsys):
    race = FakeRace(planned)
    race.fails = {planned.races[0].key}
    # Live draws over itself: what was printed above it is what stays.
    console = Console(force_terminal=True, width=120, record=True, file=io.StringIO())
    with LiveSweepView(console) as view:
        run_all(planned, view, race)
    shown = console.export_text()
    assert "failed (it broke)" in shown and "bits per byte" in shown and "5 of 6 done" in shown
    race = FakeRace(planned)
    run_all(planned, PlainSweepView(Console(width=200)), race)
    before, start, end, after = capsys.readouterr().out.splitlines()
    assert before.startswith("5 of 6 done, 1 left, until about")
    assert start.startswith("racing transformer 20K, 0.02 min, seed 0; 5 of 6 done, 1 left, until")
    assert end.startswith("transformer 20K, 0.02 min, seed 0: ") and end.endswith(" tokens/s")
    assert after == "6 of 6 done"


def test_a_file_system_without_locks_is_no_reason_to_refuse(tmp_path, monkeypatch):
    def no_locks(path):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("speedrun.system.locks.acquire", no_locks)
    with sweep_dir.locked(tmp_path / "new"):
        assert (tmp_path / "new").is_dir()


def test_two_sweeps_do_not_work_in_one_directory(tmp_path):
    with (
        sweep_dir.locked(tmp_path / "new"),
        pytest.raises(ValueError, match="another sweep is running"),
        sweep_dir.locked(tmp_path / "new"),
    ):
        pass
    with sweep_dir.locked(tmp_path / "new"):
        pass
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="cannot write"), sweep_dir.locked(tmp_path / "file"):
        pass


def test_a_directory_of_an_older_version_is_read(tmp_path):
    """A line per event: failed, succeeded since (no error), and one that a crash cut short."""
    line = (
        '{{"arch": "a", "params": 1, "minutes": 1.0, "seed": {}, "exit_code": 1, "error": "{}"}}\n'
    )
    lines = (line.format(0, "broke"), line.format(1, "broke"), line.format(0, ""), '{"arch": "b')
    (tmp_path / sweep_dir.FAILURES).write_text("".join(lines))
    assert list(sweep_dir.failures(tmp_path)) == [("a", 1, 1.0, 1, 0, "")]


def test_a_manifest_that_is_none_is_refused(planned):
    planned.grid.base.out.mkdir()
    (planned.grid.base.out / MANIFEST).write_text("{}")
    with pytest.raises(ValueError, match="is not the manifest of a sweep"):
        run(planned, FakeRace(planned))


def test_a_sweep_goes_on_with_the_code_that_it_began_with(planned):
    first = FakeRace(planned)
    first.stops_after = 2
    with pytest.raises(KeyboardInterrupt):
        run_all(planned, QUIET, first)
    edited = replace(planned, code={"transformer": "e" * 64})
    second = FakeRace(edited)
    with pytest.raises(ValueError, match=r"the code of transformer was .*, is e{12} \(it"):
        run_all(edited, QUIET, second)
    assert not second.raced and len(run_all(planned, QUIET, FakeRace(planned)).done) == 6


def test_another_architecture_may_join_and_unknown_code_may_not(planned):
    run_all(planned, QUIET, FakeRace(planned))
    joined = {**planned.code, "lstm": "1" * 64}
    sweep_dir.save_manifest(planned.out, planned.shared, planned.grid.manifest(), joined)
    manifest = json.loads((planned.out / "sweep.json").read_text())
    assert manifest["code"] == joined
    del manifest["code"]  # as an older version left it
    (planned.out / "sweep.json").write_text(json.dumps(manifest))
    with pytest.raises(ValueError, match="the code of transformer was unknown"):
        run_all(planned, QUIET, FakeRace(planned))


def test_a_race_of_code_that_was_edited_meanwhile_is_a_failure(planned):
    state = run_all(planned, QUIET, FakeRace(planned, source__digest="e" * 64))
    assert not state.done and len(state.failed) == 6
    assert all("code is eeeeeeeeeeee, the sweep's" in one.error for one in state.failed.values())
