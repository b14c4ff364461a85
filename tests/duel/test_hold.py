"""Holding of a duel: order, seeds, disturbed pairs, resuming, and what stops it."""

import json
import math
from dataclasses import replace

import pytest
from helpers.duels import BUSY, FIT, FakeRaces, Seen, contest, planned
from helpers.made_records import put

from speedrun.duel.hold import hold
from speedrun.records.duel import DUEL, Duel, parse_duel
from speedrun.records.files import OWN_RECORDS
from speedrun.records.schema import content_id, load
from speedrun.records.sections import Host


def held(path, races: FakeRaces, duel: Duel | None = None, watcher: Seen | None = None) -> Duel:
    """A duel in a folder, resumed where it was begun."""
    setup = contest(path, races)
    with setup.folder.locked():
        return hold(setup, setup.folder.load() or duel or planned(), watcher or Seen())


def test_sides_take_turns_and_share_seeds_that_nobody_picks(tmp_path):
    races, watcher = FakeRaces(), Seen()
    duel = held(tmp_path, races, planned(4), watcher)
    assert "".join(side for side, _ in races.raced) == "abbaabba"
    seeds = [seed for _, seed in races.raced]
    assert seeds == [s for n in range(4) for s in [duel.seed(n)] * 2]
    assert len(set(seeds)) == 4 and max(seeds) < 1 << 32
    assert parse_duel((tmp_path / DUEL).read_bytes(), "it") == duel == watcher.pairs[-1]
    assert duel.ln_ratios == pytest.approx([math.log(0.74 / 0.75)] * 4)
    assert watcher.states[0].left_s is None and watcher.states[-1].left_s is not None


def test_a_seed_follows_from_sides_plan_and_attempt():
    duel = planned()
    other = duel.a.model_copy(update={"argv": [*duel.a.argv, "--set", "recipe.lr=1"]})
    commit = duel.a.model_copy(update={"commit": "f" * 40})
    plans = [{"a": other}, {"a": commit}, {"planned_pairs": 9}, {"stop": "early"}, {}]
    seeds = {duel.model_copy(update=plan).seed(n) for plan in plans for n in range(3)}
    assert len(seeds) == 15


@pytest.mark.parametrize("which", ["a", "b"])
@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"host": BUSY}, "other processes"),
        ({"clock.suspended_s": 9.0}, "slept"),
        ({"clock.overshoot_s": 9.0}, "past its budget"),
    ],
)
def test_a_disturbed_pair_is_kept_and_raced_again(tmp_path, which, change, why):
    def changes(side, number):
        return change if number in (2, 3) and side == which else {}

    races = FakeRaces(changes=changes)
    duel = held(tmp_path, races)
    assert [pair.index for pair in duel.pairs] == [0, 1, 1, 2]
    assert why in str(duel.pairs[1].disturbed) and len(duel.ln_ratios) == 3
    assert str(duel.pairs[1].disturbed).startswith(f"{which.upper()}: ")
    assert "".join(side for side, _ in races.raced) == "abbabaab"
    assert len({seed for _, seed in races.raced}) == 4


def test_a_host_that_is_never_quiet_leaves_the_duel_open_and_resumes(tmp_path):
    loud = FakeRaces(changes=lambda side, number: {"host": BUSY})
    duel = held(tmp_path, loud)
    assert len(duel.pairs) == 3 and not duel.counted
    assert len(held(tmp_path, FakeRaces()).counted) == 3


@pytest.mark.parametrize("at", range(6))
@pytest.mark.parametrize("how", ["fails_at", "raises_at"])
def test_a_duel_that_stopped_resumes_where_it_was(tmp_path, at, how):
    races = FakeRaces(**{how: at})
    kind, match = (ValueError, "graphics card") if how == "fails_at" else (KeyboardInterrupt, None)
    with pytest.raises(kind, match=match):
        held(tmp_path, races)
    assert len(races.raced) == at
    races.fails_at = races.raises_at = None
    assert held(tmp_path, races) == held(tmp_path, FakeRaces(raises_at=0))
    assert "".join(side for side, _ in races.raced) == "abbaab"
    assert (tmp_path / "failed.txt").exists() == (how == "fails_at")


def test_an_early_stop_races_no_more_than_it_needs(tmp_path):
    def clear(side, number):
        return (0.75 if side == "a" else 0.70) + number / 1e5

    assert len(held(tmp_path / "clear", FakeRaces(scores=clear), planned(8, "early")).pairs) < 8
    assert len(held(tmp_path / "fixed", FakeRaces(scores=clear), planned(8)).pairs) == 8


OTHER = "9" * 64


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"data.train_fingerprint": OTHER}, "data changed between races"),
        ({"data.heldout_fingerprint": OTHER}, "data changed between races"),
        ({"source.digest": OTHER}, "its source is 999999999999"),
        ({"argv": ["--minutes", "5", "--arch", "lstm"]}, "raced with another --"),
        ({"status": "diverged", "score": None, "sample": None}, "is diverged"),
    ],
)
@pytest.mark.parametrize("at", [0, 1, 2, 5])
def test_what_changed_on_the_way_stops_it_and_keeps_finished_pairs(tmp_path, at, change, line):
    is_first_data = at == 0 and "data" in line
    races = FakeRaces(changes=lambda side, number: change if number == at else {})
    with pytest.raises(ValueError, match=line) as stopped:
        held(tmp_path, races)
    assert len(str(stopped.value).splitlines()) == 1
    kept = at // 2 if not is_first_data else 0
    assert (tmp_path / DUEL).exists() == bool(kept)
    if not is_first_data:  # put back, it goes on; what the first race read decides
        assert len(held(tmp_path, FakeRaces()).counted) == 3


def test_a_run_of_another_configuration_than_the_entrys_is_refused(tmp_path):
    setup = contest(tmp_path, FakeRaces())
    setup.sides["a"] = replace(setup.sides["a"], config_key="0" * 16)
    with setup.folder.locked(), pytest.raises(ValueError, match="not those of the entry"):
        hold(setup, planned(), Seen())


def test_a_changed_or_incomplete_folder_is_refused(tmp_path):
    held(tmp_path, FakeRaces())
    text = (tmp_path / DUEL).read_text()
    (tmp_path / DUEL).write_text(text.replace("0.74", "0.73"))
    with pytest.raises(ValueError, match="changed afterwards"):
        held(tmp_path, FakeRaces())
    (tmp_path / DUEL).write_text(text)
    next(tmp_path.glob("run-3-*/record.json")).unlink()
    with pytest.raises(ValueError, match="of a finished pair is gone"):
        held(tmp_path, FakeRaces())


def test_two_commands_do_not_race_one_duel(tmp_path):
    setup = contest(tmp_path, FakeRaces())
    with setup.folder.locked(), pytest.raises(ValueError, match="is being raced already"):
        held(tmp_path, FakeRaces())


def test_a_full_disk_is_one_line(tmp_path, monkeypatch):
    def full(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("speedrun.duel.folder.write_atomic", full)
    with pytest.raises(ValueError, match=r"No space left on device.*finished pairs are kept"):
        held(tmp_path, FakeRaces())


FORGED = {
    "pairs.0.seed": 5,
    "pairs.0.first": "b",
    "pairs.1.index": 0,
    "pairs.1.disturbed": "not this one",
    "planned_pairs": 2,
    "a.source": "c" * 64,
}


@pytest.mark.parametrize("path", FORGED)
def test_a_duel_whose_seeds_order_or_indices_do_not_follow_is_refused(tmp_path, path):
    content = held(tmp_path, FakeRaces()).content()
    put(content, path, FORGED[path])
    content["id"] = content_id(content)
    with pytest.raises(ValueError, match=r"not a duel|pair \d"):
        parse_duel(json.dumps(content).encode(), "it")


@pytest.mark.parametrize(("host", "is_disturbed"), [(BUSY, True), (FIT, False)])
def test_a_record_that_says_nothing_of_its_host_is_judged_by_what_the_duel_measured(
    tmp_path, host, is_disturbed
):
    duel = held(tmp_path, FakeRaces())
    old = next(r for r in map(load, sorted(OWN_RECORDS.glob("*[0-9a-f].json"))) if r.host is None)
    pair = duel.pairs[0].model_copy(update={"b_host": Host.model_validate(host)})
    new = next(load(path) for path in tmp_path.glob("run-0-*/record.json"))
    why = pair.why_disturbed(new, old)
    assert bool(why) == is_disturbed and (why or "B: ").startswith("B: ")
    assert pair.why_disturbed(new, new) is None  # a record's own host goes first
