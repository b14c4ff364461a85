"""Processes that train one model together.

Every rank runs the same code. What only rank 0 can know (it alone reads data, keeps the clock,
prints and writes) it decides, and the others receive the decision. Between processes travel
bytes of NumPy arrays and JSON; nothing that is received is ever unpickled.
"""

import contextlib
import json
import math
import signal
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from speedrun.system.interrupts import SIGNALS

Buffer = NDArray[np.uint8]
T = TypeVar("T")

_ARRAY = "__array__"
_LENGTH_BYTES = 8
# A message travels with its length in one exchange if it is no longer than an earlier one and
# than this; a longer one takes two.
_MAX_ROOM = 1 << 18
# Errors that a person can mend: agreed on by all ranks and said once.
MENDABLE = (ValueError, LookupError, OSError, MemoryError)


class RankLost(ConnectionError):
    """Another process of the group is gone, or has not answered for too long."""


class RaceOver(SystemExit):
    """Rank 0 has left the group; `code` is the exit code of all ranks."""


def pack(value: Any) -> bytes:
    """Serialize a value that JSON can hold, with arrays anywhere in it."""
    arrays: list[NDArray[Any]] = []

    def place(item: Any) -> dict[str, Any]:
        if not isinstance(item, np.ndarray):
            raise TypeError(f"{type(item).__name__} cannot be sent to another rank")
        arrays.append(item)
        return {_ARRAY: [item.dtype.str, item.shape]}

    head = json.dumps(value, default=place).encode()
    parts = [np.ascontiguousarray(array).tobytes() for array in arrays]
    return b"".join((len(head).to_bytes(_LENGTH_BYTES, "little"), head, *parts))


def unpack(data: bytes) -> Any:
    """The value of `pack`, with lists in place of tuples."""
    start = _LENGTH_BYTES + int.from_bytes(data[:_LENGTH_BYTES], "little")
    head, position = data[_LENGTH_BYTES:start], start

    def take(item: dict[str, Any]) -> Any:
        nonlocal position
        if _ARRAY not in item:
            return item
        dtype, shape = item[_ARRAY]
        flat = np.frombuffer(data, np.dtype(dtype), math.prod(shape), position)
        position += flat.nbytes
        return flat.reshape(shape).copy()  # a view of bytes could not be written to

    return json.loads(head, object_hook=take)


class ProcessGroup:
    """The processes that train one model; by itself a group of one.

    A backend's group overrides `_broadcast` and `_all_gather` with its framework's collectives.
    """

    rank = 0
    size = 1
    place = ""  # of this rank's device: the same for ranks that share one
    num_devices = 1
    is_broken = False  # an exchange failed: the ranks are no longer at the same point
    warnings: tuple[str, ...] = ()
    # Signals that ask a race to end early; only rank 0 handles them.
    stop_signals: tuple[signal.Signals, ...] = SIGNALS
    _room = 0

    def metadata(self) -> dict[str, Any]:
        """Facts for the record; none for a single process."""
        return {}

    def part(self, num_rows: int) -> range:
        """This rank's share of the rows of a step."""
        own = num_rows // self.size
        return range(self.rank * own, (self.rank + 1) * own)

    # -- values

    def decide(self, work: Callable[[], T]) -> T:
        """Call `work` on rank 0 alone and return its result on every rank.

        The result is what `pack` takes; the other ranks get lists for its tuples. They raise
        RaceOver if rank 0 leaves instead, so that `work` may fail.
        """
        if self.size == 1:
            return work()
        if self.rank == 0:
            value = work()
            self.broadcast(pack({"value": value}))
            return value
        message = unpack(self.broadcast())
        if "value" not in message:
            raise RaceOver(message["code"])
        return message["value"]

    def gather(self, value: Any) -> list[Any]:
        """The values of all ranks in their order, on every rank."""
        if self.size == 1:
            return [value]
        return [unpack(found) for found in self.all_gather(pack(value))]

    def agree(self, work: Callable[[], T]) -> T:
        """Call `work` on every rank and return its result; if it fails on one, it fails on all.

        Rank 0 raises its own error, or a ValueError that names the rank; the others RaceOver.
        """
        if self.size == 1:
            return work()
        result, failure = None, None
        with self.lockstep():
            try:
                result = work()
            except MENDABLE as error:
                failure = error
        problem = failure and (" ".join(str(failure).split()) or type(failure).__name__)
        problems = self.gather(problem)
        if any(problems):
            if self.rank > 0:
                self.decide(lambda: None)
            rank = next(rank for rank, found in enumerate(problems) if found)
            raise failure or ValueError(f"rank {rank}: {problems[rank]}")
        return result  # type: ignore[return-value]

    def any(self, flag: bool) -> bool:
        """Whether the flag is set on some rank; the same on all ranks."""
        with self.guarding():
            return bool(self._all_gather(np.array([flag], dtype=np.uint8)).any())

    def dismiss(self, code: int) -> None:
        """Tell the other ranks, which are at a `decide`, to leave with this exit code."""
        if self.size > 1 and self.rank == 0 and not self.is_broken:
            with contextlib.suppress(RankLost):
                self.broadcast(pack({"code": code}))

    def leave(self) -> None:
        """Close the connection; nothing can be exchanged after this."""

    # -- bytes

    def broadcast(self, message: bytes = b"") -> bytes:
        """Rank 0's message, on every rank."""
        frame = np.zeros(_LENGTH_BYTES + self._room, dtype=np.uint8)
        if self.rank == 0:
            start = len(message).to_bytes(_LENGTH_BYTES, "little")
            start += message if len(message) <= self._room else b""
            frame[: len(start)] = np.frombuffer(start, np.uint8)
        with self.guarding():
            frame = self._broadcast(frame)
        length = int.from_bytes(frame[:_LENGTH_BYTES].tobytes(), "little")
        if length <= self._room:
            return frame[_LENGTH_BYTES : _LENGTH_BYTES + length].tobytes()
        self._room = max(self._room, min(length, _MAX_ROOM))
        whole = np.zeros(length, dtype=np.uint8)
        if self.rank == 0:
            whole[:] = np.frombuffer(message, np.uint8)
        with self.guarding():
            return self._broadcast(whole).tobytes()

    def all_gather(self, message: bytes) -> list[bytes]:
        """The messages of all ranks in their order, on every rank."""
        own = np.frombuffer(message, np.uint8)
        with self.guarding():
            lengths = self._all_gather(np.array([len(own)], dtype=np.int64).view(np.uint8))
            lengths = lengths.view(np.int64)[:, 0]
            padded = np.zeros(int(lengths.max()), dtype=np.uint8)
            padded[: len(own)] = own
            found = self._all_gather(padded)
        return [row[:length].tobytes() for row, length in zip(found, lengths, strict=True)]

    # -- failures

    @contextlib.contextmanager
    def lockstep(self, agreed: type[Exception] | tuple[()] = ()) -> Iterator[None]:
        """Work that ends in an exchange: an error inside leaves the other ranks waiting in it.

        Errors of the type `agreed` are those that all ranks raise together.
        """
        try:
            yield
        except agreed:
            raise
        except BaseException:
            self.is_broken = True
            raise

    @contextlib.contextmanager
    def guarding(self) -> Iterator[None]:
        """An exchange: what a framework raises when a process is gone becomes RankLost."""
        with self.lockstep():
            try:
                yield
            except RuntimeError as error:
                reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
                raise RankLost(f"another process of this race is gone ({reason:.200})") from error

    def _broadcast(self, data: Buffer) -> Buffer:
        """Rank 0's data [n], on every rank; the others pass zeros."""
        return data

    def _all_gather(self, data: Buffer) -> Buffer:
        """Data of all ranks [size, n]."""
        return data[None]
