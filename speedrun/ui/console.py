"""What live views have in common: plain lines in a pipe, drawings in a terminal."""

from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text


class PlainLines:
    """A view that prints one line after another."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None: ...

    def notice(self, text: str) -> None:
        self._print(f"notice: {text}")

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


class Redrawn:
    """A view that draws in place, and leaves nothing but its notices."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._live.stop()

    def notice(self, text: str) -> None:
        self._console.print(Text(text, style="yellow"))

    def _draw(self, what: RenderableType) -> None:
        self._live.update(what, refresh=True)
