"""Ctrl-C and SIGTERM: the first ends training early and keeps the run, a second leaves at once."""

import signal
from collections.abc import Iterable
from types import FrameType
from typing import Any, Self

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopFlag:
    """Context that turns the first signal into a request to stop.

    A second signal, and any before `arm`, raises KeyboardInterrupt.
    """

    def __init__(self, signals: Iterable[signal.Signals] = SIGNALS) -> None:
        self._signals = tuple(signals)
        self.requested = self._armed = False
        self.signal_name = ""
        self.kept = ""  # of the race under way, in a sentence: what is kept if it ends now
        self._before: dict[int, Any] = {}

    def arm(self) -> None:
        """Accept requests from here on: there is a run worth keeping."""
        self._armed, self.kept = True, ""

    def training_is_over(self, kept: str) -> None:
        """From here on a signal raises KeyboardInterrupt again: what was trained is safe."""
        self._armed, self.kept = False, kept

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._handle) for number in self._signals}
        return self

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested or not self._armed:
            raise KeyboardInterrupt
        self.requested, self.signal_name = True, signal.Signals(number).name
