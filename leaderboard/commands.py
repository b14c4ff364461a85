"""What the commands `submit` and `leaderboard` do."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from leaderboard import index, rank
from leaderboard.attestations import one_line
from leaderboard.index import Index
from leaderboard.rank import Board
from leaderboard.render import json as plain
from leaderboard.render import markdown, terminal
from leaderboard.store import Store, open_store
from leaderboard.submit import Submitted, candidate, check_store, opened_data, submit
from speedrun.records.files import read_runs
from speedrun.records.sanitize import brief, sanitize
from speedrun.records.summary import summarize
from speedrun.system.paths import cache_dir

FORMATS = ("table", "markdown", "json", "html")
MAX_PROBLEMS = 10
WIDE = 240  # columns, where no terminal folds them


def submit_command(
    runs: Sequence[Path],
    *,
    name: str | None,
    author: str | None,
    to: str | None,
    with_weights: bool,
    new_data: bool,
    as_json: bool,
) -> None:
    """Check every run, then add them all; one that is refused leaves the store untouched."""
    if not runs:
        raise ValueError("submit: give the folder of at least one finished run")
    for option, text in (("--name", name), ("--author", author)):
        try:
            if text is not None:
                one_line(text)
        except ValueError as error:
            raise ValueError(f"{option} {brief(text)}: {error}") from None
    found = [candidate(run, with_weights=with_weights) for run in runs]
    store = open_store(to)
    known = index.known_data(store)
    opens = []
    for one in found:
        check_store(one, store)
        opens.append(data := opened_data(one, known, new_data=new_data))
        known += [data] if data is not None else []
    console = Console(stderr=as_json)
    for one, data in zip(found, opens, strict=True):
        done = submit(one, store, name=name, author=author, opens=data)
        if as_json:
            print(json.dumps(done.as_dict(), ensure_ascii=True), flush=True)
        console.print(Text(_told(done, store, name, author)), soft_wrap=True)


def _told(done: Submitted, store: Store, name: str | None, author: str | None) -> str:
    note, short = done.note, done.record.id[:12]
    known_as = " ".join(
        part
        for part in (
            f"as {note.name!r}" if note.name else "",
            f"by {note.author}" if note.author else "",
        )
        if part
    )
    if done.is_new:
        weights = ", with its weights" if done.has_new_weights else ""
        return f"added {short} to {store.url}{' ' * bool(known_as)}{known_as}{weights}"
    line = f"{short} was there already"
    if done.is_entered:
        line += f", entered now {known_as or 'without a name'}"
    elif (name, author) != (note.name, note.author) and (name or author):
        line += f", entered {known_as or 'without a name'}: that stays"
    added = ["its weights"] * done.has_new_weights
    added += [f"{done.num_new_verifications} verification(s)"] * bool(done.num_new_verifications)
    if added:
        return f"{line}; {' and '.join(added)} added"
    return line if done.is_entered else f"{line}; nothing changed"


def leaderboard_command(
    *, from_: str | None, track: str | None, format_: str, to: Path | None, top: int, check: bool
) -> None:
    """Show the tracks of a store; with `check`, also fail for anything in it that is not right."""
    if format_ not in FORMATS:
        raise ValueError(f"--format {sanitize(format_)}: allowed are {', '.join(FORMATS)}")
    if format_ == "html" and to is None:
        raise ValueError("--format html: say where the page goes with --to FOLDER")
    if format_ == "table" and to is not None:
        raise ValueError("--to: for --format markdown, json or html; a table is printed")
    if top < 0:
        raise ValueError(f"--top {top}: give a number of entries, or 0 for all")
    store = open_store(from_)
    found = index.read(store, None if check else cache_dir())
    problems = [*found.problems, *(_unexpected_files(store) if check else [])]
    if not (found.runs or problems):
        found = _own_runs(store, check or format_ == "html")
    _tell(problems, len(found.runs), check)
    boards = rank.boards(found.runs, found.submissions, found.verifications)
    boards = _chosen(boards, track)
    if format_ == "html":
        from leaderboard.render.html.page import write_page

        assert to is not None
        print(write_page(to, boards, store))
    elif format_ == "table":
        terminal.show(Console(width=None if sys.stdout.isatty() else WIDE), boards, top)
    else:
        _write(format_, boards, problems, to)
    if check and problems:
        raise ValueError(f"{store.url}: {len(problems)} problem(s), see above")


def _own_runs(store: Store, needs_records: bool) -> Index:
    """A folder of finished runs, shown as a leaderboard of one's own without submitting them."""
    rows = [summarize(record) for _, record in read_runs(Path(store.url))] if store.is_local else []
    if not rows or needs_records:
        raise ValueError(f"{store.url}: no records there; add some with: run.py submit RUN")
    return Index(runs=rows)


def _chosen(boards: list[Board], words: str | None) -> list[Board]:
    if words is None:
        return boards
    request = words.lower().split()
    chosen = [b for b in boards if all(_has(b.track.label.lower(), word) for word in request)]
    if not chosen:
        known = "; ".join(board.track.label for board in boards[:10])
        raise LookupError(
            sanitize(f"--track {words}: no track has these words; there are: {known}")
        )
    return chosen


def _has(label: str, word: str) -> bool:
    """Whether a track has a word, or part of one; a number has to be there whole."""
    is_number = word.replace(".", "").isdecimal()
    return word in label.split() or (not is_number and word in label)


def _tell(problems: Sequence[str], num_records: int, check: bool) -> None:
    errors = Console(stderr=True)
    shown = problems if check else problems[:MAX_PROBLEMS]
    for line in shown:
        errors.print(Text(f"left out: {sanitize(line)}"), style="yellow", soft_wrap=True)
    if len(shown) < len(problems):
        errors.print(f"and {len(problems) - len(shown)} more; --check shows all", style="yellow")
    if check and not problems:
        errors.print(f"{num_records} records: all of them hold")


def _unexpected_files(store: Store) -> list[str]:
    odd = [f"{store / name}: no file of a leaderboard" for name in store.unexpected_files()]
    return odd + [
        f"{store / name}: not the weights of its name" for name in store.changed_weights()
    ]


def _write(format_: str, boards: list[Board], problems: list[str], to: Path | None) -> None:
    if format_ == "markdown":
        file, text = markdown.FILE, markdown.render(boards)
    else:
        file = "leaderboard.json"
        text = json.dumps(plain.boards(boards, problems), indent=1, ensure_ascii=True) + "\n"
    if to is None:
        print(text, end="")
        return
    try:
        to.mkdir(parents=True, exist_ok=True)
        (to / file).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ValueError(f"--to {to}: cannot write there ({error.strerror})") from None
    print(to / file)
