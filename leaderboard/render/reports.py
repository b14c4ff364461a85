"""Lines about a store: problems and remarks on standard error, and what was added to it."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from speedrun.records.sanitize import sanitize
from speedrun.text import counted

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


def submitted(done: dict[str, Any], store: str) -> str:
    """`1c646e972772: added record, weights to leaderboard/records, as 'wider LSTM' by Ada`."""
    num = done["verifications_added"]
    news = {
        "record": done["added"],
        "name": done["entered"] and not done["added"],
        "weights": done["weights_added"],
        f"{num} verification{'s' * (num > 1)}": num > 0,
    }
    added = ", ".join(what for what, is_new in news.items() if is_new) or "nothing new"
    named = f"as {done['name']!r}" if done["name"] else "without a name"
    by = f" by {done['author']}" if done["author"] else ""
    return f"{done['id'][:12]}: added {added} to {store}, {named}{by}"


def submitted_duel(parts: Sequence[dict[str, Any]], store: str) -> str:
    """`7bd9e9e0c4d6: added 10 records and the duel to leaderboard/records`."""
    *runs, duel = parts
    news = f"{counted(sum(done['added'] for done in runs), 'record')} and"
    return (
        f"{duel['duel'][:12]}: added {news} {'the' if duel['added'] else 'no new'} duel to {store}"
    )


def _print(lines: Sequence[str], style: str) -> None:
    errors = Console(stderr=True)
    for line in lines:
        errors.print(Text(sanitize(line)), style=style, soft_wrap=True)
