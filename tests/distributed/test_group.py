"""Ranks that tell each other what to do, as threads of one process."""

import contextlib
from typing import Any

import numpy as np
import pytest
from helpers.fakes import CONTEXT, ROWS, FakeEngine, FakeStream, TableEngine, run_of
from helpers.teams import on_threads

from speedrun.backends import common
from speedrun.backends.coordinator import Job, Leader, each_nats, obey
from speedrun.config import Recipe
from speedrun.distributed import launcher
from speedrun.distributed.group import Lost, ProcessGroup, pack, unpack
from speedrun.models import loader
from speedrun.protocols import Device, OutOfMemory
from speedrun.training import distributed
from speedrun.training.clock import BudgetClock
from speedrun.training.request import RunRequest, resolve
from speedrun.training.trainer import train


def test_a_message_comes_back_as_it_was():
    arrays = [
        np.arange(12, dtype=np.int32).reshape(3, 4)[:, ::2],
        np.array([[0.1, -np.inf]]),
        np.zeros((0, 5), dtype=np.float32),
        np.array(2.5),
    ]
    found = unpack(pack("what", {"a": [1, None, "ü"], "x": 0.1}, *arrays))
    assert (found.what, found.values) == ("what", {"a": [1, None, "ü"], "x": 0.1})
    for array, back in zip(arrays, found.arrays, strict=True):
        assert (array.dtype, array.shape) == (back.dtype, back.shape)
        np.testing.assert_array_equal(array, back)
        back[...] = 0  # can be written to


def test_what_rank_0_tells_arrives_whatever_its_length():
    messages = [b"", b"x", bytes(range(256)) * 40, b"short", b"\0" * 3_000_000, b"end"]

    def work(group):
        return [group.broadcast(message if group.rank == 0 else b"") for message in messages]

    assert on_threads(3, work) == [messages] * 3


def test_a_message_no_longer_than_one_before_takes_one_exchange():
    def work(group):
        counts = []
        for _ in range(3):
            before = group.exchanges
            group.broadcast(b"x" * 500 if group.rank == 0 else b"")
            counts.append(group.exchanges - before)
        return counts

    assert on_threads(2, work) == [[2, 1, 1]] * 2


def test_every_rank_collects_what_all_said_in_order():
    def work(group):
        return (
            group.all_gather(b"rank" * (group.rank + 1)),
            group.any(group.rank == 2),
            group.any(False),
        )

    said = [b"rank", b"rank" * 2, b"rank" * 3]
    assert on_threads(3, work) == [(said, True, False)] * 3


def test_parts_cover_the_rows_without_overlap():
    parts = on_threads(4, lambda group: group.part(12))
    assert [row for part in parts for row in part] == list(range(12))
    assert ProcessGroup().part(5) == range(5)


def test_one_process_is_a_team_that_says_nothing():
    group = ProcessGroup()
    assert (group.broadcast(b"x"), group.all_gather(b"y"), group.any(True)) == (b"x", [b"y"], True)
    assert group.metadata() == {}


def test_a_broken_exchange_is_named_and_remembered():
    class Broken(ProcessGroup):
        def _broadcast(self, data):
            raise RuntimeError("Connection closed by peer\nand much more")

    group = Broken()
    with pytest.raises(Lost, match=r"another process .* is gone \(Connection closed by peer\)$"):
        group.broadcast(b"x")
    assert group.is_broken


# -- leading


def with_followers(size: int, engines, lead):
    """What `lead(Leader)` returns on rank 0; the other ranks obey until it is done."""

    def work(group):
        engine = engines[group.rank]
        if group.rank == 0:
            result = lead(Leader(engine, group))
            group.broadcast(pack("leave"))
            return result
        while (broadcast := unpack(group.broadcast())).what != "leave":
            obey(engine, group, broadcast)
        return None

    return on_threads(size, work)[0]


class _TeamEngine:
    """A fake engine whose step is agreed on, as a backend's is."""

    def __init__(self, fake: Any, group: ProcessGroup, fits_rows: int) -> None:
        self.fake, self.group = fake, group
        fake.fits_rows = fits_rows

    def step(self, rows, lr_scale):
        common.on_every_rank(self.group, lambda: self.fake.step(rows, lr_scale))

    def __getattr__(self, name):
        return getattr(self.fake, name)


def test_all_ranks_take_the_steps_that_the_clock_of_rank_0_allows(fake_time):
    clock = BudgetClock(30.0, now=fake_time, wall=fake_time.wall)
    engines = [FakeEngine(fake_time, 1.0), FakeEngine(_NoTime(), 1.0)]
    training = with_followers(
        2, engines, lambda leader: train(leader, FakeStream(fake_time), clock, run_of(30.0))
    )
    assert training.num_steps == engines[0].num_steps == engines[1].num_steps > 20
    assert engines[0].scales == engines[1].scales
    assert [engine.num_resets for engine in engines] == [1, 1], "a warm-up step was kept"


def test_one_rank_without_room_halves_the_pieces_of_all(fake_time):
    clock = BudgetClock(30.0, now=fake_time, wall=fake_time.wall)
    fakes = [FakeEngine(fake_time, 1.0), FakeEngine(_NoTime(), 1.0)]

    def work(group):
        engine: Any = _TeamEngine(fakes[group.rank], group, fits_rows=[ROWS, 1][group.rank])
        if group.rank == 0:
            done = train(Leader(engine, group), FakeStream(fake_time), clock, run_of(30.0))
            group.broadcast(pack("leave"))
            return done
        while (broadcast := unpack(group.broadcast())).what != "leave":
            obey(engine, group, broadcast)
        return None

    training = on_threads(2, work)[0]
    assert [fake.micro_batch_rows for fake in fakes] == [1, 1]
    assert fakes[1].num_steps == training.num_steps
    assert [event["what"] for event in training.events] == [
        "out of memory (another process has no room); micro-batch now 2 rows",
        "out of memory (another process has no room); micro-batch now 1 rows",
    ]


class _NoTime:
    """Where only rank 0's time counts."""

    def advance(self, seconds: float) -> None: ...


def test_scores_of_a_team_are_those_of_one_process_to_the_last_bit():
    rng = np.random.default_rng(0)
    table = rng.normal(size=(16, 16))
    jobs = [Job(rows=rng.integers(0, 16, (3, 9), dtype=np.int32), seed=seed) for seed in range(7)]
    engines = [TableEngine(table) for _ in range(3)]
    expected = list(each_nats(TableEngine(table), iter(jobs)))
    found = with_followers(3, engines, lambda leader: list(each_nats(leader, iter(jobs))))
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one, other)
    assert [len(engine.shapes) for engine in engines] == [3, 2, 2], "ranks did not take turns"


def test_rows_share_noise_draws_and_given_tokens_with_their_job():
    class Recording:
        def __init__(self) -> None:
            self.calls: list[tuple] = []

        def nll(self, rows, seed, prefix_length=0, shares=None):
            self.calls.append((seed, prefix_length, None if shares is None else shares.tolist()))
            return np.zeros((len(rows), rows.shape[1] - 1))

    engines: Any = [Recording(), Recording()]
    rows = np.zeros((2, CONTEXT + 1), dtype=np.int32)
    jobs = [
        Job(rows=rows, seed=5),
        Job(rows=rows, seed=6, prefix_length=3, shares=np.array([0.25, 1.0])),
    ]
    with_followers(2, engines, lambda leader: list(each_nats(leader, jobs)))
    assert [engine.calls for engine in engines] == [[(5, 0, None)], [(6, 3, [0.25, 1.0])]]


def test_scored_are_the_weights_of_rank_0_and_the_record_says_how_far_others_were_off():
    class Weighted:
        def __init__(self, value: float) -> None:
            self.kept = {"w": np.full((2, 2), value, dtype=np.float32)}

        def weights(self):
            return self.kept

        def load(self, weights):
            self.kept = weights

        def metadata(self):
            return {"precision": "fp32"}

    engines: Any = [Weighted(1.0), Weighted(1.25), Weighted(1.0)]

    def lead(leader):
        leader.share_weights()
        return leader.metadata()

    facts = with_followers(3, engines, lead)
    assert facts == {"precision": "fp32", "world_size": 3, "weights_apart": 0.25}
    assert all((engine.kept["w"] == 1.0).all() for engine in engines)


def test_rows_at_once_are_of_this_ranks_part():
    recipe = Recipe(batch_rows=8, micro_batch_rows=4)
    two = on_threads(2, lambda group: common.rows_at_once(recipe, group))
    eight = on_threads(8, lambda group: common.rows_at_once(recipe, group))
    assert (two, eight) == ([4] * 2, [1] * 8)
    assert common.rows_at_once(Recipe(batch_rows=8), ProcessGroup()) == 8


def test_alone_running_out_of_memory_is_as_it_was():
    def work():
        raise OutOfMemory("no room")

    with pytest.raises(OutOfMemory, match="no room"):
        common.on_every_rank(ProcessGroup(), work)


@pytest.mark.parametrize(
    ("places", "num_devices"),
    [(["a", "a"], 1), (["a/0", "a/1", "b/0", "b/1"], 4), (["a", "a", "b"], 2)],
)
def test_ranks_that_share_a_device_count_once(places, num_devices):
    def work(group):
        group.place = places[group.rank]
        distributed._check_alike(group, card("NVIDIA H200"))
        return group.num_devices

    assert on_threads(len(places), work) == [num_devices] * len(places)


def test_ranks_on_unlike_devices_are_refused_on_all():
    def work(group):
        with pytest.raises(ValueError, match="rank 1 has NVIDIA T4, rank 0 NVIDIA H200: one race"):
            distributed._check_alike(group, card(["NVIDIA H200", "NVIDIA T4"][group.rank]))

    on_threads(2, work)


def card(model: str) -> Device:
    return Device(name="cuda", backend="torch", available=True, detail="", accelerator=model)


def test_what_a_rank_cannot_build_is_said_by_rank_0():
    """Such as an architecture's folder that is not on the other machine."""
    run = resolve(loader.architecture("transformer"), RunRequest(params="60K"), 300)

    def work(group):
        if group.rank == 0:
            with (
                pytest.raises(ValueError, match="rank 1: unknown architecture"),
                distributed.leading(group),
            ):
                distributed.assembled(FakeEngine(_NoTime(), 1.0), group, run)
            return None
        broadcast = unpack(group.broadcast())
        assert distributed._built(RunRequest(arch="nowhere"), group, broadcast) is None
        return unpack(group.broadcast())

    _, broadcast = on_threads(2, work)
    assert (broadcast.what, broadcast.values) == ("leave", {"code": 2})


@pytest.mark.parametrize(
    ("ends_by", "code"), [(None, 0), (KeyboardInterrupt(), 130), (SystemExit(1), 1)]
)
def test_the_others_are_told_to_leave_however_it_ends(ends_by, code):
    def work(group):
        if group.rank:
            return unpack(group.broadcast())
        with contextlib.suppress(BaseException), distributed.leading(group):
            if ends_by is not None:
                raise ends_by
        return None

    assert on_threads(2, work)[1].values == {"code": code}


# -- launchers

TORCHRUN = {
    "RANK": "3",
    "WORLD_SIZE": "4",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "2",
    "MASTER_ADDR": "localhost",
    "MASTER_PORT": "1",
}


def test_torchrun_is_known_by_what_it_sets():
    found = launcher.launched(TORCHRUN)
    assert found is not None
    assert (found.by, found.backend) == ("torchrun", "torch")
    assert (found.rank, found.size, found.local_rank, found.local_size) == (3, 4, 1, 2)
    assert launcher.launched({**TORCHRUN, "WORLD_SIZE": "1", "RANK": "0"}) is None
    # A variable that is called RANK for another reason starts no team.
    assert launcher.launched({"RANK": "3", "WORLD_SIZE": "4"}) is None
    assert launcher.launched({}) is None


def test_mlx_launch_is_known_by_its_list_of_hosts(tmp_path):
    hosts = tmp_path / "hosts"
    hosts.write_text('[["127.0.0.1:32323"], ["127.0.0.1:32324"], ["127.0.0.1:32325"]]')
    found = launcher.launched({"MLX_RANK": "2", "MLX_HOSTFILE": str(hosts)})
    assert found is not None
    assert (found.by, found.backend, found.rank, found.size) == ("mlx.launch", "mlx", 2, 3)
    by_number = launcher.launched({"MLX_RANK": "1", "MLX_WORLD_SIZE": "2"})
    assert by_number is not None and by_number.size == 2
    hosts.write_text("\n")  # what it leaves for one process
    assert launcher.launched({"MLX_RANK": "0", "MLX_HOSTFILE": str(hosts)}) is None


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({**TORCHRUN, "RANK": "first"}, "RANK is 'first', not a number"),
        ({"MLX_RANK": "0", "MLX_HOSTFILE": "/no/such/file"}, "cannot be read"),
    ],
)
def test_a_launcher_that_says_nonsense_is_named(environment, says):
    with pytest.raises(ValueError, match=says):
        launcher.launched(environment)
