"""The stages of a race on several ranks, which are threads of this process."""

import contextlib
from typing import Any

import numpy as np
import pytest
from helpers.fakes import CONTEXT, ROWS, FakeEngine, FakeStream, TableEngine, run_of
from helpers.process_groups import on_threads

from speedrun.backends import common
from speedrun.config import Data, Recipe
from speedrun.device import Device
from speedrun.distributed.group import ProcessGroup, RaceOver
from speedrun.evaluation.scorer import Scorer, ScoringBatch, take_weights_of_rank_0
from speedrun.protocols import OutOfMemory
from speedrun.training import distributed, prepare, race
from speedrun.training.clock import BudgetClock
from speedrun.training.request import RunRequest
from speedrun.training.signals import StopFlag
from speedrun.training.trainer import TrainingJob, train


class NoTime:
    """Only the time of rank 0 counts."""

    now_s = 0.0

    def __call__(self) -> float:
        return 0.0

    def advance(self, seconds: float) -> None: ...


class AgreedEngine:
    """A fake engine whose step runs out of memory on all ranks, as a backend's does."""

    def __init__(self, fake: Any, group: ProcessGroup) -> None:
        self.fake, self.group = fake, group

    def step(self, rows, lr_scale):
        common.on_every_rank(self.group, lambda: self.fake.step(rows, lr_scale))

    def __getattr__(self, name):
        return getattr(self.fake, name)


def trained(fakes, fake_time, **options):
    """The training of rank 0, where each rank has its engine."""

    def work(group):
        time = fake_time if group.rank == 0 else NoTime()
        wall = fake_time.wall if group.rank == 0 else NoTime()
        job = TrainingJob(
            run=run_of(30.0),
            clock=BudgetClock(30.0, now=time, wall=wall),
            stream=FakeStream(fake_time) if group.rank == 0 else None,
            group=group,
            **(options if group.rank == 0 else {}),
        )
        engine: Any = AgreedEngine(fakes[group.rank], group)
        return train(engine, job)

    return on_threads(len(fakes), work)[0]


def test_all_ranks_take_the_steps_that_the_clock_of_rank_0_allows(fake_time):
    fakes = [FakeEngine(fake_time, 1.0), FakeEngine(NoTime(), 1.0)]
    training = trained(fakes, fake_time)
    assert training.num_steps == fakes[0].num_steps == fakes[1].num_steps > 20
    assert fakes[0].scales == fakes[1].scales
    assert [fake.num_resets for fake in fakes] == [1, 1], "a warm-up step was kept"


def test_all_ranks_stop_when_rank_0_is_asked_to(fake_time):
    fakes = [FakeEngine(fake_time, 1.0), FakeEngine(NoTime(), 1.0)]
    training = trained(fakes, fake_time, stop_requested=lambda: fakes[0].num_steps >= 5)
    assert training.status == "interrupted"
    assert fakes[0].num_steps == fakes[1].num_steps == 5


def test_one_rank_without_room_halves_the_pieces_of_all(fake_time):
    fakes = [FakeEngine(fake_time, 1.0), FakeEngine(NoTime(), 1.0)]
    fakes[1].fits_rows = 1
    training = trained(fakes, fake_time)
    assert [fake.micro_batch_rows for fake in fakes] == [1, 1]
    assert fakes[1].num_steps == training.num_steps
    assert [event.what for event in training.events] == [
        "out of memory (another process ran out of memory); micro-batch now 2 rows",
        "out of memory (another process ran out of memory); micro-batch now 1 rows",
    ]


def test_memory_that_no_rank_has_is_an_error_of_all_and_breaks_nothing(fake_time):
    fakes = [FakeEngine(fake_time, 1.0), FakeEngine(NoTime(), 1.0)]
    fakes[1].fits_rows = 0

    def work(group):
        engine: Any = AgreedEngine(fakes[group.rank], group)
        job = TrainingJob(run=run_of(30.0), clock=BudgetClock(30.0), stream=None, group=group)
        with pytest.raises(OutOfMemory, match="one row does not fit"):
            train(engine, job)
        return group.is_broken

    assert on_threads(2, work) == [False, False]


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

    class Recording:
        def __init__(self, rank: int) -> None:
            self.calls = calls[rank]

        def nll(self, rows, seed, prefix_length=0, shares=None):
            self.calls.append((seed, prefix_length, None if shares is None else shares.tolist()))
            return np.zeros((len(rows), rows.shape[1] - 1))

    rows = np.zeros((2, CONTEXT + 1), dtype=np.int32)
    batches = [
        ScoringBatch(rows=rows, seed=5),
        ScoringBatch(rows=rows, seed=6, prefix_length=3, shares=np.array([0.25, 1.0])),
    ]

    def work(group):
        engine: Any = Recording(group.rank)
        return list(Scorer(engine, group).nll(batches))

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
        if group.rank == 0:
            with (
                pytest.raises(ValueError, match="rank 1: unknown architecture"),
                distributed.dismissing(group),
            ):
                group.decide(lambda: 0)
                prepare.look_up(RunRequest(params="60K"), group)
            return None
        with pytest.raises(RaceOver) as over:
            race.take_part(RunRequest(arch="nowhere"), group)
        return over.value.code

    assert on_threads(2, work) == [None, 2]


def test_data_that_rank_0_cannot_open_ends_all(tmp_path):
    request = RunRequest(params="60K", data=Data(path=str(tmp_path / "none")), out=tmp_path)

    def work(group):
        if group.rank == 0:
            with pytest.raises(ValueError, match="no such file"), distributed.dismissing(group):
                race.race(request, prepare.Silent(), StopFlag(()), group=group)
            return None
        with pytest.raises(RaceOver) as over:
            race.take_part(request, group)
        return over.value.code

    assert on_threads(2, work) == [None, 2]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("ends_by", "code"), [(None, 0), (KeyboardInterrupt(), 130), (SystemExit(1), 1)]
)
def test_the_others_leave_however_rank_0_ends(ends_by, code):
    def work(group):
        if group.rank == 0:
            with contextlib.suppress(BaseException), distributed.dismissing(group):
                if ends_by is not None:
                    raise ends_by
            return None
        with pytest.raises(RaceOver) as over:
            race.take_part(RunRequest(), group)
        return over.value.code

    assert on_threads(2, work)[1] == code
