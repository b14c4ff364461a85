"""Commands of the leaderboard: submit, verify, leaderboard and compare.

`speedrun.cli.app` has their descriptions and imports this module when one of them is called.
"""

import getpass
import json
import os
import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from rich.console import Console
from rich.text import Text

from leaderboard import boards as ranked
from leaderboard import compare as comparing
from leaderboard import duel_folder, index
from leaderboard import submit as submitting
from leaderboard.attestations import one_line
from leaderboard.checks import across
from leaderboard.index import Index
from leaderboard.render import comparison, markdown, reports, terminal, verification
from leaderboard.render import json as plain
from leaderboard.standing.boards import Board
from leaderboard.store import Store, open_store
from leaderboard.verify import case as cases
from leaderboard.verify.case import Request
from speedrun.records.sanitize import brief, sanitize
from speedrun.system import git
from speedrun.system.files import write_atomic
from speedrun.system.paths import cache_dir
from speedrun.text import StrictInt, counted
from speedrun.training.options import FLAG
from speedrun.ui import live

WIDE = 240  # columns of a table that is not printed to a terminal

Flag = Annotated[bool, FLAG]
Json = Annotated[bool, FLAG, Parameter(name="--json")]
From = Annotated[str | None, Parameter(name="--from")]
_DEFAULTS = Request()


def submit(
    *runs: str,
    name: str | None = None,
    author: str | None = None,
    to: str | None = None,
    with_weights: Flag = False,
    new_data: Flag = False,
    json_: Json = False,
) -> None:
    """Check finished runs and add their records to a leaderboard.

    Runs that are not accepted are left out, each with the reason; the exit code is then 1.

    Parameters
    ----------
    runs
        Folders of finished runs, hf://user/name of published ones, or folders of whole duels.
    name
        What is new in them, in a few words; in a duel, what is new in B.
    author
        Who trained them. Default: of hf://user/name that user; of a folder nobody.
    to
        A folder, or any address that fsspec supports (s3://…, hf://…). Default: the project's
        own leaderboard/records.
    with_weights
        Store weights and tokenizer beside the record, so that others can verify it.
    new_data
        Open a track for data, or a number of held-out documents, that the leaderboard does not
        have yet.
    json_
        Print the result for each run as JSON.
    """
    if not runs:
        raise ValueError("submit: give the folder of at least one finished run")
    name, author = _line("--name", name), _line("--author", author)
    store = open_store(to)
    options = {"with_weights": with_weights, "new_data": new_data}
    folders = [Path(run) for run in runs if duel_folder.is_duel(Path(run))]
    known = index.known_data(store)
    duels = [duel_folder.candidate(folder, store, known, **options) for folder in folders]
    single = [run for run in runs if Path(run) not in folders]
    with live.waiting("checking the runs"):
        found, refused = submitting.check(single, store, **options) if single else ([], [])
    console = Console(stderr=json_)
    for duel in duels:
        parts = duel_folder.submit(duel, store, name=name, author=author)
        for done in parts if json_ else ():
            print(json.dumps(done), flush=True)
        console.print(Text(sanitize(reports.submitted_duel(parts, store.url))), soft_wrap=True)
    for one, data in found:
        done = submitting.submit(one, store, name=name, author=author, opens=data)
        if json_:
            print(json.dumps(done), flush=True)
        for file in done["replaced"]:
            said = f"{file}: replaced, it was another file than its name says"
            console.print(Text(sanitize(said)), soft_wrap=True)
        console.print(Text(sanitize(reports.submitted(done, store.url))), soft_wrap=True)
    if refused:
        reports.problems(refused, len(found), check=True)
        sys.exit(1)


def _line(option: str, text: str | None) -> str | None:
    try:
        return None if text is None else one_line(text)
    except ValueError as error:
        raise ValueError(f"{option} {brief(text or '')}: {error}") from None


def verify(
    run: str,
    /,
    *,
    from_: From = None,
    by: str | None = None,
    request: Annotated[Request, Parameter(name="*")] = _DEFAULTS,
    json_: Json = False,
) -> None:
    """Rescore a run from its weights, check model and data, and say whether its record holds.

    The exit code is 1 if it does not.

    Parameters
    ----------
    run
        Folder of a finished run, hf://user/name of a published one, or the first digits of the id
        of a record, or of an entry, whose best run is taken.
    from_
        Leaderboard of the record. Default: the project's own leaderboard/records.
    by
        Who verifies, for the note that is saved. Default: the name of this machine's user.
    json_
        Print the verification as JSON.
    """
    from leaderboard.verify.verify import verify as verified

    try:
        name = _line("--by", getpass.getuser() if by is None else by) or ""
    except (OSError, KeyError, ImportError):  # what getpass raises differs by version
        raise ValueError("--by NAME: this machine's user has no name; give yours") from None
    with live.waiting("finding the run"):
        case = cases.find(run, open_store(from_))
    if case.files is None and not request.rerun:
        raise ValueError(
            f"{case.where}: {case.lacks}; ask its author for them (submit --with-weights), or race"
            " it again with --rerun, which needs none"
        )
    console = Console(stderr=json_)
    with live.view(console) as view:
        note, warnings = verified(case, request, name, view)
    if json_:
        print(json.dumps(note.content()), flush=True)
    verification.show(console, note, case.record, warnings)
    console.print(Text(sanitize(f"saved as {cases.save(case, note)}")), soft_wrap=True)
    if not note.agrees:
        sys.exit(1)


def leaderboard(
    *,
    from_: From = None,
    track: str | None = None,
    format_: Annotated[
        Literal["table", "markdown", "json", "html"], Parameter(name="--format")
    ] = "table",
    to: Path | None = None,
    top: StrictInt = 20,
    check: Flag = False,
) -> None:
    """Rank the records of a leaderboard: in the terminal, as Markdown, JSON or a web page.

    Parameters
    ----------
    from_
        A folder, or any address that fsspec supports. Default: the project's own
        leaderboard/records.
    track
        Show only tracks with these words in their title, such as "tinystories 5 min".
    format_
        table, markdown (LEADERBOARD.md), json, or html (a page that needs no server).
    to
        Folder to write to; Markdown and JSON are printed without it.
    top
        Entries per track in the terminal; 0 shows all.
    check
        Check every file again and fail if one is invalid.
    """
    if format_ == "html" and to is None:
        raise ValueError("--format html: give the folder of the page with --to FOLDER")
    if format_ == "table" and to is not None:
        raise ValueError("--to: needs --format markdown, json or html; a table is printed")
    if top < 0:
        raise ValueError(f"--top {top}: give a number of entries, or 0 for all")
    store = open_store(from_)
    found = index.read(store, None if check else cache_dir())
    problems = found.problems
    if check:
        problems += _checked(store, found)
    if not (found.runs or problems):
        found = ranked.own_runs(store, needs_records=check or format_ == "html")
    reports.problems(problems, len(found.runs), check=check)
    boards = _chosen(ranked.of(found), (track or "").lower().split())
    if format_ == "html":
        from leaderboard.render.html.page import write_page

        assert to is not None
        print(sanitize(str(write_page(to, boards, store))))
    elif format_ == "table":
        terminal.show(_console(), boards, top)
    elif format_ == "markdown":
        _write(to, markdown.FILE, markdown.render(boards))
    else:
        text = json.dumps(plain.boards(boards, problems), indent=1, ensure_ascii=True)
        _write(to, "leaderboard.json", f"{text}\n")
    if check and problems:
        raise ValueError(f"{store.url}: {counted(len(problems), 'problem')}, see above")


def _checked(store: Store, found: Index) -> list[str]:
    """Problems that no file has by itself; remarks are printed."""
    commits = git.commit_times(run.commit or "" for run in found.runs)
    reports.remarks(across.remarks(found.runs, commits))
    return [
        *(f"{store / f}: not a file of a leaderboard" for f in store.unexpected_files()),
        *(f"{store / f}: does not match its name" for f in store.changed_artifacts()),
        *across.problems(found.runs, found.submissions, commits),
    ]


def _console() -> Console:
    """Standard output; a pipe is wide, unless COLUMNS says otherwise."""
    is_sized = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(width=None if is_sized else WIDE)


def _chosen(boards: list[Board], words: list[str]) -> list[Board]:
    """Tracks whose title has all of these words or parts of words; numbers match whole."""

    def has(label: str, word: str) -> bool:
        return word in (label.split() if word.replace(".", "").isdecimal() else label)

    chosen = [b for b in boards if all(has(b.title.lower(), word) for word in words)]
    if boards and not chosen:
        known, given = "; ".join(board.title for board in boards[:10]), " ".join(words)
        raise LookupError(sanitize(f"--track {given}: no track has these words; known: {known}"))
    return chosen


def _write(to: Path | None, name: str, text: str) -> None:
    if to is None:
        print(text, end="")
        return
    try:
        write_atomic(to / name, text)
    except OSError as error:
        raise ValueError(f"--to {to}: cannot write there ({error.strerror})") from None
    print(sanitize(str(to / name)))


def compare(a: str, b: str, /, *, from_: From = None, json_: Json = False) -> None:
    """Compare two runs or entries: settings, loss curves, significance, time to equal loss.

    Parameters
    ----------
    a
        Folder of a run, hf://user/name of a published one, or the first digits of the id of a
        record or an entry.
    b
        Likewise.
    from_
        Leaderboard in which ids are looked up. Default: the project's own.
    json_
        Print the comparison as JSON.
    """
    store = open_store(from_)
    with live.waiting("finding the runs"):
        sides = comparing.find(a, store), comparing.find(b, store)
    found = comparing.compare(*sides)
    if json_:
        print(json.dumps(found, indent=1, ensure_ascii=True, allow_nan=False))
    else:
        comparison.show(_console(), found)
