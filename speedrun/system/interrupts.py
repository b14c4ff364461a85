"""Signals that end a command: the first is answered within two seconds, a second one at once.

Python runs no handler while the main thread is in native code, which may take minutes. But the
interpreter writes the number of each signal to a socket at once: a thread reads it there, and ends
the process where the main thread has not ended it in time.
"""

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, Self

ANSWER_S = 1.2  # until the process ends, in whatever code it is
SAME_S = 0.25  # shells, `timeout` and launchers send one request twice
_SHOW_CURSOR = "\x1b[?25h"


def _asking() -> tuple[signal.Signals, ...]:
    """Signals that ask a process to end; not the hang-up that nohup has told it to ignore."""
    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # Windows lacks one, the others another
    known = [getattr(signal, name) for name in names if hasattr(signal, name)]
    hup = getattr(signal, "SIGHUP", None)
    is_ignored = hup is not None and signal.getsignal(hup) is signal.SIG_IGN
    return tuple(number for number in known if number != hup or not is_ignored)


SIGNALS = _asking()


class Stopping:
    """Context of a command that says in one line what became of it when a signal ends it.

    `outcome` is the second half of that line. A first signal raises KeyboardInterrupt in the main
    thread, unless another handler is set meanwhile: that one says in `postponed` what the process
    waits for, and sets `is_answered` when the process has turned to what remains to be done. A
    context inside another one changes nothing.
    """

    def __init__(self, *, until_exit: bool = False) -> None:
        """`until_exit`: the context is that of the whole process, whose end counts, too."""
        self.outcome, self.postponed = "nothing was recorded", ""
        # Rows that a view has drawn in place and leaves to be erased, here or at the very end.
        self.drawn: Callable[[bool], int] = lambda is_end: 0
        self.is_answered = False
        self.number: int | None = None  # of the first signal
        self._until_exit = until_exit
        self._claimed = threading.Lock()
        self._is_raised = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        global _current
        is_main = threading.current_thread() is threading.main_thread()
        if not is_main or _current is not _INERT:
            return self
        _current = self
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        self._wakeup_before = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        self._before = {number: signal.signal(number, self._handle) for number in SIGNALS}
        self._hook_before, sys.unraisablehook = sys.unraisablehook, self._drop
        threading.Thread(target=self._watch, name="signals", daemon=True).start()
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        global _current
        if _current is not self:
            return
        if self._until_exit:
            self._is_raised = True  # no handler of ours may fail while the interpreter ends
            if self.number is not None and isinstance(error, SystemExit):
                _exit_at_once(error.code)  # the interpreter with its libraries may take seconds
            return
        _current = _INERT
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup_before)
        sys.unraisablehook = self._hook_before
        self._writer.close()  # ends the thread

    @property
    def exit_code(self) -> int:
        """128 and the number of the signal; that of Ctrl-C where there was none."""
        return 128 + (self.number or signal.SIGINT)

    def claim(self) -> str:
        """The line to print: empty for all callers but the first."""
        if not self._claimed.acquire(blocking=False):
            return ""
        name = signal.Signals(self.number or signal.SIGINT).name
        return f"stopped ({name}); {self.outcome}"

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.number = self.number or number
        if not self._is_raised:  # another one is the thread's
            self._is_raised = True
            raise KeyboardInterrupt

    def _drop(self, unraisable: Any) -> None:
        """Say nothing of a KeyboardInterrupt raised where it is lost, such as in a destructor."""
        if not (self.number and unraisable.exc_type is KeyboardInterrupt):
            self._hook_before(unraisable)

    def _watch(self) -> None:
        first_s, deadline_s = 0.0, None
        while True:
            left_s = None if deadline_s is None else max(1e-3, deadline_s - time.monotonic())
            self._reader.settimeout(left_s)
            try:
                received = self._reader.recv(1)
            except TimeoutError:
                deadline_s = None
                if self.postponed and not self.is_answered:
                    num_rows = self.drawn(False)
                    # The view goes on where it was, below the line.
                    _tell(self.postponed + "\n" * max(0, num_rows - 1), num_rows)
                elif not self.is_answered:
                    self._leave()
                continue
            if not received:
                self._reader.close()
                return
            if received[0] not in SIGNALS:  # such as that of a child that ended
                continue
            self.number, now_s = self.number or received[0], time.monotonic()
            if not first_s:
                first_s, deadline_s = now_s, now_s + ANSWER_S
            elif now_s - first_s > SAME_S:
                self._leave()

    def _leave(self) -> None:
        line = self.claim()
        _tell(line, self.drawn(True) if line else 0)
        os._exit(self.exit_code)


def _exit_at_once(code: str | int | None) -> None:
    for stream in filter(None, (sys.stdout, sys.stderr)):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


def _tell(line: str, num_rows: int = 0) -> None:
    """Write to standard error, past all streams and their locks: the main thread may hold them.

    So many rows of a terminal are erased before.
    """
    if not line:
        return
    erase = "\r\x1b[2K" + "\x1b[1A\x1b[2K" * (num_rows - 1) if num_rows else ""
    with contextlib.suppress(OSError):
        for terminal in [fd for fd in (1, 2) if os.isatty(fd)][:1]:
            os.write(terminal, (erase + _SHOW_CURSOR).encode("ascii"))
    with contextlib.suppress(OSError):
        os.write(2, f"{line}\n".encode("ascii", "backslashreplace"))


_current = _INERT = Stopping()


def current() -> Stopping:
    """The context of this process's command; one without effect where there is none."""
    return _current
