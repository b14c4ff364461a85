"""The search for the fastest settings, on a fake clock and worker."""

import dataclasses
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from helpers.fake_worker import Candidate, FakeWorker

from speedrun.autotune import search
from speedrun.autotune.search import Budget, Result, Search
from speedrun.device import ExecutionConfig

SPACE = {
    "precision": ("fp32", "bf16"),
    "num_threads": (4, 2, 1),
    "micro_batch_rows": (8, 4, 2, 1),
    "fused": (True, False),
    "compile": ("off", "default"),
}
DEFAULT = ExecutionConfig(
    precision="fp32", num_threads=4, micro_batch_rows=8, fused=True, compile="off"
)


TARGET: Any = SimpleNamespace(arguments=dict)


def searched(
    fake_time: Any,
    behaves: Callable[[ExecutionConfig], Candidate],
    *,
    total_s: float = 100.0,
    compile_s: float = 60.0,
    **changes: Any,
) -> tuple[Result, Any]:
    worker = FakeWorker(fake_time, behaves)
    vars(worker).update(changes)
    started_s = fake_time()
    budget = Budget(total_s=total_s, compile_s=compile_s)
    result = Search(TARGET, SPACE, budget, start=worker, now=fake_time).run()
    assert not worker.is_up, "the process is gone when the search is over"
    assert fake_time() - started_s <= total_s + 1e-6, "the limit holds whatever happens"
    return result, worker


def test_the_fastest_of_each_field_is_found(fake_time):
    """Threads and pieces are best in the middle, the compiler helps, bf16 does not."""
    threads = {4: 1.0, 2: 0.7, 1: 1.1}
    pieces = {8: 1.0, 4: 0.8, 2: 0.95, 1: 2.0}

    def behaves(s: ExecutionConfig) -> Candidate:
        step_s = 0.1 * threads[s.num_threads or 4] * pieces[s.micro_batch_rows or 8]
        step_s *= 4.0 if s.precision == "bf16" else 1.0
        return Candidate(step_s * (0.6 if s.compile == "default" else 1.0))

    found, _ = searched(fake_time, behaves)
    assert found.settings == ExecutionConfig(
        precision="fp32", num_threads=2, micro_batch_rows=4, fused=True, compile="default"
    )
    assert found.default_s == pytest.approx(0.1) and found.best_s == pytest.approx(0.1 * 0.336)
    assert not found.dropped and not found.not_tried
    by_label = {(t.field, t.value): t for t in found.trials}
    assert by_label["compile", "default"].kept and not by_label["precision", "bf16"].kept
    assert ("micro_batch_rows", 1) not in by_label, "past one that loses no smaller one is tried"


def test_what_loses_alone_may_win_together(fake_time):
    """bf16 casts cost too much until they are compiled into the rest."""

    def behaves(s: ExecutionConfig) -> Candidate:
        if s.compile == "default":
            return Candidate(0.03 if s.precision == "bf16" else 0.06)
        return Candidate(0.12 if s.precision == "bf16" else 0.1)

    found, _ = searched(fake_time, behaves)
    assert (found.settings.precision, found.settings.compile) == ("bf16", "default")


@pytest.mark.parametrize(
    ("fails", "says", "field"),
    [
        ("crash", "SIGSEGV", "precision"),
        ("crash later", "SIGABRT", "fused"),
        ("hang", "no answer within", "fused"),
        ("hang", "no answer within", "compile"),
        ("memory", "OutOfMemory", "fused"),
        ("compiler", "no g++ found", "compile"),
    ],
)
def test_a_failure_costs_the_candidate_alone(fake_time, fails, says, field):
    value = SPACE[field][1]

    def behaves(s: ExecutionConfig) -> Candidate:
        if getattr(s, field) == value:  # one that fell back is not called slow
            return Candidate(1.0 if fails == "compiler" else 0.01, fails=fails)
        return Candidate(0.05 if s.num_threads == 2 else 0.1)

    found, worker = searched(fake_time, behaves)
    assert says in found.dropped[f"{field}={value}"]
    assert getattr(found.settings, field) == SPACE[field][0]
    assert found.settings.num_threads == 2, "the rest was tried all the same"
    if fails in ("crash", "hang", "crash later"):
        assert worker.num_starts > 1


@pytest.mark.parametrize("factor", [1.01, 0.99, float("nan"), float("inf")])
def test_a_wrong_loss_is_out_however_fast(fake_time, factor):
    def behaves(s: ExecutionConfig) -> Candidate:
        return Candidate(0.01, loss=factor) if s.fused is False else Candidate(0.1)

    found, _ = searched(fake_time, behaves)
    assert found.settings.fused is True
    assert "the loss of step 1 is" in found.dropped["fused=False"]


def test_half_precision_is_given_more_room_but_not_any(fake_time):
    for factor, wanted in ((1.01, "bf16"), (1.05, "fp32")):

        def behaves(s: ExecutionConfig, factor=factor) -> Candidate:
            return Candidate(0.02, loss=factor) if s.precision == "bf16" else Candidate(0.1)

        found, _ = searched(fake_time, behaves)
        assert found.settings.precision == wanted


@pytest.mark.parametrize(
    ("candidate", "total_s", "says", "settings"),
    [
        (Candidate(fails="crash"), 100.0, "default settings fail", DEFAULT),
        (Candidate(fails="memory"), 100.0, "default settings fail", DEFAULT),
        (Candidate(), 1.0, "did not start: no answer within", ExecutionConfig()),
        (Candidate(30.0), 20.0, "longer than 20 s", ExecutionConfig()),
    ],
)
def test_where_the_defaults_cannot_be_timed_they_are_used(
    fake_time, candidate, total_s, says, settings
):
    found, _ = searched(fake_time, lambda s: candidate, total_s=total_s)
    assert found.settings == settings and says in found.problem


def test_what_the_time_does_not_suffice_for_is_named_and_stays_undecided(fake_time):
    found, worker = searched(fake_time, lambda s: Candidate(0.5), total_s=20.0)
    assert found.settings.precision == "fp32", "that was tried"
    assert found.settings.compile is None, "that was not: the recipe decides"
    assert "compile=default" in found.not_tried
    assert all(s.compile == "off" for s in worker.built)


def test_a_compilation_that_the_time_cuts_short_is_no_failure(fake_time):
    """With the compiler's own cache filled it may end next time."""

    def behaves(s: ExecutionConfig) -> Candidate:
        return Candidate(0.05, build_s=60.0) if s.compile == "default" else Candidate()

    found, _ = searched(fake_time, behaves, total_s=30.0)
    assert found.settings.compile is None and "compile=default" in found.not_tried
    found, _ = searched(fake_time, behaves, total_s=300.0, compile_s=40.0)
    assert found.settings.compile == "off"
    assert found.dropped["compile=default"] == "no answer within 40 s"


def test_a_machine_that_grows_busy_slows_both_and_changes_nothing(fake_time):
    """Timed one after the other, whatever came first would win."""
    started_s = fake_time()

    def busier() -> float:
        return 1.0 + 0.08 * (fake_time() - started_s)

    def behaves(s: ExecutionConfig) -> Candidate:
        return Candidate(0.1 if s.fused else 0.08)

    found, _ = searched(fake_time, behaves, slowdown=busier)
    assert found.settings == dataclasses.replace(DEFAULT, fused=False)
    assert max(trial.spread for trial in found.trials) > 0.05, "and is to be seen in the record"


def test_a_gain_within_the_noise_is_none(fake_time):
    found, _ = searched(fake_time, lambda s: Candidate(0.1 if s.fused else 0.0985))
    assert found.settings == DEFAULT


def test_default_settings_that_memory_has_no_room_for_take_smaller_pieces(fake_time):
    found, worker = searched(fake_time, lambda s: Candidate(), fits_rows=4)
    assert found.settings.micro_batch_rows == 4
    assert all(s.micro_batch_rows != 8 for s in worker.built[1:])


def test_two_engines_take_turns(fake_time):
    """Neither always goes first, and as fast as each other they run to the last round."""
    _, worker = searched(
        fake_time, lambda s: Candidate(fails="memory" if s.num_threads != 4 else "")
    )
    first_race = worker.timed[: 2 * search.MAX_ROUNDS]
    pairs = list(zip(first_race[::2], first_race[1::2], strict=True))
    assert pairs[:3] == [("best", "rival"), ("rival", "best"), ("best", "rival")]
    assert len(worker.timed) % (2 * search.MAX_ROUNDS) == 0
