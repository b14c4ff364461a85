"""Records of sweeps that were never raced: scores by a known law, and a race that writes them."""

import dataclasses
import functools
import json
import math
from collections.abc import Generator, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from helpers.made_records import CONTENT

from speedrun.records.schema import NEW_FIELDS, Record, seal
from speedrun.scaling_laws import fit
from speedrun.scaling_laws.law import Laws, LossLaw, Points, SpeedLaw
from speedrun.sweep.child import Ended
from speedrun.sweep.grid import Plan, PlannedRace
from speedrun.sweep.sweep_dir import Key

ROOT = Path(__file__).resolve().parents[2]
LOSS = LossLaw(E=0.4, A=15.0, B=40.0, alpha=0.34, beta=0.35)
SPEED = SpeedLaw(fixed=1e-5, scale=1.5e-10, power=0.85)
SIZES = (250_000, 500_000, 1_000_000, 2_000_000, 4_000_000, 8_000_000)


@functools.cache
def _template() -> str:
    """The content of a recorded race of the default recipe, as JSON."""
    for path in sorted((ROOT / "leaderboard" / "records").glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.get("arch") == "transformer" and content["config"]["recipe_name"] == "default":
            for _, sections in sorted(NEW_FIELDS.items()):  # made by this code, not by that of old
                for section, names in sections.items():
                    made = CONTENT[section] if section else CONTENT
                    old = content[section] if section else content
                    old.update({name: made[name] for name in names})
            return json.dumps(content | {"argv": []})
    raise AssertionError("no recorded race of the transformer")


def record(size: int, minutes: float, seed: int, **changes: Any) -> Record:
    """A record whose score is the law's but for 0.2 % of noise; `data__name=…` changes a field."""
    content = json.loads(_template())
    rate = float(SPEED.tokens_per_s(size))
    tokens = round(60 * minutes * rate)
    wobble = 1 + 0.002 * math.sin(12.9 * seed + size / 7e5 + 3 * minutes)
    content |= {"num_params": size, "seed": seed, "budget_s": 60 * minutes}
    content["train"] |= {"num_tokens": tokens, "tokens_per_s": rate}
    content["clock"] |= {"train_s": 60 * minutes, "overshoot_s": 0.0, "suspended_s": 0.0}
    content["score"]["bits_per_byte"] = float(LOSS(size, tokens)) * wobble
    content["config"] |= {"seed": seed, "budget_s": 60 * minutes, "size": size}
    content["weights_sha256"] = f"{hash((size, minutes, seed)) & (1 << 60) - 1:064x}"
    for path, value in changes.items():
        *sections, name = path.split("__")
        functools.reduce(lambda inner, section: inner[section], sections, content)[name] = value
    return seal({key: value for key, value in content.items() if key not in ("id", "schema")})


def write(folder: Path, made: Record) -> Path:
    """A finished run with this record; its directory."""
    run = folder / f"run-{made.id[:16]}"
    run.mkdir(parents=True, exist_ok=True)
    (run / "record.json").write_text(made.to_json(), encoding="utf-8")
    return run


def fill(
    folder: Path,
    *,
    sizes: Iterable[int] = SIZES,
    minutes: Sequence[float] = (1.0,),
    seeds: int = 3,
    **changes: Any,
) -> Path:
    """A directory of finished runs."""
    for size in sizes:
        for budget in minutes:
            for seed in range(seeds):
                write(folder, record(size, budget, seed, **changes))
    return folder


_fits: dict[tuple, Laws] = {}
_fit = fit.fit


def fit_once(points: Points, **options: Any) -> Laws:
    """`fit.fit`, once for the same runs in whatever order: most sweeps of tests are the same."""
    columns = [getattr(points, field.name) for field in dataclasses.fields(points)]
    rows = sorted(zip(*columns, strict=True))
    key = (*rows, *options.items())
    if key not in _fits:
        _fits[key] = _fit(Points.of(*zip(*rows, strict=True)), **options)
    return _fits[key]


def moved(plan: Plan, out: Path) -> Plan:
    """The same sweep in another directory."""
    grid = replace(plan.grid, base=replace(plan.grid.base, out=out))
    races = (replace(race, request=replace(race.request, out=out)) for race in plan.races)
    return replace(plan, grid=grid, races=tuple(races))


class FakeRace:
    """Takes the place of `child.race`: notes which race it is, and leaves its record."""

    def __init__(self, plan: Plan, **changes: Any) -> None:
        self.plan, self.changes = plan, changes
        self.raced: list[PlannedRace] = []
        self.fails: set[Key] = set()
        self.stops_after: int | None = None
        self.curves: dict[int, list[tuple[float, float]]] = {}  # by size

    @property
    def keys(self) -> list[Key]:
        """The races so far, in order."""
        return [race.key for race in self.raced]

    def each_size_worse(self) -> "FakeRace":
        """Give every size a curve a fifth worse than that of the one before."""
        for number, size in enumerate(self.plan.grid.params):
            self.curves[size] = [(n / 100, 1.2**number * (3 - n / 100)) for n in range(1, 101)]
        return self

    def __call__(self, request, has_lost=None) -> Generator[str, None, Ended]:
        (race,) = [
            race
            for race in self.plan.races
            if race.request == replace(request, out=race.request.out)
        ]
        if self.stops_after is not None and len(self.raced) >= self.stops_after:
            raise KeyboardInterrupt
        self.raced.append(race)
        yield "50%  loss 3.2"
        if race.key in self.fails:
            return Ended(exit_code=1, error="it broke")
        _, size, minutes, seed, *_ = race.key
        curve = self.curves.get(size)
        if curve is not None and has_lost is not None:
            for end in range(1, len(curve) + 1):
                if has_lost(curve[:end]):
                    return Ended(exit_code=-9, stopped_at=curve[end - 1][0])
        shared = self.plan.shared
        changes = {
            "arch": race.key[0],
            "config": race.config,
            "data__name": shared["data"],
            "data__train_fingerprint": shared["train data"],
            "data__heldout_fingerprint": shared["held-out data"],
            "hardware__class": shared["hardware class"],
            "source__digest": self.plan.code[race.key.arch],
        }
        if curve is not None:
            changes |= {"train__loss_curve": curve, "score__bits_per_byte": curve[-1][1] / 3}
        made = record(size, minutes, seed, **{**changes, **self.changes})
        return Ended(exit_code=0, run=write(request.out, made))
