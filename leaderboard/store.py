"""Where records lie: the folders of finished runs."""

from collections.abc import Iterator
from pathlib import Path

from leaderboard.record import Record, load

RECORD = "record.json"


def runs(folder: Path) -> Iterator[tuple[Path, Record]]:
    """Finished runs below a folder, races of several seeds included; broken ones are passed by."""
    for path in sorted([*folder.glob(f"*/{RECORD}"), *folder.glob(f"*/*/{RECORD}")]):
        if any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue  # not finished
        try:
            yield path.parent, load(path)
        except (ValueError, OSError):
            continue
