"""Comparison of two sides: settings, curves, significance, time to equal loss."""

import json
from typing import Any

import numpy as np
import pytest
import scipy.stats
from helpers.made_records import BOUND, add, made, older, resealed, write_run

from leaderboard import compare
from leaderboard.compare import Side
from leaderboard.index import Index
from leaderboard.store import Store
from speedrun.records.curves import SMOOTHING, Curve, curve
from speedrun.records.schema import seal


def side(*records) -> Side:
    return Side("a side", records)


def curved(*points: list, seed: int = 0):
    """A record with these (share of the budget, nats)."""
    return made(0.7, seed, {"train.loss_curve": list(points)})


def falling(start: float, end: float):
    """A record whose loss falls by the same amount at every hundredth of the budget."""
    return curved(*([s, start + (end - start) * s] for s in np.linspace(0, 1, 101).tolist()))


def test_settings_that_differ_are_named_and_the_seed_is_not():
    a = made(0.7, 0)
    b = made(0.7, 5, {"config.recipe.lr": 0.01, "config.model.depth": 4, "config.name": None})
    found = compare.compare(side(a), side(b))["settings"]
    assert ("recipe.lr", 0.003, 0.01) in found and len(found) == 3
    assert ("model.depth", "-", 4) in found and ("name", "für", None) in found
    assert compare.compare(side(a), side(made(0.6, 3)))["settings"] == []


def test_a_loss_is_the_mean_of_the_last_twentieth():
    found = curve([curved([0.0, 4.0], [0.04, 2.0], [0.2, 3.0], [0.25, 1.0])])
    assert SMOOTHING == 0.05
    assert found.seconds.tolist() == pytest.approx([0.0, 12.0, 60.0, 75.0])
    assert found.nats.tolist() == pytest.approx([4.0, 3.0, 3.0, 2.0])
    assert found.reached(3.0) == 12.0 and found.reached(1.9) is None
    assert found.at(6.0) == pytest.approx(3.5) and found.at(76.0) is None
    assert Curve(np.array([1.0, 2.0]), np.array([3.0, 2.0])).at(0.5) is None


def test_losses_that_are_missing_are_passed_over():
    record, empty = curved([0.0, 4.0], [0.5, None], [1.0, 2.0]), curved([0.5, None])
    assert curve([record]).nats.tolist() == [4.0, 2.0]
    assert compare.compare(side(record), side(empty))["no_curves"] == "a side has no loss curve"


def test_the_curve_of_an_entry_is_the_mean_of_its_runs():
    runs = [curved([0.0, 4.0 + n], [0.5, 3.0], [1.0, 2.0 + n], seed=n) for n in range(3)]
    assert curve(runs).nats.tolist() == [5.0, 3.0, 3.0]


def test_time_to_equal_loss_is_that_of_straight_lines():
    # A falls from 5 to 3 in 300 s, B from 5 to 1; smoothed over 15 s, a line lags by half of it.
    found = compare.compare(side(falling(5, 3)), side(falling(5, 1)))["time_to_equal_loss"]
    lag = 0.025
    assert found["a_final"] == pytest.approx(3 + 2 * lag)
    assert found["b_final"] == pytest.approx(1 + 4 * lag)
    # B is at 5 - 4 (s - lag) = 3 + 2 lag for s = (2 + 2 lag) / 4, rounded up to a hundredth.
    assert found["b_reached_a_final_s"] == pytest.approx(300 * 0.52)
    assert found["a_reached_b_final_s"] is None


def with_energy(record, watts: float, source: str | None = "rapl"):
    """The record of a race that took so many watts."""
    content = {name: value for name, value in record.content().items() if name != "id"}
    found = {"source": source, "joules": 300 * watts, "mean_watts": watts, "peak_watts": watts}
    content["energy"] |= found if source else dict.fromkeys(found)
    return seal(content)


def test_joules_to_equal_loss_are_power_times_time_where_both_were_measured_alike():
    slow, fast = falling(5, 3), falling(5, 1)
    a, b = side(with_energy(slow, 20.0)), side(with_energy(fast, 40.0))
    found = compare.compare(a, b)
    assert found["a"]["energy"] == {"source": "rapl", "joules": 6000.0, "mean_watts": 20.0}
    assert found["joules_to_equal_loss"] == {
        "a_joules": 6000.0,
        "b_joules": 12_000.0,
        "b_reached_a_final_joules": pytest.approx(40.0 * 300 * 0.52),
        "a_reached_b_final_joules": None,
    }
    # Of two seeds one was not measured; another source; none.
    half = side(with_energy(fast, 40.0), with_energy(falling(5, 1.1), 0.0, None))
    lacking = side(with_energy(fast, 40.0), made(0.9, 1, {"energy.joules": None}))
    for other in (
        half,
        lacking,
        side(with_energy(fast, 9.0, "battery")),
        side(with_energy(fast, 0, None)),
    ):
        assert compare.compare(a, other)["joules_to_equal_loss"] is None
    assert compare.compare(a, half)["b"]["energy"] is None
    assert compare.compare(a, side(made(0.9, 1, BOUND)))["joules_to_equal_loss"] is None


def test_energy_is_shown_beside_the_time(command, tmp_path):
    slow, fast = with_energy(falling(5, 3), 20.0), with_energy(falling(5, 1), 40.0)
    runs = [write_run(tmp_path / name, one) for name, one in (("slow", slow), ("fast", fast))]
    out = command("compare", *runs).out
    assert "6,000 J, 20.0 W (rapl)" in out and "12.0 kJ, 40.0 W (rapl)" in out
    reached = (
        "B reached A's final training loss (3.050) after 156 s and 6,240 J, where A took 6,000 J."
    )
    assert reached in out and "A never reached B's final training loss (1.100)." in out
    assert "Joules to a loss are seconds times the race's mean power." in out
    old = write_run(tmp_path / "old", resealed(older(fast.content(), 4)))
    out = command("compare", runs[0], old).out
    assert "6,000 J, 20.0 W (rapl)" in out and "not available there" in out
    assert "after 156 s." in out and "Joules" not in out


def test_points_are_even_up_to_the_end_of_the_longer_curve():
    short, long = curved([0.0, 5.0], [0.1, 4.0]), curved([0.0, 5.0], [0.8, 3.0])
    points = compare.compare(side(short), side(long))["curves"]
    assert [point["seconds"] for point in points] == pytest.approx([12 * k for k in range(1, 21)])
    assert points[1]["a"] == pytest.approx(4.2) and points[3]["a"] is None
    assert points[-1]["b"] == 3.0


@pytest.mark.parametrize(
    ("changes", "says"),
    [({"tokenizer.fingerprint": "e" * 64}, "tokenizers differ"), (BOUND, "that of a bound")],
)
def test_losses_that_do_not_compare_have_no_curves(changes, says):
    found = compare.compare(side(made()), side(made(0.9, 1, changes)))
    assert found["curves"] is None and found["time_to_equal_loss"] is None
    assert says in found["no_curves"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"budget_s": 60.0, "config.budget_s": 60.0}, "different tracks: "),
        ({"hardware.class": "cuda"}, "hardware_class cpu-x86_64-2c-amx vs cuda"),
        ({"data.train_fingerprint": "e" * 64}, "different tracks: "),
        (BOUND, "one score is exact, the other an upper bound"),
        ({"score.nats": 1.0}, "B would be rejected: nats_per_token is"),
        ({"status": "interrupted"}, "B would be rejected: "),
        ({"data.name": "a local copy"}, None),
        ({"source.digest": "1" * 64}, "different code: aaaaaaaaaaaa vs 111111111111"),
    ],
)
def test_what_keeps_scores_apart_is_said(changes, says):
    caveats = compare.compare(side(made()), side(made(0.7, 1, changes)))["caveats"]
    assert not caveats if says is None else says in "; ".join(caveats)


def test_significance_is_a_two_sided_pooled_t_test_of_logarithms():
    scores = [0.80, 0.82, 0.81], [0.79, 0.80, 0.77, 0.78]
    a, b = (side(*(made(x, n) for n, x in enumerate(values))) for values in scores)
    found = compare.compare(a, b)["score"]
    theirs: Any = scipy.stats.ttest_ind(np.log(scores[1]), np.log(scores[0]))
    assert found["p_value"] == pytest.approx(theirs.pvalue)
    interval = np.expm1(tuple(theirs.confidence_interval(0.95)))
    assert found["interval"] == pytest.approx(tuple(interval))
    assert found["difference"] == pytest.approx(np.mean(scores[1]) - np.mean(scores[0]))
    assert found["test"].endswith("variance pooled")


def test_entries_of_one_track_are_compared_with_the_noise_of_all(command, store):
    """The statistic is the one that the board shows."""
    for lr, base in ((0.02, 0.9), (0.03, 0.95)):
        for seed in range(3):
            add(store, made(base + seed / 1000, seed, {"config.recipe.lr": lr}))
    (track,) = json.loads(command("leaderboard", "--from", store, "--format", "json").out)["tracks"]
    entries = {entry["id"]: entry for entry in track["entries"]}
    (record,) = (id for id, entry in entries.items() if entry["status"] == "record")
    for id in entries.keys() - {record}:
        found = json.loads(command("compare", record, id, "--from", store, "--json").out)["score"]
        assert "moderated over 4 entries" in found["test"]
        p = found["p_value"] / 2
        better = 1 - p if found["difference"] < 0 else p
        assert entries[id]["probability"] == pytest.approx(better, rel=1e-6)


def test_one_run_each_has_no_significance():
    found = compare.compare(side(made(0.8)), side(made(0.7, 1)))["score"]
    assert found["p_value"] is None and found["interval"] is None
    assert found["documents_se"] == pytest.approx(0.001 * 2**0.5)


def test_settings_nest_to_any_depth():
    deep: dict = {"x": 1}
    for _ in range(50):
        deep = {"a": deep}
    assert list(compare.flat({"seed": 1, "empty": {}, **deep})) == ["seed", "empty", "a.a.a.a.a"]


@pytest.fixture
def store(tmp_path):
    folder = tmp_path / "store"
    for seed in range(3):
        add(folder, made(0.7 + seed / 100, seed), name="old way")
        changes = {"config.recipe.lr": 0.01}
        add(folder, made(0.6 + seed / 100, seed, changes), name="new way", author="Ann")
    return folder


def test_entries_and_runs_are_found_by_their_first_digits(command, store, tmp_path):
    tracks = json.loads(command("leaderboard", "--from", store, "--format", "json").out)["tracks"]
    ids = {entry["name"]: entry["id"] for entry in tracks[0]["entries"]}
    done = command("compare", ids["old way"][:8], ids["new way"], "--from", store, "--json")
    found = json.loads(done.out)
    assert (found["a"]["label"], found["b"]["label"]) == ("old way (n = 3)", "new way (n = 3)")
    assert found["score"]["p_value"] < 0.01 and len(found["a"]["ids"]) == 3
    record = made(0.7, 0)
    done = command("compare", record.id[:12], record.id, "--from", store)
    assert done.code == 0 and "The settings are identical" in done.out
    assert "B's bits per byte are the same" in done.out
    run = write_run(tmp_path / "run", made(0.5, 9))
    assert "test needs two seeds" in command("compare", run, record.id, "--from", store).out
    done = command("compare", ids["old way"], ids["new way"], "--from", store)
    for words in ("recipe.lr", "0.1000 lower", "significant: p = ", "two-sided t-test"):
        assert words in done.out
    assert "0.7100 ± 0.0100" in done.out and "B reached A's final training loss" in done.out


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("0000", "no entry or record"),
        *((text, "neither a folder nor an id") for text in ("../../x", "abc", "ABCD", "f" * 65)),
        ("x\x1b[31m\u202e", "neither a folder nor an id"),
    ],
)
def test_what_is_no_id_is_refused(refused, store, text, says, monkeypatch):
    monkeypatch.chdir(store)
    refused(says, "compare", text, text, "--from", store)


def test_digits_that_several_have_are_refused(refused, store, monkeypatch):
    twin = made(0.7, 0).id[:4]
    found = compare.index.read(Store(str(store)), None)
    two = [found.runs[0]._replace(id=twin + "a" * 60), found.runs[1]._replace(id=twin + "b" * 60)]
    monkeypatch.setattr(compare.index, "read", lambda *_: Index(runs=two, data=found.data))
    refused("more than one begins with", "compare", twin, twin, "--from", store)


def test_a_run_without_score_is_refused(refused, tmp_path):
    run = write_run(tmp_path / "run", made(changes={"score": None, "status": "diverged"}))
    refused("no score to compare", "compare", run, run)
    refused("no record.json in it", "compare", tmp_path, tmp_path)
