"""Child processes that exchange JSON lines with their parent, and end when it does.

A message is a JSON object on one line with a `kind`. `Child` is the parent's end, `Parent` the
child's. A child's standard output carries messages alone: what is printed in it goes to standard
error, whose last lines tell why it ended. `serve` offers the methods of an object to `Child.call`.
"""

import collections
import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import psutil

Message = Mapping[str, Any]

_ROOT = Path(__file__).resolve().parents[2]
_EXIT_S = 5.0  # given to a child that closed its output, and to the readers of its last lines


class ChildError(RuntimeError):
    """A child answered with an error; the text is one line."""


class ChildEnded(ChildError):
    """The child's process has ended; the text says why."""


class ChildTimeout(ChildError):
    """No message came within the time given."""


class Child:
    """A Python module in a process and a session of its own, which finds this project anywhere.

    Ctrl-C at the terminal does not reach it: that is for the parent to handle.
    """

    def __init__(self, module: str, arguments: Sequence[str] = ()) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=environment(),
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # on Windows
        )
        self._messages: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._errors: collections.deque[str] = collections.deque(maxlen=20)
        self._readers = [_in_background(self._read_messages), _in_background(self._read_errors)]

    @property
    def pid(self) -> int:
        """The id of its process and of its process group."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; minus the signal's number where one ended it."""
        return self._process.poll()

    def send(self, message: Message) -> None:
        """Send one message; raises ChildEnded where nobody reads it any more."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
        except (OSError, ValueError):  # a broken pipe, or one that `kill` has closed
            raise ChildEnded(self._why_ended()) from None

    def receive(self, timeout_s: float | None = None) -> Message:
        """The next message; raises ChildTimeout (the child runs on) or ChildEnded."""
        try:
            message = self._messages.get(timeout=None if timeout_s is None else max(0.0, timeout_s))
        except queue.Empty:
            raise ChildTimeout(f"no answer within {timeout_s:.3g} s") from None
        if message is None:
            self._messages.put(None)  # for the next call
            raise ChildEnded(self._why_ended())
        return message

    def call(
        self,
        kind: str,
        *,
        timeout_s: float | None = None,
        notice: Callable[[str], None] = lambda text: None,
        **values: Any,
    ) -> Any:
        """The result of a method of the object that the child serves.

        Raises ChildError with what the method raised. A child that ends or does not answer in
        time is killed: a later answer would be taken for that of the next call.
        """
        deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
        try:
            self.send({"kind": kind, **values})
            message = self.receive(timeout_s)
            while message["kind"] == "notice":
                notice(message["text"])
                message = self.receive(deadline_s and deadline_s - time.monotonic())
        except ChildTimeout:
            self.kill()
            raise ChildTimeout(f"no answer within {timeout_s:.3g} s") from None
        except ChildEnded:
            self.kill()
            raise
        if message["kind"] == "error":
            raise ChildError(message["text"])
        return message["value"]

    def kill(self) -> None:
        """End it with all that it has started; harmless where it has ended."""
        if self.exit_code is None:
            _end_group(self.pid)
            self._process.wait()
        for reader in self._readers:
            reader.join(_EXIT_S)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert pipe is not None
            with contextlib.suppress(OSError):  # what was not sent yet has no reader
                pipe.close()

    def _why_ended(self) -> str:
        """One line: the signal that ended it, its last error, or its exit code."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_EXIT_S)
        exit_code, lines = self.exit_code, self._errors
        if exit_code is None:
            return "closed its output"
        if exit_code < 0:
            name = signal.Signals(-exit_code).name
            return f"killed by {name}{' (out of memory?)' if name == 'SIGKILL' else ''}"
        self._readers[1].join(_EXIT_S)
        said = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
        return [f"ended with exit code {exit_code}", *lines, *said][-1][:500]

    def _read_messages(self) -> None:
        for line in _lines(self._process.stdout):
            try:
                message = json.loads(line)
            except ValueError:
                message = None
            if isinstance(message, dict):
                self._messages.put(message)
            else:  # printed before the child set its output apart
                self._errors.append(line)
        self._messages.put(None)

    def _read_errors(self) -> None:
        self._errors.extend(_lines(self._process.stderr))


class Parent:
    """A child's connection to its parent; make one per process.

    The process is killed with all that it has started when the parent is gone, even by `kill -9`:
    the system closes the parent's end of standard input then.
    """

    def __init__(self) -> None:
        self._messages: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._output = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
        self._lock = threading.Lock()
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        _in_background(self._read)

    def send(self, kind: str, **values: Any) -> None:
        """Send one message."""
        with self._lock:
            print(json.dumps({"kind": kind, **values}), file=self._output, flush=True)

    def receive(self) -> Message:
        """The next message; waits for it as long as the parent lives."""
        return self._messages.get()

    def _read(self) -> None:
        # Not through sys.stdin, whose lock this thread would hold when the interpreter ends.
        with os.fdopen(sys.stdin.fileno(), closefd=False, encoding="utf-8") as given:
            for line in given:
                self._messages.put(json.loads(line))
        _end_group(os.getpid())  # compilers and loaders, too
        os._exit(137)


def serve(make: Callable[..., Any]) -> None:
    """Answer a parent's `Child.call`s: the first makes an object, the others call its methods.

    `make` is given the values of the first call and `notice`, which sends a line of text.
    """
    parent, made = Parent(), None
    while True:
        values = dict(parent.receive())
        kind = values.pop("kind")
        try:
            if made is None:
                made = make(notice=lambda text: parent.send("notice", text=text), **values)
                value = None
            else:
                value = getattr(made, kind)(**values)
        except Exception as error:  # of an architecture, a framework, a driver: no common class
            first_line = str(error).strip().splitlines()[:1]
            parent.send("error", text=": ".join([type(error).__name__, *first_line])[:300])
            if made is None:
                return
        else:
            parent.send("result", value=value)


def environment() -> dict[str, str]:
    """This process's environment, for a child of this project whose output is read as UTF-8."""
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, "PYTHONIOENCODING": "utf-8"}


def _end_group(pid: int) -> None:
    """End a process that leads a group, and all that it has started."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        return
    with contextlib.suppress(psutil.Error):  # Windows, where a group cannot be ended as one
        process = psutil.Process(pid)
        for one in (*process.children(recursive=True), process):
            with contextlib.suppress(psutil.Error):
                one.kill()


def _in_background(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def _lines(pipe: IO[str] | None) -> Iterator[str]:
    """Lines that are not empty, to the end; the child never waits for a reader."""
    with contextlib.suppress(ValueError):  # closed by `kill`, while a grandchild held it open
        for line in pipe or ():
            if line.strip():
                yield line.strip()
