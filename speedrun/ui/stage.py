"""A stage of a command that shows that it lives: seconds so far, and how far it is."""

import threading
import time
from collections.abc import Callable

from speedrun.text import clock

_SOON_S = 2.0  # a time left is not guessed from less


class Stage:
    """Calls `show` from a thread, every `every_s` seconds from `begin` to `end`.

    There is no thread while a model trains: it would take time from the clock.
    """

    def __init__(self, show: Callable[["Stage"], None], every_s: float) -> None:
        self._show, self._every_s = show, every_s
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self.text = ""
        self.share: float | None = None  # of the work, where that is known
        self._since_s = 0.0

    def begin(self, text: str) -> None:
        """Begin a stage; the one before it is over."""
        self.end()
        self.text, self.share, self._since_s = text, None, time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, args=[self._over], daemon=True)
        self._thread.start()

    def end(self) -> None:
        """End the stage; harmless where there is none."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()  # or it would draw into what comes next
            self._thread = None

    def spent(self) -> str:
        """`12 s so far`, or `40%, about 25 s left`."""
        spent_s = time.monotonic() - self._since_s
        if self.share is None:
            return f"{spent_s:.0f} s so far"
        if self.share >= 1:
            return "100%, last checks"
        if spent_s < _SOON_S or not self.share:
            return f"{self.share:.0%}"
        left_s = spent_s / self.share * (1 - self.share)
        left = f"{left_s:.0f} s" if left_s < 100 else clock(left_s)
        return f"{self.share:.0%}, about {left} left"

    def _beat(self, over: threading.Event) -> None:
        while not over.wait(self._every_s):
            self._show(self)
