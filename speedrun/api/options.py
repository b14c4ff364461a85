"""Options of the Python interface, by the names and with the defaults of the command line."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

if TYPE_CHECKING:
    from speedrun.training.request import RunRequest


class Options(TypedDict, total=False):
    """Options that races, duels and sweeps share; every one has the default of the command line."""

    recipe: str
    set: Mapping[str, Any] | Sequence[str]  # {"recipe.lr": 0.002} or ["recipe.lr=0.002"]
    data: str | Path | None  # a folder or file, "storybook", or None: the hub
    text_field: str | None
    vocab: int
    eval_docs: int | str  # a number, or "all"
    device: str
    tune: str  # off, quick, full
    out: str | Path


class RaceOptions(Options, total=False):
    """Options of `race`."""

    minutes: float | str
    arch: str | Path
    params: int | str
    tables: int | str | None  # None: 0, or with params="auto" those that laws predict best
    seed: int
    keep: str  # last, best
    checkpoint_every: float | str | None  # minutes; 0: none; None: 10 in longer budgets
    track: str | None  # tensorboard, trackio or wandb, with :project if you like


class SweepOptions(Options, total=False):
    """Options of `sweep`."""

    arch: Sequence[str | Path] | str | Path
    params: Sequence[int | str] | int | str
    tables: Sequence[int | str] | int | str
    vary: Mapping[str, Sequence[Any]]  # {"recipe.lr": [0.005, 0.01]}
    minutes: Sequence[float] | float
    seeds: int
    early_stopping: bool


def request_of(**options: Unpack[RaceOptions]) -> "RunRequest":
    """The request that these options mean, for this interface and for the command line.

    TypeError for an unknown option, ValueError for a value.
    """
    from speedrun import text
    from speedrun.config import Data, settings_of
    from speedrun.training.request import RunRequest

    expect_known(options, RaceOptions.__annotations__.keys())
    plain: dict[str, Any] = {n: value for n, value in options.items() if value is not None}
    _check(plain)
    if plain.get("seed", 0) < 0:
        raise ValueError(f"--seed {plain['seed']}: must be 0 or more")
    given: dict[str, Any] = {"tune": "quick"}
    given |= {n: plain[n] for n in ("recipe", "seed", "tune", "keep") if n in plain}
    given |= {n: str(plain[n]) for n in ("arch", "params", "tables") if n in plain}
    if "device" in plain:
        given["backend"] = plain["device"]
    if "out" in plain:
        given["out"] = Path(plain["out"])
    if given.get("params") == "auto":
        given.setdefault("tables", "auto")
    path, budget_s = plain.get("data"), text.parse_minutes(str(plain.get("minutes", 5.0)))
    every = plain.get("checkpoint_every")
    every = None if every is None else str(every)
    return RunRequest(
        budget_s=budget_s,
        checkpoint_every_s=text.parse_checkpoint_every(every, budget_s),
        data=Data(
            path=None if path is None else str(path),
            text_field=plain.get("text_field"),
            vocab=plain.get("vocab", Data.vocab),
            eval_docs=text.parse_eval_docs(str(plain.get("eval_docs", Data.eval_docs))),
        ),
        settings=settings_of(plain.get("set", {})),
        **given,
    )


def _check(options: Mapping[str, Any]) -> None:
    """Raise ValueError for values that the command line does not let through either."""
    for name in ("seed", "vocab"):
        value = options.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, Integral):
            raise ValueError(f"--{name} {value!r}: give a whole number")
    for name, allowed in (("tune", ("off", "quick", "full")), ("keep", ("last", "best"))):
        if options.get(name, allowed[0]) not in allowed:
            raise ValueError(f"--{name} {options[name]!r}: allowed are {', '.join(allowed)}")


def several(value: Any) -> tuple[Any, ...]:
    """The values of an option that takes many: a list, one alone, or `250K,500K` as text."""
    if isinstance(value, str):
        return tuple(value.split(","))
    return tuple(value) if isinstance(value, Iterable) else (value,)


def expect_known(options: Mapping[str, Any], known: Collection[str]) -> None:
    """Raise TypeError for an option that is not known, with the nearest that is."""
    from speedrun.text import nearest

    for name in options:
        if name not in known:
            raise TypeError(nearest(name, sorted(known), "option").args[0])
