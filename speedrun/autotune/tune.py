"""What a race asks for: the fastest settings that keep its loss right, measured or kept."""

import dataclasses
import statistics
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from speedrun.autotune import cache
from speedrun.autotune.search import EARLIER, Found, Search
from speedrun.autotune.worker import subject
from speedrun.autotune.worker_client import Bench, ProcessBench
from speedrun.config import Recipe, Run
from speedrun.protocols import DEFAULT_EXECUTION, Architecture, Backend, Device, ExecutionConfig
from speedrun.system import hardware, paths

Mode = Literal["off", "quick", "full"]
# Of all, the start of the child process counted in, and of one compilation.
LIMITS_S = {"quick": (20.0, 20.0), "full": (300.0, 180.0)}
# Median spread of the rounds above which a choice is the busy machine's, not the machine's:
# it serves this race and is not kept.
DISTURBED = 0.25


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """The settings of a race and what its record says about them."""

    settings: ExecutionConfig
    facts: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Whose steps are to be fast, and where."""

    arch: str  # as asked for, which may be a folder
    architecture: Architecture
    run: Run
    backend: Backend
    device: Device
    machine: hardware.Machine
    said: Collection[str] = ()  # keys of --set

    def bench(self) -> Bench:
        run = self.run
        return ProcessBench(subject(self.arch, self.device.name, run.model, run.recipe, run.seed))


def tune(
    mode: Mode,
    subject: Subject,
    notice: Callable[[str], None],
    *,
    bench: Callable[[], Bench] | None = None,
    now: Callable[[], float] = time.monotonic,
) -> Tuned:
    """Choose for this race, telling a person what was found in a line or two.

    Whatever goes wrong in here costs time and a notice, never the race.
    """
    run, device = subject.run, subject.device
    candidates = subject.backend.candidates(subject.architecture, run.recipe, device)
    space = left_open(candidates, run.recipe, subject.said)
    if mode == "off" or not any(len(values) > 1 for values in space.values()):
        return Tuned(settings=DEFAULT_EXECUTION, facts={"mode": mode})
    folder = paths.cache_dir() / "tuning"
    key = cache.key(subject.machine, device, subject.backend, subject.architecture, run, space)
    earlier = cache.load(folder, key)
    started_s = now()
    if earlier is not None and (earlier.is_thorough or mode == "quick"):
        if not earlier.is_unfinished or mode == "full":
            notice(f"Settings found by an earlier race here: {_told(earlier.settings)}.")
            return Tuned(settings=earlier.settings, facts=earlier.facts | {"from": "cache"})
    else:
        earlier = None
    notice(f"Timing real steps under different settings, for at most {LIMITS_S[mode][0]:g} s.")
    found = _search(mode, space, earlier, bench or subject.bench, now)
    facts = _facts(mode, found, now() - started_s, earlier)
    choice = _choice(mode, space, found, facts, earlier)
    is_calm = facts["spread"] is None or facts["spread"] <= DISTURBED
    if is_calm and (earlier is not None or (found.tried and not found.problem)):
        cache.save(folder, key, choice)
    _tell(notice, mode, found, facts)
    return Tuned(settings=choice.settings, facts=choice.facts)


def _choice(
    mode: Mode,
    space: Mapping[str, Sequence[Any]],
    found: Found,
    facts: dict[str, Any],
    earlier: cache.Kept | None,
) -> cache.Kept:
    """What this race and later ones take; a search is gone on with once, however that ends."""
    if earlier is not None:
        if EARLIER not in found.tried:  # not even that was timed: nothing new is known
            return dataclasses.replace(earlier, is_unfinished=False)
        return cache.Kept(
            settings=found.settings, facts=facts, is_thorough=False, is_unfinished=False
        )
    is_whole = all(getattr(found.settings, n) is not None for n, v in space.items() if v[1:])
    return cache.Kept(
        settings=found.settings,
        facts=facts,
        is_thorough=mode == "full",
        is_unfinished=mode == "quick" and not is_whole,
    )


def left_open(
    candidates: Mapping[str, Sequence[Any]], recipe: Recipe, said: Collection[str]
) -> dict[str, Sequence[Any]]:
    """The fields of Settings that neither the recipe nor a person has fixed."""
    fixed = {
        "precision": recipe.precision != "auto",
        "micro_batch_rows": bool(recipe.micro_batch_rows) or "recipe.micro_batch_rows" in said,
        "compile": not recipe.compile or "recipe.compile" in said,
    }
    return {name: values for name, values in candidates.items() if values and not fixed.get(name)}


def _search(
    mode: Mode,
    space: Mapping[str, Sequence[Any]],
    earlier: cache.Kept | None,
    bench: Callable[[], Bench],
    now: Callable[[], float],
) -> Found:
    """All fields; after an earlier search those that it did not get to."""
    plain = ExecutionConfig(**{name: values[0] for name, values in space.items()})
    start = plain
    if earlier is not None:
        known = {name: value for name, value in vars(earlier.settings).items() if value is not None}
        start = dataclasses.replace(plain, **known)
        space = {name: values for name, values in space.items() if name not in known}
    limit_s, compile_limit_s = LIMITS_S[mode]
    return Search(
        bench(),
        space,
        plain,
        limit_s=limit_s,
        compile_limit_s=compile_limit_s,
        start=start,
        now=now,
    ).run()


def _facts(mode: Mode, found: Found, spent_s: float, earlier: cache.Kept | None) -> dict[str, Any]:
    """For the record: all that was timed, and all that was not."""
    trials = [trial.as_dict() for trial in found.trials]
    dropped = dict(found.dropped)
    if earlier is not None:
        trials = earlier.facts.get("trials", []) + trials
        dropped = earlier.facts.get("dropped", {}) | dropped
    spreads = [trial.spread for trial in found.trials if trial.num_rounds]
    facts = {
        "mode": mode,
        "from": "measured",
        "chosen": _chosen(found.settings),
        "plain_step_s": found.plain_s,
        "step_s": found.best_s,
        "trials": trials,
        "dropped": dropped,
        "not_tried": found.not_tried,
        "spent_s": round(spent_s, 3),
        "load_per_core": hardware.load_per_core(),
        "spread": round(statistics.median(spreads), 3) if spreads else None,
    }
    return facts | ({"problem": found.problem} if found.problem else {})


def _chosen(settings: ExecutionConfig) -> dict[str, Any]:
    return {name: value for name, value in vars(settings).items() if value is not None}


def _told(settings: ExecutionConfig) -> str:
    chosen = _chosen(settings)
    return ", ".join(f"{name}={value}" for name, value in chosen.items()) or "as they come"


def _tell(notice: Callable[[str], None], mode: Mode, found: Found, facts: dict[str, Any]) -> None:
    if found.plain_s is None or found.best_s is None:
        notice(f"Tuning failed ({found.problem}); settings: {_told(found.settings)}.")
        return
    if found.tried:
        plain = f"plain {found.plain_s * 1e3:.3g} ms"
        is_faster = found.best_s < found.plain_s
        what = f"{found.best_s * 1e3:.3g} ms a step, {plain}" if is_faster else f"{plain} a step"
        if not is_faster:
            what += ", and nothing that was tried beats it"
        notice(f"Tuned in {facts['spent_s']:.1f} s: {what}; settings: {_told(found.settings)}.")
    else:
        spent = f"{facts['spent_s']:.1f} s"
        notice(f"In {spent} no settings could be compared: they stay as they come.")
    if facts["spread"] is not None and facts["spread"] > DISTURBED:
        notice(
            f"The machine is busy (steps of one kind differ by {facts['spread']:.0%}): these"
            " settings are not kept for later races."
        )
    for label, why in found.dropped.items():
        notice(f"Tuning dropped {label}: {why}.")
    if found.not_tried:
        more = "; --tune full gives it more time" if mode == "quick" else ""
        notice(f"Not tried in the time given: {', '.join(found.not_tried)}{more}.")
