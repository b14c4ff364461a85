"""A plan in the terminal: verdicts first, then every number with its formula."""

import json

from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from speedrun.plan.sheet import GO, NO_GO, UNKNOWN, Sheet

_TITLES = {
    "model": "Model",
    "memory": "Memory",
    "compute": "Compute",
    "time": "Time",
    "data": "Data",
    "hints": "Recipe hints",
    "go_small": "Go small",
    "cluster": "Cluster",
    "shared": "What its machines share",
}
_STYLES = {GO: "bold green", NO_GO: "bold red", UNKNOWN: "bold yellow"}
_LABEL, _VALUE = 24, 16  # columns; formulas take the rest and wrap


def show(sheet: Sheet, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(sheet.as_dict(), indent=1, ensure_ascii=False, allow_nan=False))
        return
    console = Console()
    console.print(Text(sheet.title, style="bold"))
    console.print(_verdicts(sheet))
    for note in sheet.notes:
        console.print(Text(note, style="yellow"))
    for section, title in _TITLES.items():
        if not sheet.of(section):
            continue
        console.print()
        console.print(Group(Text(title, style="bold cyan"), Padding(_table(sheet, section))))


def _verdicts(sheet: Sheet) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for verdict in sheet.verdicts:
        style = _STYLES[verdict.answer]
        table.add_row(Text(verdict.answer, style=style), Text(verdict.what), Text(verdict.why))
    return table


def _table(sheet: Sheet, section: str) -> Table:
    """Label, value, formula; figures without a label are for --json alone."""
    table = Table.grid(padding=(0, 2))
    table.add_column(width=_LABEL)
    table.add_column(width=_VALUE)
    table.add_column(overflow="fold")
    for figure in sheet.of(section):
        if figure.label:
            value, formula = Text(figure.text), Text(figure.formula, style="dim")
            table.add_row(Text(f"  {figure.label}"), value, formula)
    return table
