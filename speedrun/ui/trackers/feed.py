"""A thread that opens a tracker's library and feeds it from a bounded queue."""

import threading
import time
from collections.abc import Callable
from queue import Full, Queue

from speedrun.text import reason
from speedrun.ui.trackers.libraries import Library

MOST_WAITING = 64  # entries; ten minutes of them
_TOGETHER = 2  # Trackio takes 10 ms of a core for one entry, and no more for some at a time

Entry = Callable[[Library], None]


class Feed:
    """Entries of one run on their way to a library, which may be slow, hang, or fail.

    Adding one takes microseconds. Those that the library cannot take in time are left out.
    """

    def __init__(self, open_: Callable[[], Library]) -> None:
        self._entries: Queue[tuple[Entry, bool]] = Queue(MOST_WAITING)  # and if it is the last
        self._is_open = threading.Event()
        self.where = ""
        self.failure = ""  # of the library, in one line
        self.num_left_out = 0
        self._thread = threading.Thread(
            target=self._work, args=(open_,), name="speedrun-tracker", daemon=True
        )
        self._thread.start()

    def wait_until_open(self, timeout_s: float) -> bool:
        """Whether the library has opened its run, or failed to, within so many seconds."""
        return self._is_open.wait(timeout_s)

    def add(self, entry: Entry) -> None:
        """Hand over an entry, or leave it out where too many wait."""
        try:
            self._entries.put_nowait((entry, False))
        except Full:
            self.num_left_out += 1

    def end(self, last: Entry, timeout_s: float) -> bool:
        """Whether the library has taken all and closed its run within so many seconds."""
        deadline_s = time.monotonic() + timeout_s
        if self._thread.is_alive():
            try:
                self._entries.put((last, True), timeout=timeout_s)
            except Full:
                return False
            self._thread.join(max(0.0, deadline_s - time.monotonic()))
        return not self._thread.is_alive()

    def _work(self, open_: Callable[[], Library]) -> None:
        try:
            library = open_()
            self.where = library.where
            self._is_open.set()
            is_last = False
            while not is_last:
                together: list[Entry] = []
                while len(together) < _TOGETHER and not is_last:
                    entry, is_last = self._entries.get()
                    together.append(entry)
                for entry in together:
                    entry(library)
        except Exception as error:  # libraries that talk to servers raise what they like
            self.failure = reason(error)
        finally:
            self._is_open.set()
