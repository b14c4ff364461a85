"""Standard output and error that outlive their readers and can show any character."""

import codecs
import contextlib
import errno
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

from speedrun.records.sanitize import sanitize_stream

# For consoles that lack a character; blocks keep their width, so that curves stay in line.
_SPELLED = dict(zip("▁▂▃▄▅▆▇█·✓✗", "_.-~=+*#.vx", strict=True)) | {
    "…": "...",
    "±": "+-",
    "≤": "<=",
    "≥": ">=",
    "\u2013": "-",  # a dash, and quotes, which stories have
    "\u2014": "-",
    "\u2018": "'",
    "\u2019": "'",
    "\u201c": '"',
    "\u201d": '"',
}


def _spelled(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    characters = error.object[error.start : error.end]
    return "".join(_SPELLED.get(character, "?") for character in characters), error.end


codecs.register_error("speedrun.spelled", _spelled)


class Outlet:
    """A standard stream whose reader may leave and whose disk may be full: what is lost is text.

    `failure` is the error after which everything is dropped.
    """

    def __init__(self, stream: TextIO | None) -> None:
        """None for a stream that was closed before the process began."""
        self.failure: OSError | None = None
        if stream is None:
            self.failure = OSError(errno.EBADF, os.strerror(errno.EBADF))
            stream = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
        self._stream = stream
        self._is_terminal = stream.isatty()
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="speedrun.spelled")

    def write(self, text: str) -> int:
        """Write what is safe to show; in a pipe without the spaces that fill up a table's rows."""
        shown = sanitize_stream(text)
        shown = shown if self._is_terminal else re.sub(r" +(?=\n)", "", shown)
        self._outlive(lambda: self._stream.write(shown))
        return len(text)

    def flush(self) -> None:
        """Flush what was written."""
        self._outlive(self._stream.flush)

    def _outlive(self, do: Callable[[], object]) -> None:
        if self.failure is None:
            try:
                do()
            except OSError as error:
                self.failure = error
                _silence(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _silence(stream: TextIO) -> None:
    """Let what libraries and the interpreter still write there, and what is buffered, vanish."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@contextlib.contextmanager
def surviving() -> Iterator[Outlet]:
    """Outlets as standard output and error; yields the one of standard output."""
    before = sys.stdout, sys.stderr
    # A file that took the number of a closed stream would receive what libraries print.
    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(fd)
    outlets = Outlet(before[0]), Outlet(before[1])
    sys.stdout, sys.stderr = outlets  # type: ignore[assignment]
    try:
        yield outlets[0]
    finally:
        for outlet in outlets:
            outlet.flush()
        sys.stdout, sys.stderr = before
