"""Folder of generated pages: new files replace old ones, and stale ones are deleted.

A manifest in the folder names the files that were generated. Nothing else is ever replaced or
deleted: people publish pages from folders that hold other files, too.
"""

import contextlib
import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from speedrun.system.files import write_atomic

MANIFEST = ".leaderboard-files.json"
_GENERATED = re.compile(r"index\.html|style\.css|page\.js|curves\.js|entries/[0-9a-f]{12}\.html")


class Pages:
    """Generated files on their way to a folder; several processes may write to one `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names: set[str] = set()

    def write(self, name: str, text: str) -> None:
        """Write a file, and take it along."""
        assert _GENERATED.fullmatch(name), name
        (self.folder / name).parent.mkdir(exist_ok=True)
        (self.folder / name).write_text(text, encoding="utf-8", newline="\n")
        self.names.add(name)


@contextlib.contextmanager
def pages(to: Path) -> Iterator[Pages]:
    """Context of files that land in `to` at its end, or not at all.

    Raises ValueError where `to` cannot be written or holds somebody else's file of such a name.
    """
    try:
        to.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            prefix=".leaderboard-partial-", dir=to, ignore_cleanup_errors=True
        ) as folder:
            made = Pages(Path(folder))
            yield made
            _move(to, made.folder, made.names)
    except OSError as error:
        why = f"cannot write there ({error.strerror}); give another folder or run this again"
        raise ValueError(f"--to {to}: {why}") from None


def _move(to: Path, partial: Path, names: set[str]) -> None:
    ours = _manifest(to)
    if (to / "entries").is_symlink():
        raise ValueError(f"--to {to}: entries is a symbolic link, which may lead anywhere")
    if foreign := [name for name in names if name not in ours and (to / name).exists()]:
        raise ValueError(
            f"--to {to}: {foreign[0]} exists and was not written by this command; give another"
            " folder or move the file away"
        )
    # Listed before they exist, so that files left by a crash are known the next time.
    _write_manifest(to, ours | names)
    (to / "entries").mkdir(exist_ok=True)
    for name in sorted(names, key=lambda name: name == "index.html"):  # links last
        (partial / name).replace(to / name)
    for name in ours - names:
        (to / name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # not empty
        (to / "entries").rmdir()
    _write_manifest(to, names)


def _manifest(to: Path) -> set[str]:
    try:
        names = json.loads((to / MANIFEST).read_bytes())
    except (FileNotFoundError, ValueError):
        return set()
    # Anybody can write a manifest: only names that are generated count.
    names = names if isinstance(names, list) else []
    return {name for name in names if isinstance(name, str) and _GENERATED.fullmatch(name)}


def _write_manifest(to: Path, names: set[str]) -> None:
    write_atomic(to / MANIFEST, json.dumps(sorted(names), indent=0) + "\n")
