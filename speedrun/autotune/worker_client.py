"""The child process that candidates are timed in: started, asked, killed where it hangs."""

import collections
import json
import queue
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from speedrun.protocols import ExecutionConfig
from speedrun.system import subprocesses

WORKER = ("-m", "speedrun.autotune.worker")


class Failed(Exception):
    """What was asked for went wrong; says why, in a line."""


class TimedOut(Failed):
    """It did not end within the time given."""


@dataclass(frozen=True, kw_only=True)
class Built:
    """The first steps of an engine: loss in nats and seconds of each."""

    losses: Sequence[float]
    times_s: Sequence[float]
    is_slow: bool  # they ended early, slower than asked for; the engine is gone
    facts: Mapping[str, Any]


class Bench(Protocol):
    """Where engines are built and timed by name; what fails raises Failed."""

    @property
    def is_up(self) -> bool: ...
    def start(self, limit_s: float) -> None: ...
    def build(
        self,
        name: str,
        settings: ExecutionConfig,
        *,
        limit_s: float,
        first_limit_s: float | None = None,
        step_limit_s: float | None = None,
        may_shrink: bool = False,
    ) -> Built: ...
    def time(self, name: str, num_steps: int, *, limit_s: float) -> float: ...
    def drop(self, name: str) -> None: ...
    def close(self) -> None: ...


class ProcessBench:
    """A Bench in a process of its own; with that process all its engines are gone."""

    def __init__(self, subject: Mapping[str, Any], words: Sequence[str] = WORKER) -> None:
        self._subject, self._words = subject, words
        self._process: subprocess.Popen[str] | None = None

    @property
    def is_up(self) -> bool:
        return self._process is not None

    def start(self, limit_s: float) -> None:
        self._process = subprocesses.start(self._words, stdout=subprocess.PIPE)
        self._answers: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._errors: collections.deque[str] = collections.deque(maxlen=20)
        assert self._process.stdout is not None and self._process.stderr is not None
        self._readers = [
            _reader(self._process.stdout, self._answers.put),
            _reader(self._process.stderr, lambda line: line and self._errors.append(line)),
        ]
        self._ask(self._subject, limit_s)

    def build(
        self,
        name: str,
        settings: ExecutionConfig,
        *,
        limit_s: float,
        first_limit_s: float | None = None,
        step_limit_s: float | None = None,
        may_shrink: bool = False,
    ) -> Built:
        order = {
            "do": "build",
            "name": name,
            "settings": asdict(settings),
            "may_shrink": may_shrink,
            "first_limit_s": first_limit_s,
            "step_limit_s": step_limit_s,
        }
        return Built(**self._ask(order, limit_s))

    def time(self, name: str, num_steps: int, *, limit_s: float) -> float:
        order = {"do": "time", "name": name, "num_steps": num_steps}
        return self._ask(order, limit_s)["step_s"]

    def drop(self, name: str) -> None:
        if self.is_up:
            self._ask({"do": "drop", "name": name}, limit_s=5.0)

    def close(self) -> None:
        if self._process is not None:
            subprocesses.kill(self._process)
            for reader in self._readers:
                reader.join(timeout=5)
            for pipe in (self._process.stdout, self._process.stderr):
                if pipe is not None:
                    pipe.close()
            self._process = None

    def _ask(self, order: Mapping[str, Any], limit_s: float) -> dict[str, Any]:
        """The answer; the process is gone where none comes in time or it died of the order."""
        assert self._process is not None and self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            line = self._answers.get(timeout=max(0.0, limit_s))
        except BrokenPipeError:
            line = None
        except queue.Empty:
            self.close()
            raise TimedOut(f"did not end within {limit_s:.3g} s") from None
        if line is None:
            raise Failed(self._why_it_died())
        answer = json.loads(line)
        if "failed" in answer:
            raise Failed(answer["failed"])
        return answer

    def _why_it_died(self) -> str:
        process = self._process
        assert process is not None
        deadline_s = time.monotonic() + 5
        while process.poll() is None and time.monotonic() < deadline_s:
            time.sleep(0.01)
        exit_code = process.poll()
        self.close()
        if exit_code is None:
            return "closed its output"
        return subprocesses.why_ended(exit_code, list(self._errors))


def _reader(pipe: Any, take: Callable[[str | None], object]) -> threading.Thread:
    """Hands over line after line, and None at the end: the process never waits for a reader."""

    def read() -> None:
        for line in pipe:
            if line.strip():
                take(line.strip())
        take(None)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread
