"""One race of a sweep in a process of its own, which exits with its parent.

A race that is killed (memory, a crash) does not end the sweep, and its memory is freed. Parent
and child exchange the messages of `speedrun.system.subprocesses`: the child receives its request
and sends lines of progress, points of the training curve, and at the end its run directory or an
error.
"""

import contextlib
import dataclasses
import sys
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speedrun.config import Data
from speedrun.sweep.early_stopping import Curve
from speedrun.system.subprocesses import Child, ChildEnded, ChildTimeout, Parent
from speedrun.training.callbacks import Callbacks
from speedrun.training.clock import process_age_s
from speedrun.training.request import RunRequest
from speedrun.training.runs.run_names import settle_abandoned

POLL_S = 0.25
SILENT_S = 2.0  # after which a line says how old it is
KILLED = -9  # what SIGKILL gives where there are signals
JUDGE_S = 1.0  # between decisions of early stopping

HasLost = Callable[[Curve], bool]


@dataclass(frozen=True, kw_only=True)
class Ended:
    """The end of a race's process: the directory of its run, or the reason why there is none."""

    exit_code: int | None  # None where its machine was lost
    run: Path | None = None
    error: str = ""
    stopped_at: float | None = None  # share of the budget at which early stopping ended it


def race(request: RunRequest, has_lost: HasLost | None = None) -> Generator[str, None, Ended]:
    """Run one race in a child process; yields its last line of progress several times a second.

    The race is killed when `has_lost` says so of its curve, and when the generator is closed.
    """
    child = Child("speedrun.sweep.child")
    curve: list[tuple[float, float | None]] = []
    line, judged_s = "starting", time.monotonic()
    heard_s = judged_s
    try:
        child.send(dataclasses.asdict(request) | {"out": str(request.out)})
        while True:
            silent_s = time.monotonic() - heard_s
            yield line if silent_s < SILENT_S else f"{line} ({silent_s:.0f} s)"
            if has_lost is not None and curve and time.monotonic() - judged_s > JUDGE_S:
                judged_s = time.monotonic()
                if has_lost(curve):
                    return Ended(exit_code=KILLED, stopped_at=curve[-1][0])
            with contextlib.suppress(ChildTimeout):
                message = child.receive(POLL_S)
                if message["kind"] == "finished":
                    return Ended(exit_code=0, run=Path(message["run"]))
                if message["kind"] == "failed":
                    return Ended(exit_code=2, error=message["text"])
                if message["kind"] == "tick":
                    curve.append((message["share"], message["loss_nats"]))
                line, heard_s = message["text"], time.monotonic()
    except ChildEnded as error:
        return Ended(exit_code=child.exit_code, error=str(error))
    finally:
        child.kill()
        settle_abandoned(request.out)


def finish(racing: Generator[str, None, Ended], hear: Callable[[str], None]) -> Ended:
    """Run a race to its end; `hear` is told its last line of progress, again and again."""
    with contextlib.closing(racing):
        while True:
            try:
                hear(next(racing))
            except StopIteration as stop:
                return stop.value


class _Callbacks(Callbacks):
    """Sends the progress of a race to the parent."""

    def __init__(self, parent: Parent) -> None:
        self._parent = parent

    def notice(self, text: str) -> None:
        self._parent.send("line", text=text)

    def phase(self, text: str) -> None:
        self._parent.send("line", text=f"{text} …")

    def tick(self, tick: Any) -> None:
        text = f"{tick.share:4.0%}  loss {tick.loss_nats:.3f}  {tick.tokens_per_s:,.0f} tokens/s"
        self._parent.send("tick", share=tick.share, loss_nats=tick.loss_nats, text=text)

    def scoring(self, share: float) -> None:
        self._parent.send("line", text=f"scoring {share:.0%}")


def main() -> None:
    """Run the race that the parent asks for."""
    parent = Parent()
    from speedrun.training.race import race
    from speedrun.training.signals import StopFlag

    values: dict[str, Any] = dict(parent.receive())
    data, out = Data(**values.pop("data")), Path(values.pop("out"))
    values["settings"] = tuple(values["settings"])
    request = RunRequest(**values, data=data, out=out)
    try:
        with StopFlag() as stop:
            finished = race(request, _Callbacks(parent), stop, started_s=process_age_s())
    except (KeyError, IndexError):
        raise  # a defect of ours, with its traceback
    except (ValueError, LookupError, OSError, MemoryError) as error:
        parent.send("failed", text=" ".join(str(error).split()) or type(error).__name__)
        sys.exit(2)
    parent.send("finished", run=str(finished.folder))


if __name__ == "__main__":
    main()
