"""Files of a finished run, and the runs below a folder."""

from collections.abc import Iterator
from pathlib import Path

from speedrun.records.schema import Record, load

RECORD, WEIGHTS, TOKENIZER = "record.json", "model.safetensors", "tokenizer.json"
CHECKPOINT = "checkpoint.safetensors"
OWN_RECORDS = Path(__file__).resolve().parents[2] / "leaderboard" / "records"


def record_paths(folder: Path) -> list[Path]:
    """Record files of finished runs up to two folders down, sorted; hidden folders are left out."""
    paths = sorted([*folder.glob(f"*/{RECORD}"), *folder.glob(f"*/*/{RECORD}")])
    return [p for p in paths if not any(x.startswith(".") for x in p.relative_to(folder).parts)]


def read_runs(folder: Path) -> Iterator[tuple[Path, Record]]:
    """Folder and record of each finished run below a folder; invalid records are skipped."""
    for path in record_paths(folder):
        try:
            yield path.parent, load(path)
        except (ValueError, OSError):
            continue


def board_records() -> Iterator[Record]:
    """The records that come with the project; invalid ones are skipped."""
    for path in sorted(OWN_RECORDS.glob("*.json")):
        if "." not in path.stem:  # not a note about a record
            try:
                yield load(path)
            except (ValueError, OSError):
                continue
