"""What the project's own records say of a race, beside its score: seconds off the clock, bytes."""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from speedrun.records.files import OWN_RECORDS
from speedrun.records.schema import OFF_CLOCK, load

USUAL_OFF_S = 25.0  # a race's seconds off the clock, where none was recorded
_USUAL_RECORD_BYTES, _USUAL_NOTE_BYTES = 15_700.0, 200.0  # of networks raced for five minutes
_RECORD, _NOTE = f"{'[0-9a-f]' * 64}.json", "*.submission.json"


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """Medians over the recorded races of an architecture; `off_s` is empty without any."""

    off_s: Mapping[str, float]  # by account of the clock
    record_bytes: float
    note_bytes: float  # who submitted it
    source: str

    @property
    def total_off_s(self) -> float:
        return sum(self.off_s.values()) if self.off_s else USUAL_OFF_S


def races(arch: str, folder: Path = OWN_RECORDS) -> Recorded:
    """The medians of all races of an architecture's default recipe that were not cut short."""
    paths = sorted(folder.glob(_RECORD))
    found = [(load(path), path.stat().st_size) for path in paths]
    ours = [
        (record, size)
        for record, size in found
        if record.arch == arch
        and record.config.get("recipe_name") == "default"
        and record.status == "complete"
    ]
    if not ours:
        return Recorded(
            off_s={},
            record_bytes=_USUAL_RECORD_BYTES,
            note_bytes=_USUAL_NOTE_BYTES,
            source=f"assumed: no race of {arch} is recorded",
        )
    clocks = [record.clock for record, _ in ours]
    classes = sorted({record.hardware.hardware_class for record, _ in ours})
    notes = [path.stat().st_size for path in folder.glob(_NOTE)]
    return Recorded(
        off_s={name: statistics.median(getattr(c, name) for c in clocks) for name in OFF_CLOCK},
        record_bytes=float(statistics.median(size for _, size in ours)),
        note_bytes=float(statistics.median(notes)) if notes else _USUAL_NOTE_BYTES,
        source=f"median of {len(ours)} recorded races of {arch} on {', '.join(classes)}",
    )
