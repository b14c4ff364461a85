"""A terminal in memory: the rows that a person sees after a program's output."""

import re

_CODES = re.compile(r"\x1b\[([?\d;]*)([A-Za-z])|\x1b\]8;[^\x1b]*\x1b\\|(.)", re.DOTALL)


class Terminal:
    """Understands what rich and `ui.screen` write; a line that is too long is wrapped."""

    def __init__(self, width: int) -> None:
        self._width, self._cells, self._row, self._column = width, [[]], 0, 0

    def feed(self, text: str) -> None:
        """Show the output of a program."""
        for number, code, character in _CODES.findall(text):
            if character == "\n":
                self._row, self._column = self._row + 1, 0
            elif character == "\r":
                self._column = 0
            elif character:
                self._put(character)
            elif code == "A":
                self._row = max(0, self._row - int(number or 1))
            elif code == "B":
                self._row += int(number or 1)
            elif code == "C":
                self._column = min(self._width - 1, self._column + int(number or 1))
            elif code == "K":
                self._line()[(0 if number == "2" else self._column) :] = []
            while self._row >= len(self._cells):
                self._cells.append([])

    def _line(self) -> list[str]:
        return self._cells[self._row]

    def _put(self, character: str) -> None:
        if self._column == self._width:
            self._row, self._column = self._row + 1, 0
            while self._row >= len(self._cells):
                self._cells.append([])
        line = self._line()
        line.extend(" " * (self._column + 1 - len(line)))
        line[self._column] = character
        self._column += 1

    @property
    def rows(self) -> list[str]:
        """The rows that show something."""
        shown = ("".join(line).rstrip() for line in self._cells)
        return [row for row in shown if row]
