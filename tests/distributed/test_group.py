"""Exchanges between ranks, which are threads of this process."""

import numpy as np
import pytest
from helpers.process_groups import code_of, on_threads

from speedrun.distributed.group import ProcessGroup, RankLost, pack, unpack


def test_a_value_arrives_as_it_was():
    arrays = [
        np.arange(12, dtype=np.int32).reshape(3, 4)[:, ::2],
        np.array([[0.1, -np.inf]]),
        np.zeros((0, 5), dtype=np.float32),
        np.array(2.5),
    ]
    found = unpack(pack({"a": [1, None, "ü"], "x": 0.1, "deep": [{"y": arrays}]}))
    assert (found["a"], found["x"]) == ([1, None, "ü"], 0.1)
    for array, back in zip(arrays, found["deep"][0]["y"], strict=True):
        assert (array.dtype, array.shape) == (back.dtype, back.shape)
        np.testing.assert_array_equal(array, back)
        back[...] = 0  # can be written to
    with pytest.raises(TypeError, match="object cannot be sent"):
        pack(object())


def test_a_broadcast_arrives_whatever_its_length():
    messages = [b"", b"x", bytes(range(256)) * 40, b"short", b"\0" * 3_000_000, b"end"]

    def work(group):
        return [group.broadcast(message if group.rank == 0 else b"") for message in messages]

    assert on_threads(3, work) == [messages] * 3

    def counted(group):
        for _ in range(3):  # a message no longer than one before takes one exchange
            group.broadcast(b"x" * 500 if group.rank == 0 else b"")
        return group.exchanges

    assert on_threads(2, counted) == [2 + 1 + 1] * 2


def test_values_are_gathered_in_the_order_of_the_ranks():
    def work(group):
        found = group.gather({"array": np.full(group.rank, 7)})
        return [len(each["array"]) for each in found], group.any(group.rank == 2), group.any(False)

    assert on_threads(3, work) == [([0, 1, 2], True, False)] * 3


def test_parts_cover_the_rows_without_overlap():
    parts = on_threads(4, lambda group: group.part(12))
    assert [row for part in parts for row in part] == list(range(12))
    assert ProcessGroup().part(5) == range(5)


def test_a_single_process_exchanges_nothing():
    group, value = ProcessGroup(), object()
    assert group.decide(lambda: value) is group.agree(lambda: value) is value
    assert (group.gather(value), group.any(True), group.metadata()) == ([value], True, {})
    group.dismiss(1)


def test_only_rank_0_decides():
    called = []

    def work(group):
        return group.decide(lambda: called.append(group.rank) or ("rows", 0.5))

    assert [list(found) for found in on_threads(3, work)] == [["rows", 0.5]] * 3
    assert called == [0]


def test_ranks_that_wait_for_a_decision_leave_with_the_code_of_rank_0():
    def work(group):
        if group.rank == 0:
            with pytest.raises(KeyError):
                group.decide({}.popitem)
            return group.dismiss(130)
        return code_of(group.decide, lambda: None)

    assert on_threads(3, work) == [None, 130, 130]


def test_a_broken_group_dismisses_nobody():
    """The others are in another exchange, which a broadcast would not meet; an agreed error
    breaks nothing."""

    def work(group):
        with pytest.raises(RuntimeError), group.lockstep():
            raise RuntimeError
        before = group.exchanges
        group.dismiss(1)
        return group.is_broken and group.exchanges == before

    assert on_threads(2, work) == [True, True]
    group = ProcessGroup()
    with pytest.raises(MemoryError), group.lockstep(agreed=MemoryError):
        raise MemoryError
    assert not group.is_broken


@pytest.mark.parametrize(
    ("failing", "says"), [({0, 1, 2}, "^no 0$"), ({0}, "^no 0$"), ({1, 2}, "^rank 1: no 1$")]
)
def test_what_one_rank_cannot_do_rank_0_raises(failing, says):
    def work(group):
        def task():
            if group.rank in failing:
                raise ValueError(f"no {group.rank}")

        if group.rank == 0:
            with pytest.raises(ValueError, match=says):
                group.agree(task)
            return group.dismiss(2)
        return code_of(group.agree, task)

    assert on_threads(3, work) == [None, 2, 2]
    assert on_threads(2, lambda group: group.agree(lambda: group.rank)) == [0, 1]


def test_a_broken_exchange_is_named_and_remembered():
    class Broken(ProcessGroup):
        def _broadcast(self, data):
            raise RuntimeError("Connection closed by peer\nand much more")

    group = Broken()
    with pytest.raises(
        RankLost, match=r"another process .* is gone \(Connection closed by peer\)$"
    ):
        group.broadcast(b"x")
    assert group.is_broken
