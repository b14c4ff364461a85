"""Duels that nobody raced: sides, and a race that writes made-up records."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from helpers.made_records import CONTENT, made, write_run

from speedrun.duel.folder import DuelFolder
from speedrun.duel.hold import Contest, State
from speedrun.duel.process import Ended
from speedrun.duel.sides import Side
from speedrun.records.duel import Duel, DuelSide, SideName

ARGV = [word for word in CONTENT["argv"] if word not in ("--seed", "0")]
FIT = {"matmul_before": 100.0, "matmul_after": 99.0, "stolen_share": 0.0, "others_share": 0.0}
BUSY = FIT | {"others_share": 0.7}


def duel_side(letter: str, **changes: Any) -> DuelSide:
    """A side of this code; the two sides differ in their source."""
    values = {"label": letter, "commit": None, "source": letter.lower() * 64, "argv": ARGV}
    return DuelSide(**values | changes)


def planned(pairs: int = 3, stop: str = "fixed") -> Duel:
    """A duel of which nothing is raced."""
    return Duel(
        created="2026-01-02T03:04:05+00:00",
        hardware_class=CONTENT["hardware"]["class"],
        a=duel_side("A"),
        b=duel_side("B"),
        budget_s=300.0,
        planned_pairs=pairs,
        stop=stop,  # type: ignore[arg-type]
        pairs=[],
    ).sealed()


@dataclass
class FakeRaces:
    """Races that take no time; `scores` gives bits per byte by side and number of the race."""

    scores: Callable[[SideName, int], float] = lambda side, number: 0.75 if side == "a" else 0.74
    changes: Callable[[SideName, int], dict[str, object]] = lambda side, number: {}
    raced: list[tuple[SideName, int]] = field(default_factory=list)  # side and seed
    fails_at: int | None = None
    raises_at: int | None = None

    def __call__(
        self, command: Sequence[str], folder: Path | None, hear: Callable[[str], None]
    ) -> Ended:
        side: SideName = "a" if command[0] == "A" else "b"
        options = dict(zip(command[1::2], command[2::2], strict=False))
        number, seed = len(self.raced), int(options["--seed"])
        hear("50%")
        if self.raises_at == number:
            raise KeyboardInterrupt
        if self.fails_at == number:
            self.fails_at = None
            return Ended(exit_code=2, error="the graphics card is on fire", lines=["a", "b"])
        self.raced.append((side, seed))
        changes = {
            "source.digest": side * 64,
            "argv": [*ARGV, "--seed", str(seed)],
            "host": FIT,
            **self.changes(side, number),
        }
        record = made(self.scores(side, number), seed, changes)
        write_run(Path(options["--out"]) / f"run-{number}-{record.id[:8]}", record)
        return Ended(exit_code=0, error="", host=FIT)


def contest(path: Path, races: FakeRaces) -> Contest:
    """Two made-up sides in a folder."""
    names: dict[SideName, DuelSide] = {"a": planned().a, "b": planned().b}
    sides: dict[SideName, Side] = {
        name: Side(
            letter=name.upper(), duel=side, words=[name.upper()], folder=None, config_key=None
        )
        for name, side in names.items()
    }
    return Contest(sides=sides, data=[], folder=DuelFolder(path), race=races)


class Seen:
    """A view that keeps what it is shown."""

    def __init__(self) -> None:
        self.states: list[State] = []
        self.pairs: list[Duel] = []

    def notice(self, text: str) -> None:
        pass

    def state(self, state: State) -> None:
        self.states.append(state)

    def paired(self, duel: Duel) -> None:
        self.pairs.append(duel)
