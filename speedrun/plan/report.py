"""A plan: verdicts and figures with their formulas, in the terminal and as JSON."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from speedrun.records.sanitize import sanitize

NO_GO = "no-go"
_STYLES = {"go": "bold green", NO_GO: "bold red", "unknown": "bold yellow"}
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

# What a plan shows without `--full`, a section's figures each; None: all of them.
_SHORT: dict[str, tuple[str, ...] | None] = {
    "model": ("num_params", "num_params_tables"),
    "memory": ("total_bytes",),
    "compute": ("num_tokens",),
    "time": ("tokens_per_s", "train_s"),
    "data": ("epochs",),
    "go_small": ("optimum_params",),
    "cluster": None,
    "shared": None,
}


def plain(number: float) -> str:
    """A number with thousands separators."""
    return f"{number:,.0f}"


@dataclass(frozen=True)
class Figure:
    """A number with the formula behind it; `format` writes it for a person."""

    key: str
    label: str
    value: float | int | str | None
    format: Callable[[Any], str]
    formula: str


@dataclass(frozen=True)
class Verdict:
    """Whether a resource suffices; of a device, less the margin."""

    what: str  # memory, compute or time; hub, records or ray head
    why: str
    needed: float
    usable: float
    is_all: bool = True  # False where more is needed than could be worked out

    @property
    def answer(self) -> str:
        """One of go, no-go and unknown."""
        return NO_GO if self.needed > self.usable else "go" if self.is_all else "unknown"


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
        return {
            "schema": 1,
            "title": self.title,
            **{name: {f.key: f.value for f in found} for name, found in self.sections.items()},
            "verdicts": {
                v.what: {"answer": v.answer, "why": v.why, "needed": v.needed, "usable": v.usable}
                for v in self.verdicts
            },
            "notes": self.notes,
            "formulas": {
                f"{name}.{f.key}": f.formula for name, found in self.sections.items() for f in found
            },
        }


def show(plan: Plan, *, as_json: bool, is_full: bool = True) -> None:
    """Print a plan on standard output: all of it, or a dozen lines."""
    if as_json:
        print(json.dumps(plan.as_dict(), indent=1, allow_nan=False))
        return
    console = Console()
    console.print(Text(sanitize(plan.title), style="bold"))
    verdicts = _table(None, None)
    for verdict in plan.verdicts:
        answer = Text(verdict.answer, style=_STYLES[verdict.answer])
        verdicts.add_row(answer, verdict.what, Text(sanitize(verdict.why)))
    console.print(verdicts)
    for note in plan.notes:
        console.print(Text(sanitize(note), style="yellow"))
    short = _table(24, 16)
    for section, title in _TITLES.items():
        wanted = None if is_full else _SHORT.get(section, ())
        figures = [f for f in plan.sections.get(section, []) if wanted is None or f.key in wanted]
        is_whole = figures and wanted is None
        if is_whole:
            console.print(Text(f"\n{title}", style="bold cyan"))
        table = _table(24, 16) if is_whole else short
        for f in figures:
            value = "none" if f.value is None else f.format(f.value)
            table.add_row(Text(f"  {f.label}"), value, Text(f.formula, style="dim"))
        if is_whole:
            console.print(table)
    if not is_full:
        console.print(short)
        console.print(Text("--full shows every figure with its formula", style="dim"))


def _table(*widths: int | None) -> Table:
    """Columns of these widths, and one that takes the rest and wraps."""
    table = Table.grid(padding=(0, 2))
    for width in widths:
        table.add_column(width=width, no_wrap=width is None)
    table.add_column(overflow="fold")
    return table
