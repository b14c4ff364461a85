"""A sweep's directory: its settings, its runs, its failures, and a lock.

sweep.json        the settings that all its runs share, and every grid that was asked for
failures.jsonl    one line per race without a result: which, exit code, error
<run>/            finished runs, as any race leaves them
.sweep.lock       held while a sweep works here; the system releases it when its holder dies
"""

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from speedrun.records.files import record_paths
from speedrun.records.schema import Record, load
from speedrun.scaling_laws.laws_file import MANIFEST, read_manifest
from speedrun.system import locks
from speedrun.system.files import write_atomic

FAILURES = "failures.jsonl"


class Key(NamedTuple):
    """One race of a sweep; the size is the one asked for."""

    arch: str
    params: int
    minutes: float
    seed: int
    tables: int = 0  # parameters beside the size
    variant: str = ""  # settings that vary: "recipe.lr=0.01"


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A race without a result: it failed, or early stopping ended it."""

    arch: str
    params: int
    minutes: float
    seed: int
    exit_code: int | None  # None: its machine was lost
    error: str
    stopped_at: float | None = None  # share of the budget at which early stopping ended it
    tables: int = 0
    variant: str = ""
    when: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    @property
    def key(self) -> Key:
        """The race."""
        sizes = self.arch, self.params, self.minutes
        return Key(*sizes, self.seed, self.tables, self.variant)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the directory's lock; ValueError where another sweep does, or nothing can be written.

    On a file system without locks there is none to hold.
    """
    with contextlib.ExitStack() as held:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = locks.acquire(folder / ".sweep.lock")
        except OSError as error:
            if error.errno not in locks.UNSUPPORTED:
                raise ValueError(
                    f"--out {folder}: cannot write there ({error.strerror}); choose another"
                    " directory"
                ) from None
        else:
            if lock is None:
                raise ValueError(
                    f"--out {folder}: another sweep is running there; wait for it or choose"
                    " another directory"
                )
            held.callback(lock.release)
        yield


def records(folder: Path) -> tuple[list[Record], list[str]]:
    """Records of finished runs below a directory, and one line for each invalid file."""
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such directory; give the --out of a sweep")
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


def save_manifest(
    folder: Path,
    shared: Mapping[str, Any],
    grid: Mapping[str, Any],
    code: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Add a grid to `sweep.json`; ValueError if the runs there have other shared settings.

    Sizes, budgets, seeds and architectures may be added by any later command. What all runs share
    may not differ: their scores would not compare, or their laws would mix two recipes. Nor may
    the code that races an architecture; before it was kept here, it is taken to be another.
    """
    path = folder / MANIFEST
    grids: list[Any] = []
    raced: dict[str, str] = {}
    if path.exists():
        manifest = read_manifest(path)
        grids, before = manifest["grids"], manifest["shared"]
        archs = {Path(arch).name for one in grids for arch in one.get("archs", ())}
        raced = manifest.get("code") or dict.fromkeys(archs & code.keys(), "unknown")
        changes = [
            f"{key} was {shortened(before.get(key))}, is {shortened(value)}"
            for key, value in shared.items()
            if before.get(key) != value
        ]
        changes += [
            f"the code of {arch} was {shortened(raced[arch])}, is {shortened(digest)}"
            " (it was edited, or another commit is checked out)"
            for arch, digest in code.items()
            if raced.get(arch, digest) != digest
        ]
        if changes:
            raise ValueError(
                f"--out {folder}: the runs there have other settings: {'; '.join(changes)};"
                " choose another directory, or race with what the runs there were raced with"
            )
    if grid not in grids:
        grids.append(grid)
    content = {"schema": 1, "shared": shared, "code": {**raced, **code}, "grids": grids}
    write_atomic(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def shortened(value: Any) -> str:
    """A setting in a few words; of a fingerprint, its beginning."""
    text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    return (text[:12] if len(text) == 64 else text) or "nothing"


def save_failures(folder: Path, found: Mapping[Key, Failure]) -> None:
    """Replace the list of failures."""
    if found or (folder / FAILURES).exists():
        lines = (json.dumps(asdict(one), ensure_ascii=False) + "\n" for one in found.values())
        write_atomic(folder / FAILURES, "".join(lines))


def failures(folder: Path) -> dict[Key, Failure]:
    """The last failure of each race; invalid lines are skipped.

    In files of older versions a line without an error says that the race succeeded since.
    """
    path = folder / FAILURES
    found: dict[Key, Failure] = {}
    if path.exists():
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            with contextlib.suppress(ValueError, TypeError):
                failure = Failure(**json.loads(line))
                found[failure.key] = failure
    return {key: failure for key, failure in found.items() if failure.error}
