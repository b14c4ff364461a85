"""Processes that train one model together, and how rank 0 tells the others what to do.

Rank 0 leads: it alone reads data, keeps the clock, prints and writes. Between processes go
bytes of NumPy arrays and plain values; nothing that comes in is ever unpickled.
"""

import contextlib
import json
import signal
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Buffer = NDArray[np.uint8]

_LENGTH_BYTES = 8
# A message goes with its length in one exchange if it is no longer than an earlier one was and
# than this; a longer one takes two.
_MOST_ROOM = 1 << 18


class Lost(ConnectionError):
    """Another process of the team is gone, or has not answered for too long."""


class Message(NamedTuple):
    """What rank 0 tells, or another rank answers."""

    what: str
    values: dict[str, Any]
    arrays: list[NDArray[Any]]


def pack(what: str, values: Mapping[str, Any] | None = None, *arrays: NDArray[Any]) -> bytes:
    """A message as bytes; `values` are what JSON can hold."""
    described = [(array.dtype.str, array.shape) for array in arrays]
    head = json.dumps([what, values or {}, described]).encode()
    parts = [np.ascontiguousarray(array).tobytes() for array in arrays]
    return b"".join((len(head).to_bytes(_LENGTH_BYTES, "little"), head, *parts))


def unpack(data: bytes) -> Message:
    start = _LENGTH_BYTES + int.from_bytes(data[:_LENGTH_BYTES], "little")
    what, values, described = json.loads(data[_LENGTH_BYTES:start])
    arrays = []
    for dtype, shape in described:
        flat = np.frombuffer(data, np.dtype(dtype), int(np.prod(shape)), start)
        arrays.append(flat.reshape(shape).copy())  # a view of bytes could not be written to
        start += flat.nbytes
    return Message(what, values, arrays)


class ProcessGroup:
    """The processes that train one model together; this one alone, where no launcher started more.

    A backend's team fills in `_broadcast` and `_all_gather` for the framework's own exchange.
    """

    rank = 0
    size = 1
    place = ""  # of this rank's device: the same for ranks that share one
    num_devices = 1
    is_broken = False  # an exchange went wrong: the ranks are no longer at the same point
    warnings: tuple[str, ...] = ()  # what a person should know before racing so
    # What asks a race to end early; rank 0 hears it, the others leave it to rank 0.
    stop_signals: tuple[signal.Signals, ...] = (signal.SIGINT, signal.SIGTERM)
    _room = 0

    def metadata(self) -> dict[str, Any]:
        """What the record keeps of it; nothing of one process."""
        return {}

    def part(self, num_rows: int) -> range:
        """This rank's rows of a step's."""
        own = num_rows // self.size
        return range(self.rank * own, (self.rank + 1) * own)

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
        self._room = max(self._room, min(length, _MOST_ROOM))
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

    def any(self, flag: bool) -> bool:
        """Whether the flag is up on some rank; all ranks get the same answer."""
        with self.guarding():
            return bool(self._all_gather(np.array([flag], dtype=np.uint8)).any())

    @contextlib.contextmanager
    def guarding(self) -> Iterator[None]:
        """Around an exchange: what a framework raises when a process is gone becomes Lost."""
        try:
            yield
        except BaseException as error:
            self.is_broken = True
            if not isinstance(error, RuntimeError):
                raise
            why = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise Lost(f"another process of this race is gone ({why:.200})") from error

    def leave(self) -> None:
        """Close the connection; no rank can be told anything after this."""

    def _broadcast(self, data: Buffer) -> Buffer:
        """Rank 0's data [n], on every rank; what the others give is zeros."""
        return data

    def _all_gather(self, data: Buffer) -> Buffer:
        """Data of all ranks [size, n]."""
        return data[None]
