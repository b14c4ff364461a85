"""A folder of pages, written whole: new files replace old ones, old ones that are gone go.

A list of what was written stays in the folder. Nothing that it does not name is ever replaced or
deleted: people publish pages from folders that hold other things, too.
"""

import contextlib
import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from speedrun.system.files import write_atomic

MANIFEST = ".leaderboard-files.json"
_OURS = re.compile(r"index\.html|style\.css|page\.js|curves\.js|entries/[0-9a-f]{12}\.html")


class Pages:
    """Files on their way into a folder; `write` them inside `pages(to)`."""

    def __init__(self, partial: Path) -> None:
        self._partial = partial
        self.names: list[str] = []

    def write(self, name: str, text: str) -> None:
        assert _OURS.fullmatch(name), name
        path = self._partial / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
        self.names.append(name)


@contextlib.contextmanager
def pages(to: Path) -> Iterator[Pages]:
    """Everything written inside lands in `to` at the end; an error leaves `to` as it was.

    Raises ValueError where `to` cannot be written, or holds a file of one of these names that
    is not from an earlier time.
    """
    try:
        to.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=".leaderboard-partial-", dir=to))
    except OSError as error:
        raise ValueError(f"--to {to}: cannot write there ({error.strerror})") from None
    try:
        made = Pages(partial)
        yield made
        _move(to, partial, made.names)
    except OSError as error:
        raise ValueError(
            f"--to {to}: the page was not written whole ({error.strerror}); run this again"
        ) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _move(to: Path, partial: Path, names: list[str]) -> None:
    ours = _listed(to)
    if (to / "entries").is_symlink():
        raise ValueError(f"--to {to}: entries is a link there, which may lead anywhere")
    if foreign := [name for name in names if name not in ours and (to / name).exists()]:
        raise ValueError(
            f"--to {to}: {foreign[0]} is there and was not written by this command;"
            " give another folder, or move it away"
        )
    # Listed before it is there: what a crash leaves behind is known as ours the next time.
    _list(to, ours | set(names))
    (to / "entries").mkdir(exist_ok=True)
    for name in sorted(names, key=lambda name: name == "index.html"):  # what links, last
        (partial / name).replace(to / name)
    for name in ours - set(names):
        (to / name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # others may keep files there
        (to / "entries").rmdir()
    _list(to, set(names))


def _listed(to: Path) -> set[str]:
    try:
        names = json.loads((to / MANIFEST).read_bytes())
    except (FileNotFoundError, ValueError):
        return set()
    # A list can be anybody's: names that we never give stay.
    names = names if isinstance(names, list) else []
    return {name for name in names if isinstance(name, str) and _OURS.fullmatch(name)}


def _list(to: Path, names: set[str]) -> None:
    write_atomic(to / MANIFEST, json.dumps(sorted(names), indent=0) + "\n")
