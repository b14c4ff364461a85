"""A sweep's folder: what was asked for, the records in it, what failed, and who works in it.

sweep.json        the settings that all its runs share, and every grid that was asked for
failures.jsonl    a line for each run that failed (which, exit code, error), or no longer does
<run>/            finished runs, as any race leaves them
.sweep.lock       held while a sweep works here; the system lets go of it when its holder dies
"""

import contextlib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import filelock

from speedrun.records.files import record_paths
from speedrun.records.schema import Record, load
from speedrun.scaling_laws.laws_file import MANIFEST, read_manifest
from speedrun.system.files import write_atomic

FAILURES = "failures.jsonl"
_LOCK = ".sweep.lock"
_SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A run that left no result: it failed, or was stopped because it could not win."""

    arch: str
    params: int
    minutes: float
    seed: int
    exit_code: int | None
    error: str
    stopped_at: float | None = None  # share of the budget reached, where racing stopped it
    when: str = ""

    @property
    def key(self) -> tuple[str, int, float, int]:
        return self.arch, self.params, self.minutes, self.seed


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Alone in the folder; ValueError where another sweep is at work or nothing can be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder / _LOCK)
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise ValueError(
            f"--out {folder}: another sweep is at work there; wait for it or choose another folder"
        ) from None
    except OSError as error:
        raise ValueError(
            f"--out {folder}: cannot write there ({error.strerror}); choose another folder"
        ) from None
    with lock:
        yield


def records(folder: Path) -> tuple[list[Record], list[str]]:
    """Records of finished runs below a folder, and a line for each file that is none."""
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder; give the --out of a sweep")
    found: dict[str, Record] = {}
    problems = []
    for path in record_paths(folder):
        try:
            record = load(path)
        except (ValueError, OSError) as error:
            problems.append(str(error))
        else:
            found[record.id] = record
    return list(found.values()), problems


def agree(folder: Path, shared: Mapping[str, Any], grid: Mapping[str, Any]) -> None:
    """Note what is asked for; ValueError if the folder's runs were made with other settings.

    Sizes, budgets, seeds and architectures may be added by any later command. What is shared by
    all runs may not differ: their scores would not compare, or their laws would mix two recipes.
    """
    path = folder / MANIFEST
    grids: list[Any] = []
    if path.exists():
        known = read_manifest(path)
        before = known["shared"]
        differing = [key for key in shared if before.get(key) != shared[key]]
        if differing:
            parts = (f"{k} was {plain(before.get(k))}, is {plain(shared[k])}" for k in differing)
            raise ValueError(
                f"--out {folder}: the runs there were made with other settings:"
                f" {'; '.join(parts)}; choose another folder"
            )
        grids = known["grids"]
    if dict(grid) not in grids:
        grids.append(dict(grid))
    content = {"schema": _SCHEMA, "shared": dict(shared), "grids": grids}
    write_atomic(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def plain(value: Any) -> str:
    """A setting in a few words; of a fingerprint, its beginning."""
    text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    return (text[:12] if len(text) == 64 else text) or "nothing"


def note_failure(folder: Path, failure: Failure) -> None:
    line = asdict(failure) | {"when": datetime.now(UTC).isoformat(timespec="seconds")}
    with (folder / FAILURES).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")


def settle(folder: Path, keys: Collection[tuple]) -> None:
    """Runs that failed before and have a result now are failures no longer."""
    for key in failures(folder).keys() & set(keys):
        arch, params, minutes, seed = key
        note_failure(
            folder,
            Failure(arch=arch, params=params, minutes=minutes, seed=seed, exit_code=0, error=""),
        )


def failures(folder: Path) -> dict[tuple[str, int, float, int], Failure]:
    """The last failure of each run; a line that a crash cut short is passed by."""
    found: dict[tuple[str, int, float, int], Failure] = {}
    try:
        lines = (folder / FAILURES).read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return {}
    for line in lines:
        with contextlib.suppress(ValueError, TypeError):
            failure = Failure(**json.loads(line))
            found.pop(failure.key, None)
            if failure.error:
                found[failure.key] = failure
    return found
