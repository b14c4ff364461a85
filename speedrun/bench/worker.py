"""A variant in a process of its own: its peak memory is its own, and frameworks do not meet."""

import contextlib
import multiprocessing
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from operator import methodcaller
from pathlib import Path
from typing import Any

from speedrun.bench.cases import Variant


class WorkerFailed(RuntimeError):
    """A variant cannot be measured any further; the message says why."""


class Worker:
    """Calls methods of a `subject.Subject` in another process, one after the other."""

    def __init__(self, variant: Variant, scratch: Path, notice: Callable[[str], None]) -> None:
        self.variant, self._notice = variant, notice
        context = multiprocessing.get_context("spawn")  # frameworks' threads do not survive a fork
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, variant, scratch), daemon=True)
        self._process.start()
        theirs.close()
        try:
            self._receive()
        except WorkerFailed:
            self.close()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    def call(self, method: str) -> Any:
        """What the method gives; WorkerFailed if it raises or the process ends."""
        try:
            self._connection.send(method)
        except OSError:
            raise WorkerFailed(self._ended()) from None
        return self._receive()

    def close(self) -> None:
        """End the process; harmless where it has ended."""
        self._connection.close()
        self._process.join(5)
        self._process.terminate()
        self._process.join()

    def _receive(self) -> Any:
        try:
            kind, value = self._connection.recv()
            while kind == "notice":
                self._notice(value)
                kind, value = self._connection.recv()
        except (EOFError, OSError):
            raise WorkerFailed(self._ended()) from None
        if kind == "error":
            raise WorkerFailed(value)
        return value

    def _ended(self) -> str:
        self._process.join(5)
        code = self._process.exitcode
        if code is not None and code < 0:
            return f"its process was killed (signal {-code}); is there enough memory?"
        return f"its process ended (exit code {code})"


def _serve(connection: Connection, variant: Variant, scratch: Path) -> None:
    """Build the subject and do what is asked of it until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C at the terminal is the bench's to handle
    from speedrun.bench.workload import Subject

    with contextlib.ExitStack() as stack, contextlib.suppress(EOFError, BrokenPipeError):
        made: list[Any] = []

        def build() -> None:
            subject = Subject(variant, scratch, lambda text: connection.send(("notice", text)))
            stack.callback(subject.close)
            made.append(subject)

        connection.send(_answer(build))
        while made:
            connection.send(_answer(methodcaller(connection.recv()), made[0]))


def _answer(call: Callable[..., Any], *arguments: Any) -> tuple[str, Any]:
    """What a call gives, or what it raises in one line."""
    try:
        return "value", call(*arguments)
    except Exception as error:  # of code from anywhere: an architecture's, a framework's
        lines = str(error).strip().splitlines() or ["no message"]
        return "error", f"{type(error).__name__}: {lines[0][:300]}"
