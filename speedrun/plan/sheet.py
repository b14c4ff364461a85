"""A plan as a list of numbers, each with the formula behind it, and how they are written."""

from dataclasses import dataclass, field
from typing import Any, Literal

SECTIONS = ("model", "memory", "compute", "time", "data", "hints", "go_small", "cluster", "shared")
Value = float | int | str | None
GO, NO_GO, UNKNOWN = "go", "no-go", "unknown"
Answer = Literal["go", "no-go", "unknown"]


@dataclass(frozen=True)
class Figure:
    """One number: its plain value, how a person reads it, and the formula behind it."""

    section: str
    key: str
    label: str
    value: Value
    text: str
    formula: str


@dataclass(frozen=True)
class Verdict:
    """Whether what there is is enough; of a device, less the margin."""

    what: str  # memory, compute or time; hub, records or ray head
    answer: Answer
    why: str
    needed: float | None
    usable: float | None


@dataclass
class Sheet:
    """Everything that a plan says."""

    title: str
    figures: list[Figure] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(
        self, section: str, key: str, label: str, value: Value, text: str, formula: str
    ) -> None:
        assert section in SECTIONS
        self.figures.append(Figure(section, key, label, value, text, formula))

    def of(self, section: str) -> list[Figure]:
        return [figure for figure in self.figures if figure.section == section]

    def value(self, section: str, key: str) -> Any:
        return next(f.value for f in self.figures if (f.section, f.key) == (section, key))

    def as_dict(self) -> dict[str, Any]:
        """Plain values: every number under its section, formulas and verdicts beside them."""
        return {
            "schema": 1,
            "title": self.title,
            **{name: {f.key: f.value for f in self.of(name)} for name in SECTIONS if self.of(name)},
            "verdicts": {
                v.what: {"answer": v.answer, "why": v.why, "needed": v.needed, "usable": v.usable}
                for v in self.verdicts
            },
            "notes": self.notes,
            "formulas": {f"{f.section}.{f.key}": f.formula for f in self.figures},
        }
