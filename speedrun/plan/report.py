"""A plan: verdicts and figures with their formulas, in the terminal and as JSON."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

GO, NO_GO, UNKNOWN = "go", "no-go", "unknown"
_STYLES = {GO: "bold green", NO_GO: "bold red", UNKNOWN: "bold yellow"}
_LABEL, _VALUE = 24, 16  # columns; formulas take the rest and wrap
_TITLES = {
    "model": "Model",
    "memory": "Memory",
    "compute": "Compute",
    "time": "Time",
    "data": "Data",
    "hints": "Recipe hints",
    "go_small": "Smaller models of equal loss",
    "cluster": "Cluster",
    "shared": "Shared by its machines",
}


def plain(value: Any) -> str:
    """A number with thousands separators, anything else as it is."""
    return f"{value:,.0f}" if isinstance(value, int | float) else str(value)


@dataclass(frozen=True)
class Figure:
    """A number with the formula behind it; `format` writes it for a person."""

    key: str
    label: str
    value: float | int | str | None
    format: Callable[[Any], str]
    formula: str

    @property
    def text(self) -> str:
        """The value as it is shown."""
        return "none" if self.value is None else self.format(self.value)


@dataclass(frozen=True)
class Verdict:
    """Whether a resource suffices; of a device, less the margin."""

    what: str  # memory, compute or time; hub, records or ray head
    answer: Literal["go", "no-go", "unknown"]
    why: str
    needed: float
    usable: float


@dataclass(kw_only=True)
class Plan:
    """Everything that the command `plan` prints."""

    title: str
    sections: dict[str, list[Figure]] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def value(self, section: str, key: str) -> Any:
        """The value of a figure; KeyError where the plan has none."""
        return {figure.key: figure.value for figure in self.sections[section]}[key]

    def verdict(self, what: str) -> Verdict:
        """The verdict on a resource; KeyError where the plan has none."""
        return {verdict.what: verdict for verdict in self.verdicts}[what]

    def as_dict(self) -> dict[str, Any]:
        """Plain values: every number under its section, verdicts and formulas beside them."""
        figures = [(name, figure) for name, found in self.sections.items() for figure in found]
        verdicts = {verdict.what: asdict(verdict) for verdict in self.verdicts}
        return {
            "schema": 1,
            "title": self.title,
            **{name: {f.key: f.value for f in found} for name, found in self.sections.items()},
            "verdicts": {
                what: {key: value for key, value in verdict.items() if key != "what"}
                for what, verdict in verdicts.items()
            },
            "notes": self.notes,
            "formulas": {f"{name}.{figure.key}": figure.formula for name, figure in figures},
        }


def show(plan: Plan, *, as_json: bool) -> None:
    """Print a plan on standard output."""
    if as_json:
        print(json.dumps(plan.as_dict(), indent=1, ensure_ascii=False, allow_nan=False))
        return
    console = Console()
    console.print(Text(plan.title, style="bold"))
    verdicts = Table.grid(padding=(0, 2))
    verdicts.add_column(no_wrap=True)
    verdicts.add_column(no_wrap=True)
    verdicts.add_column(overflow="fold")
    for verdict in plan.verdicts:
        answer = Text(verdict.answer, style=_STYLES[verdict.answer])
        verdicts.add_row(answer, Text(verdict.what), Text(verdict.why))
    console.print(verdicts)
    for note in plan.notes:
        console.print(Text(note, style="yellow"))
    for section, title in _TITLES.items():
        if figures := plan.sections.get(section):
            console.print(Text(f"\n{title}", style="bold cyan"))
            console.print(_table(figures))


def _table(figures: list[Figure]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(width=_LABEL)
    table.add_column(width=_VALUE)
    table.add_column(overflow="fold")
    for figure in figures:
        formula = Text(figure.formula, style="dim")
        table.add_row(Text(f"  {figure.label}"), Text(figure.text), formula)
    return table
