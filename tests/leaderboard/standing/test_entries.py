"""Entries: what is one, which of its runs count, and what verifications are worth."""

from typing import Any

import pytest
from helpers.made_records import submission, verification
from helpers.made_summaries import named, only, runs

from leaderboard.render import columns
from speedrun.records.statistics import Spread

OLD = runs(0.80, 0.81, 0.82)


def test_runs_of_one_config_form_an_entry():
    (entry,) = only(OLD).entries
    assert entry.bits_per_byte == pytest.approx(Spread(0.81, 0.01, 3))
    assert [run.seed for run in entry.runs] == [0, 1, 2] and entry.num_extra == 0
    assert entry.label == "transformer, default" and len(entry.id) == 12


@pytest.mark.parametrize("name", ["fast", None])
@pytest.mark.parametrize("author", ["Ben", None, "ann"])
def test_slow_runs_of_another_author_move_no_entry(name, author):
    """Three slow runs of a rival's config, under the rival's name (integrity 8)."""
    slow = runs(0.90, 0.91, 0.92, day=9)
    notes = named(name, OLD, "Ann") | named(name, slow, author)
    own, theirs = only(OLD + slow, submissions=notes).entries
    assert own.author == "Ann" and own.status == "record"
    assert own.bits_per_byte == pytest.approx(Spread(0.81, 0.01, 3)) and len(own.runs) == 3
    assert (theirs.status, theirs.why) == ("replication", f"of {own.id[:8]}")


def test_slow_runs_under_the_authors_own_name_are_extra():
    slow = runs(0.90, 0.91, 0.92, day=9)
    early = [run._replace(created="2025-02-01T00:00:00+00:00") for run in slow]
    for late in (slow, early):  # an early date of a late submission gains nothing
        notes = named("x", OLD, "Ann") | named("x", late, "Ann")
        for run in late:
            notes[run.id] = notes[run.id].model_copy(update={"submitted": "2026-02-01T00:00+00:00"})
        (entry,) = only(OLD + late, submissions=notes).entries
        assert entry.bits_per_byte == pytest.approx(Spread(0.81, 0.01, 3))
        assert (entry.num_extra, columns.num_runs(entry)) == (3, "3 (3 extra)")


@pytest.mark.parametrize(
    ("seeds", "counted", "basis"),
    [
        ((0, 1, 2, 3), 4, "seeds"),
        ((0, 1, 2, 4, 5), 3, "seeds"),  # seed 3 is missing: somebody may have left it out
        ((0, 1, 3, 4), 2, "seeds"),
        ((1, 2, 3), 0, "none"),
        ((17, 4711, 99999), 0, "none"),
    ],
)
def test_seeds_count_from_0_without_gaps(seeds, counted, basis):
    found = [run for seed in seeds for run in runs(0.7 + seed / 1e6, first_seed=seed)]
    (entry,) = only(found).entries
    assert (entry.bits_per_byte.n, entry.basis, len(entry.runs)) == (counted, basis, len(seeds))
    assert (entry.status == "record") == (counted >= 3)


def test_an_entry_of_which_no_run_counts_stands_behind_all_others():
    found = [*OLD, *runs(0.1, 0.11, 0.12, first_seed=5, config__recipe__lr=0.5)]
    first, last = only(found).entries
    assert first.bits_per_byte.n == 3 and last.bits_per_byte.n == 0
    assert last.probability is None and last.why == "0 of 3 seeds, needs a duel"


def test_a_seed_that_is_run_again_counts_once_and_equal_weights_do():
    better = runs(0.10, day=5)
    assert only(OLD + better).entries[0].bits_per_byte.mean == pytest.approx(0.81)
    same = [run._replace(weights_sha256=OLD[0].weights_sha256) for run in OLD]
    assert only(same).entries[0].bits_per_byte.n == 1


def test_a_name_splits_entries():
    notes = named("more heads", OLD[:2], "Ann") | named(None, OLD[2:], "Ben")
    found = {(e.name, len(e.runs), e.author) for e in only(OLD, submissions=notes).entries}
    assert found == {("more heads", 2, "Ann"), (None, 1, "Ben")}


@pytest.mark.parametrize(
    ("path", "value"),
    [("config.recipe.lr", 0.1), ("arch", "lstm"), ("device", "cuda"), ("code.dirty", True)],
)
def test_what_is_different_is_another_entry(path, value):
    assert len(only([*OLD, *runs(0.8, first_seed=4, **{path: value})]).entries) == 2


def test_another_source_is_another_entry_and_no_replication():
    """Code that was exchanged under a name keeps nobody else's company (integrity 1)."""
    swapped = [run._replace(source="e" * 64) for run in runs(0.1, 0.11, 0.12, day=3)]
    first, second = only(OLD + swapped).entries
    assert (first.status, second.status) == ("unconfirmed", "record")
    assert first.base != second.base


ELSEWHERE = {"hardware_class": "another-machine"}


@pytest.mark.parametrize(
    ("parts", "by", "mark"),
    [
        ([], "Ben", ""),
        ([{"rescored": {}}], "Ben", "rescored"),
        ([{"rescored": {}}, {"rerun": {}}], "Ben", "rerun"),
        ([{"rescored": {}, "rerun": ELSEWHERE}], "Ben", "rescored"),  # which confirms nothing
        ([{"rescored": {}}, {"rerun": {}}], "Ann", "own"),
        ([{"rescored": {}}], " ANN", "own"),
        ([{"rerun": ELSEWHERE}], "Ann", ""),
    ],
)
def test_the_mark_is_the_most_that_others_verified(parts, by, mark):
    notes: Any = {OLD[1].id: [verification(OLD[1].id, by=by.strip(), **part) for part in parts]}
    at = {"submissions": named(None, OLD, "Ann"), "verifications": notes}
    assert only(OLD, **at).entries[0].mark == mark


def test_a_failed_verification_is_shown_whoever_made_it():
    failed = [verification(OLD[1].id, rescored={"agrees": False, "failed": ["causal"]}, by="Ann")]
    at: Any = {"submissions": named(None, OLD, "Ann"), "verifications": {OLD[1].id: failed}}
    assert only(OLD, **at).entries[0].mark == "failed"


def test_verified_runs_are_counted():
    notes: Any = {run.id: [verification(run.id, rescored={})] * 2 for run in OLD[:2]}
    entry = only(OLD, verifications=notes).entries[0]
    assert (entry.num_verified, columns.verified(entry)) == (2, "✓ 2 of 3")
    notes[OLD[2].id] = [verification(OLD[2].id, rerun={})]
    entry = only(OLD, verifications=notes).entries[0]
    assert (entry.num_verified, columns.verified(entry)) == (3, "✓✓")
    by_author = {run.id: submission(run.id, None, "Ann") for run in OLD}
    entry = only(OLD, verifications=notes, submissions=by_author).entries[0]
    assert columns.verified(entry) == "own"


@pytest.mark.parametrize(
    ("change", "sign", "holds"),
    [
        ({"unfit_because": "30 % of the time was stolen"}, "‡", False),
        ({"is_outside": True}, "†", True),
        ({"flags": "compile took 900 s"}, "§", True),
        ({"dirty": True}, "*", False),
    ],
)
def test_what_is_odd_about_a_run_is_marked_and_explained(change, sign, holds):
    num = 1 if "unfit_because" in change else 3  # one unfit run is enough
    (entry,) = only([*(run._replace(**change) for run in OLD[:num]), *OLD[num:]]).entries
    assert columns.label(entry) == f"transformer, default{sign}" and sign in columns.LEGEND
    assert (entry.status == "record") == holds


@pytest.mark.parametrize(("num", "mark"), [(1, "rerun"), (5, "failed")])
def test_several_reruns_refute_what_none_of_them_does_alone(num, mark):
    worse = [
        verification(OLD[1].id, by="Ben", rerun={"record": f"{place:064x}", "difference": 0.03})
        for place in range(num)
    ]
    entry = only(OLD, verifications={OLD[1].id: worse}).entries[0]
    assert entry.mark == mark
