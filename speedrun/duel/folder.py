"""A duel's folder: its pairs, its races, and the runs themselves.

duel.json     the duel with all its pairs, rewritten after each
races.jsonl   one line per finished race: attempt, side, record, host, seconds
<run>/        runs, as any race leaves them
failed.txt    the last lines of a race that failed
.duel.lock    held while a duel works here; the system releases it when its holder dies
"""

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from speedrun.records.duel import DUEL, MAX_DUEL_BYTES, Duel, SideName, parse_duel
from speedrun.records.files import read_runs
from speedrun.records.schema import Record
from speedrun.system import locks
from speedrun.system.files import write_atomic
from speedrun.training.runs.run_names import settle_abandoned

RACES, FAILED = "races.jsonl", "failed.txt"


@dataclass(frozen=True, kw_only=True)
class Raced:
    """A finished race of an attempt; `host` is what was measured around it."""

    attempt: int
    side: SideName
    record: str
    host: Mapping[str, float | None] | None
    wall_s: float


class DuelFolder:
    """The files of one duel."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records: dict[str, Record] = {}  # of all finished runs here, by id
        self.races: list[Raced] = []

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock of the folder and read what is there; ValueError where another does."""
        lock = None
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = locks.acquire(self.path / ".duel.lock")
        except OSError as error:
            if error.errno not in locks.UNSUPPORTED:
                raise ValueError(
                    f"{self.path}: cannot write there ({error.strerror}); choose another --out"
                ) from None
        else:
            if lock is None:
                raise ValueError(f"{self.path}: this duel is being raced already; wait for it")
        try:
            settle_abandoned(self.path)
            self.refresh()
            self.races = list(self._raced())
            yield
        finally:
            if lock is not None:
                lock.release(remove=True)

    def load(self) -> Duel | None:
        """The duel so far; ValueError where its file was changed or a run of it is gone."""
        path = self.path / DUEL
        try:
            with path.open("rb") as file:
                duel = parse_duel(file.read(MAX_DUEL_BYTES + 1), str(path))
        except FileNotFoundError:
            return None
        if gone := [id for id in duel.records if id not in self.records]:
            raise ValueError(
                f"{self.path}: the run {gone[0][:12]} of a finished pair is gone or was changed;"
                " put it back, or start anew with another --out"
            )
        return duel

    def save(self, duel: Duel) -> None:
        """Replace `duel.json`."""
        self.write(DUEL, duel.to_json())

    def write(self, name: str, text: str) -> None:
        """Create or replace a file; ValueError where the disk does not take it."""
        with self._writing():
            write_atomic(self.path / name, text)

    def add(self, raced: Raced) -> None:
        """Note a finished race."""
        self.races.append(raced)
        lines = "".join(json.dumps(asdict(one)) + "\n" for one in self.races)
        self.write(RACES, lines)

    def refresh(self) -> list[Record]:
        """Read the runs that are new."""
        fresh = [record for _, record in read_runs(self.path) if record.id not in self.records]
        self.records |= {record.id: record for record in fresh}
        return fresh

    def keep_failure(self, lines: Sequence[str]) -> Path:
        """Keep the last lines of a race that failed."""
        path = self.path / FAILED
        with contextlib.suppress(OSError):
            write_atomic(path, "\n".join(lines) + "\n")
        return path

    def _raced(self) -> Iterator[Raced]:
        with contextlib.suppress(OSError, ValueError, TypeError):
            for line in (self.path / RACES).read_text(encoding="utf-8").splitlines():
                raced = Raced(**json.loads(line))
                if raced.record in self.records:
                    yield raced

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ValueError(
                f"{self.path}: cannot write there ({error.strerror}); finished pairs are kept:"
                " make room and run the same command again"
            ) from None
