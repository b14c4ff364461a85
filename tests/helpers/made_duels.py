"""Duels made up for tests, whose records hold together."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from helpers.made_records import CONTENT, add, made

from speedrun.records.argv import without_seed
from speedrun.records.duel import SIDES, Duel, DuelSide, first_of, other
from speedrun.records.schema import Record
from speedrun.records.summary import summarize

START = datetime(2026, 3, 1, tzinfo=UTC)
A: dict[str, Any] = {}  # changes of the records of each side
B: dict[str, Any] = {
    "config.recipe.lr": 0.01,
    "argv": [*CONTENT["argv"], "--set", "recipe.lr=0.01"],
}
# Bits per byte of five pairs, 2 % apart with a little noise.
TWO_PERCENT = [(0.80, 0.784), (0.81, 0.795), (0.79, 0.774), (0.80, 0.785), (0.82, 0.802)]


def made_duel(
    scores: Sequence[tuple[float, float]] = tuple(TWO_PERCENT),
    sides: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    start: datetime = START,
    **changes: Any,
) -> tuple[Duel, list[Record]]:
    """A finished duel of these (A, B), and its records in the order of the races.

    `changes` are to the plain values of the duel, by name.
    """
    sides = sides or {"a": A, "b": B}
    first_run = made(scores[0][0], 0, {**sides["a"]})
    content = {
        "created": start.isoformat(timespec="seconds"),
        "hardware_class": first_run.hardware.hardware_class,
        **{name: _side(name, sides[name]).content() for name in SIDES},
        "budget_s": first_run.budget_s,
        "planned_pairs": len(scores),
        "stop": "fixed",
        "pairs": [],
        "id": "",
    }
    plan = Duel.model_validate({**content, **changes, "pairs": []})
    pairs, records = [], []
    for index, scored in enumerate(scores):
        seed, first = plan.seed(index), first_of(index)
        runs = {}
        for side in (first, other(first)):
            start += timedelta(minutes=7)
            at = {"created": start.isoformat(timespec="seconds")}
            runs[side] = made(scored[SIDES.index(side)], seed, {**at, **sides[side]})
            records.append(runs[side])
        pairs.append(
            {
                "index": index,
                "seed": seed,
                "first": first,
                **{side: runs[side].id for side in SIDES},
                **{f"{s}_bits_per_byte": scored[SIDES.index(s)] for s in SIDES},
                "disturbed": None,
            }
        )
    return Duel.model_validate({**content, "pairs": pairs, **changes}).sealed(), records


def _side(label: str, changes: Mapping[str, Any]) -> DuelSide:
    record = made(changes=changes)
    argv = without_seed(record.argv)
    return DuelSide(label=label, commit=None, source=summarize(record).source, argv=argv)


def add_duel(store: Path, duel: Duel, records: Sequence[Record] = (), **note: Any) -> None:
    """Put a duel and its records into a local store."""
    store.mkdir(parents=True, exist_ok=True)
    for record in records:
        add(store, record, **note)
    (store / f"{duel.id}.duel.json").write_text(duel.to_json(), encoding="utf-8")


def write_duel(folder: Path, duel: Duel, records: Sequence[Record]) -> Path:
    """The folder of a duel with its runs, as `duel` leaves it."""
    from helpers.made_records import write_run

    for record in records:
        write_run(folder / record.id[:12], record)
    (folder / "duel.json").write_text(duel.to_json(), encoding="utf-8")
    return folder
