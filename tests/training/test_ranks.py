"""The stages of a race on several ranks, which are threads of this process."""

import contextlib
from typing import Any

import numpy as np
import pytest
from helpers.fakes import CONTEXT, ROWS, FakeEngine, FakeStream, TableEngine, run_of
from helpers.process_groups import code_of, on_threads

from speedrun.backends import common
from speedrun.config import Data, Recipe
from speedrun.device import Device
from speedrun.distributed.group import ProcessGroup
from speedrun.evaluation.scorer import Scorer, ScoringBatch, take_weights_of_rank_0
from speedrun.protocols import OutOfMemory
from speedrun.training import callbacks, distributed, prepare, race
from speedrun.training.clock import BudgetClock
from speedrun.training.request import RunRequest
from speedrun.training.signals import StopFlag
from speedrun.training.trainer import TrainingJob, train


class NoTime:
    """Only the time of rank 0 counts."""

    def __call__(self) -> float:
        return 0.0

    def advance(self, seconds: float) -> None: ...


@pytest.fixture
def fakes(fake_time) -> list[Any]:
    """The engines of two ranks."""
    return [FakeEngine(fake_time, 1.0), FakeEngine(NoTime(), 1.0)]


@pytest.fixture
def trained(fakes, fake_time):
    """`trained()` is the training of rank 0, or the error of both."""

    def training(**options):
        def work(group):
            fake, first = fakes[group.rank], group.rank == 0
            step, now, wall = fake.step, fake.fake_time, fake_time.wall if first else NoTime()
            # Out of memory on one rank is so on all, as in a backend.
            fake.step = lambda *args: common.on_every_rank(group, lambda: step(*args))
            job = TrainingJob(
                run=run_of(30.0),
                clock=BudgetClock(30.0, now=now, wall=wall),
                stream=FakeStream(fake_time) if first else None,
                group=group,
                **(options if first else {}),
            )
            try:
                return train(fake, job)
            except OutOfMemory as error:
                return error, group.is_broken

        return on_threads(2, work)

    return training


def test_all_ranks_take_the_steps_that_the_clock_of_rank_0_allows(fakes, trained):
    training = trained()[0]
    assert training.num_steps == fakes[0].num_steps == fakes[1].num_steps > 20
    assert fakes[0].scales == fakes[1].scales
    assert [fake.num_resets for fake in fakes] == [1, 1], "a warm-up step was kept"


def test_all_ranks_stop_when_rank_0_is_asked_to(fakes, trained):
    training = trained(stop_requested=lambda: fakes[0].num_steps >= 5)[0]
    assert training.status == "interrupted"
    assert fakes[0].num_steps == fakes[1].num_steps == 5


def test_one_rank_without_room_halves_the_pieces_of_all(fakes, trained):
    fakes[1].fits_rows = 1
    training = trained()[0]
    assert [fake.micro_batch_rows for fake in fakes] == [1, 1]
    assert fakes[1].num_steps == training.num_steps
    assert [event.what for event in training.events] == [
        "out of memory (another process ran out of memory); micro-batch now 2 rows",
        "out of memory (another process ran out of memory); micro-batch now 1 rows",
    ]


def test_memory_that_no_rank_has_is_an_error_of_all_and_breaks_nothing(fakes, trained):
    fakes[1].fits_rows = 0
    for error, is_broken in trained():
        assert "one row does not fit" in str(error) and not is_broken


# -- scoring


def test_scores_of_a_group_are_those_of_one_process_to_the_last_bit():
    rng = np.random.default_rng(0)
    table = rng.normal(size=(16, 16))
    batches = [
        ScoringBatch(rows=rng.integers(0, 16, (3, 9), dtype=np.int32), seed=seed)
        for seed in range(7)
    ]
    expected = list(Scorer(TableEngine(table)).nll(batches))
    engines = [TableEngine(table) for _ in range(3)]
    found = on_threads(3, lambda group: list(Scorer(engines[group.rank], group).nll(batches)))
    for of_rank in found:
        for one, other in zip(expected, of_rank, strict=True):
            np.testing.assert_array_equal(one, other)
    assert [len(engine.shapes) for engine in engines] == [3, 2, 2], "ranks did not take turns"


def test_times_and_prefix_belong_to_their_batch():
    calls: list[Any] = [[], []]
    rows = np.zeros((2, CONTEXT + 1), dtype=np.int32)
    batches = [
        ScoringBatch(rows=rows, seed=5),
        ScoringBatch(rows=rows, seed=6, prefix_length=3, shares=np.array([0.25, 1.0])),
    ]

    def work(group):
        def nll(rows, seed, prefix_length=0, shares=None, where=None):
            given = None if shares is None else shares.tolist()
            calls[group.rank].append((seed, prefix_length, given))
            return np.zeros((len(rows), rows.shape[1] - 1))

        engine = TableEngine(np.zeros((1, 1)))
        engine.nll = nll
        list(Scorer(engine, group).nll(batches))

    on_threads(2, work)
    assert calls == [[(5, 0, None)], [(6, 3, [0.25, 1.0])]]


def test_the_weights_of_rank_0_are_scored_and_how_far_the_others_were_off_is_known():
    class Weighted:
        def __init__(self, value: float) -> None:
            self.kept = {"w": np.full((2, 2), value, dtype=np.float32)}

        def weights(self):
            return self.kept

        def load(self, weights):
            self.kept = weights

    engines: Any = [Weighted(1.0), Weighted(1.25), Weighted(1.0)]
    found = on_threads(3, lambda group: take_weights_of_rank_0(Scorer(engines[group.rank], group)))
    assert found == [0.25] * 3
    assert all((engine.kept["w"] == 1.0).all() for engine in engines)
    assert take_weights_of_rank_0(Scorer(engines[0])) is None


# -- the group


def test_rows_of_a_forward_pass_are_of_this_ranks_part():
    recipe = Recipe(batch_rows=8, micro_batch_rows=4)
    two = on_threads(2, lambda group: common.rows_at_once(recipe, group))
    eight = on_threads(8, lambda group: common.rows_at_once(recipe, group))
    assert (two, eight) == ([4] * 2, [1] * 8)
    assert common.rows_at_once(Recipe(batch_rows=ROWS), ProcessGroup()) == ROWS


def card(model: str) -> Device:
    return Device(name="cuda", backend="torch", available=True, detail="", accelerator=model)


@pytest.mark.parametrize(
    ("places", "num_devices"),
    [(["a", "a"], 1), (["a/0", "a/1", "b/0", "b/1"], 4), (["a", "a", "b"], 2)],
)
def test_ranks_that_share_a_device_count_once(places, num_devices):
    def work(group):
        group.place = places[group.rank]
        distributed.count_devices(group, card("NVIDIA H200"))
        return group.num_devices

    assert on_threads(len(places), work) == [num_devices] * len(places)


def test_ranks_on_unlike_devices_are_refused_on_all():
    def work(group):
        with pytest.raises(ValueError, match="rank 1 has NVIDIA T4, rank 0 NVIDIA H200: one race"):
            distributed.count_devices(group, card(["NVIDIA H200", "NVIDIA T4"][group.rank]))

    on_threads(2, work)


def test_what_a_rank_cannot_look_up_is_said_by_rank_0():
    """Such as an architecture's folder that is not on the other machine."""

    def work(group):
        if group.rank > 0:
            return code_of(race.take_part, RunRequest(arch="nowhere"), group)
        refused = pytest.raises(ValueError, match="rank 1: unknown architecture")
        with refused, distributed.dismissing(group):
            group.decide(lambda: 0)
            prepare.look_up(RunRequest(params="60K"), group)
        return None

    assert on_threads(2, work) == [None, 2]


def test_data_that_rank_0_cannot_open_ends_all(tmp_path):
    request = RunRequest(params="60K", data=Data(path=str(tmp_path / "none")), out=tmp_path)

    def work(group):
        if group.rank > 0:
            return code_of(race.take_part, request, group)
        with pytest.raises(ValueError, match="no such file"), distributed.dismissing(group):
            race.race(request, callbacks.Silent(), StopFlag(()), group=group)
        return None

    assert on_threads(2, work) == [None, 2]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("ends_by", "code"), [(None, 0), (KeyboardInterrupt(), 130), (SystemExit(1), 1)]
)
def test_the_others_leave_however_rank_0_ends(ends_by, code):
    def work(group):
        if group.rank > 0:
            return code_of(race.take_part, RunRequest(), group)
        with contextlib.suppress(BaseException), distributed.dismissing(group):
            if ends_by is not None:
                raise ends_by
        return None

    assert on_threads(2, work)[1] == code
