"""Ctrl-C, SIGTERM and SIGHUP in a race: the first one ends training early and keeps the run."""

import signal
import time
from collections.abc import Iterable
from types import FrameType
from typing import Any, Self

from speedrun.system import interrupts
from speedrun.system.interrupts import SAME_S, SIGNALS

_POSTPONED = "stopping once the step under way has ended and the model is saved;"
_LOST = " a second signal leaves at once and loses it"


class StopFlag:
    """Context that turns a signal during training into a request to stop.

    At any other time, and at a second signal, it raises KeyboardInterrupt. In the command line
    `speedrun.system.interrupts` ends the process where that is not enough.
    """

    def __init__(self, signals: Iterable[signal.Signals] = SIGNALS) -> None:
        self._signals = tuple(signals)
        self.signal_name = ""  # of the first signal
        self._armed = self._taken = False
        self._first_s = 0.0
        self.kept = ""  # of the race under way: what is kept if it ends now
        self._at_once = _LOST
        self._before: dict[int, Any] = {}

    @property
    def requested(self) -> bool:
        """Whether a signal came that did not raise KeyboardInterrupt."""
        return bool(self.signal_name)

    def begin(self, outcome: str) -> None:
        """Begin a race: until it has trained, a signal ends it with this outcome."""
        self._armed, self.kept, self._at_once = False, "", _LOST
        interrupts.current().postponed, interrupts.current().outcome = "", outcome

    def arm(self) -> None:
        """Accept a request from here on: a step has been taken, and is worth keeping."""
        self._armed = True
        interrupts.current().postponed = f"{_POSTPONED}{self._at_once}"

    def can_resume(self, how: str) -> None:
        """From here on a checkpoint is there, whatever ends the race."""
        self._at_once = f" after a second signal, which leaves at once, {how}"
        interrupts.current().outcome = how

    def take(self) -> bool:
        """Whether to end the training; the request is answered by that."""
        if self.requested:
            self._taken = interrupts.current().is_answered = True
        return self._taken

    def training_is_over(self, kept: str) -> None:
        """From here on a signal raises KeyboardInterrupt again: what was trained is safe.

        Raises it at once if a request came too late to end the training.
        """
        self._armed, self.kept = False, kept
        interrupts.current().postponed, interrupts.current().outcome = "", kept
        if self.requested and not self._taken:
            raise KeyboardInterrupt

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._handle) for number in self._signals}
        return self

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._first_s and time.monotonic() - self._first_s < SAME_S:
            return  # the same request: shells and launchers send it twice
        is_first, self._first_s = not self._first_s, time.monotonic()
        interrupts.current().number = interrupts.current().number or number
        if not (is_first and self._armed):
            raise KeyboardInterrupt
        self.signal_name = signal.Signals(number).name
