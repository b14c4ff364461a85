"""Problems of a store, and remarks on its records, as lines on standard error."""

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from speedrun.records.sanitize import sanitize

MAX_PROBLEMS = 10  # printed without --check


def problems(found: Sequence[str], num_records: int, *, check: bool) -> None:
    """Print a line for each, or the first of them where no check was asked for."""
    shown = [f"left out: {line}" for line in found]
    if not check and (left := len(found) - MAX_PROBLEMS) > 0:
        shown[MAX_PROBLEMS:] = [f"and {left} more; --check shows all"]
    _print(shown, "yellow")
    if check and not found:
        Console(stderr=True).print(f"{num_records} records checked, no problems")


def remarks(found: Sequence[str]) -> None:
    """Print a line for each."""
    _print([f"note: {line}" for line in found], "dim")


def _print(lines: Sequence[str], style: str) -> None:
    errors = Console(stderr=True)
    for line in lines:
        errors.print(Text(sanitize(line)), style=style, soft_wrap=True)
