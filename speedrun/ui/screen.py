"""A region of a terminal, or of a notebook's output, that is drawn in place.

Rows are painted here, and only where they changed: a frame of a race is drawn on its clock, and
rich takes several milliseconds for one.
"""

import importlib
import threading
from collections.abc import Sequence
from typing import Any

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.constrain import Constrain
from rich.live import Live
from rich.style import Style
from rich.text import Text

from speedrun.system import interrupts
from speedrun.ui.chart import Span

MAX_WIDTH = 100
# The terminal itself shows ^C, twice perhaps: on a full line the cursor would leave it, and what
# is drawn next would not cover what was drawn before.
_SPARE_COLUMNS = 4
_WAIT_S = 0.2  # for another thread to erase

Row = Sequence[Span]


class Rows:
    """Rows of pieces of text with styles, as rich draws them."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for row in self.rows:
            yield Text.assemble(*row, no_wrap=True, overflow="crop")


class Screen:
    """Draws in place of what it drew before, and leaves nothing when it stops."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._codes: dict[str, tuple[str, str]] = {}  # before and after a text of a style
        self._painted: list[str] = []  # rows on the terminal; empty: something else is there
        self._rows: Sequence[Row] = ()  # the same; kept, so that an id is not another's
        self._erasing, self._is_left = threading.Lock(), False
        self._columns = 0  # of the terminal, as they were painted

    @property
    def width(self) -> int:
        """Columns to draw in."""
        return max(1, min(self._console.width - _SPARE_COLUMNS, MAX_WIDTH))

    @property
    def height(self) -> int:
        """Rows to draw in."""
        return max(1, self._console.height)

    @property
    def is_ascii(self) -> bool:
        """Whether nothing but ASCII can be shown."""
        return self._console.options.ascii_only

    def start(self) -> None:
        """Take the region below what is printed."""
        self._live.start()
        interrupts.current().drawn = self._give_up

    def stop(self) -> None:
        """Erase the region."""
        with self._erasing:
            interrupts.current().drawn = lambda is_end: 0
            self._painted = []
            if not self._is_left:
                self._live.stop()

    def show(self, what: RenderableType) -> None:
        """Draw what rich can draw."""
        self._painted = []
        self._live.update(Constrain(what, self.width), refresh=True)

    def paint(self, rows: Sequence[Row]) -> None:
        """Draw rows; of as many as before only those that changed."""
        rows = rows[: self.height]
        known = dict(zip(map(id, self._rows), self._painted, strict=False))
        lines = [known.get(id(row)) or self._line(row) for row in rows]
        before, columns = self._painted, self._console.width
        is_first = len(lines) != len(before) or columns != self._columns
        if is_first or self._console.legacy_windows:
            self.show(Rows(rows))
        else:
            # Rich draws them again below each notice.
            self._live.update(Constrain(Rows(rows), self.width))
            last, out = len(lines) - 1, []
            for number, (new, old) in enumerate(zip(lines, before, strict=True)):
                if new != old:
                    up = last - number
                    moves = (f"\x1b[{up}A", f"\x1b[{up}B") if up else ("", "")
                    out.append(f"{moves[0]}\r{new}\x1b[K{moves[1]}")
            if out:
                # To the end of the last row, where rich leaves the cursor, too.
                self._console.file.write(f"{''.join(out)}\r\x1b[{self.width}C")
                self._console.file.flush()
        self._painted, self._rows, self._columns = lines, rows, columns

    def _line(self, row: Row) -> str:
        """A row in the codes of the terminal."""
        out, left = [], self.width
        for text, style in row:
            if (length := cell_len(text)) > left:
                text, length = set_cell_size(text, left), left
            left -= length
            if style not in self._codes:
                self._codes[style] = self._of_style(style)
            before, after = self._codes[style]
            out.append(f"{before}{text}{after}")
        return "".join(out)

    def _of_style(self, style: str) -> tuple[str, str]:
        found = Style.parse(style) if style else Style.null()
        found = found.without_color if self._console.no_color else found
        system = self._console._color_system  # of colours; None: no codes at all
        before, _, after = found.render("\0", color_system=system).partition("\0")
        return before, after

    def _give_up(self, is_end: bool) -> int:
        """Rows that are drawn, for a signal's thread to erase; at the end it alone does."""
        if not self._erasing.acquire(timeout=_WAIT_S):
            return 0  # they are being erased
        try:
            self._painted = []
            if self._is_left or not self._live.is_started:
                return 0
            self._is_left = is_end
            return self._live._live_render.last_render_height
        finally:
            self._erasing.release()


class NotebookScreen(Screen):
    """The output of a notebook's cell, which is replaced as a whole."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._handle: Any = None

    def start(self) -> None:
        """Make an output that is empty."""
        display = importlib.import_module("IPython.display").display
        self._handle = display(Text(""), display_id=True)

    def stop(self) -> None:
        """Leave the output empty."""
        self._handle.update(Text(""))

    def show(self, what: RenderableType) -> None:
        """Draw what rich can draw."""
        self._handle.update(Constrain(what, self.width))

    def paint(self, rows: Sequence[Row]) -> None:
        """Draw rows."""
        self.show(Rows(rows))


def screen(console: Console) -> Screen:
    """The screen that suits where the console writes to."""
    return NotebookScreen(console) if console.is_jupyter else Screen(console)
