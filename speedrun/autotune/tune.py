"""Choose the execution settings of a race: the fastest that keep its loss right."""

import statistics
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal

from speedrun.autotune import cache
from speedrun.autotune.cache import Tuned
from speedrun.autotune.search import Budget, Result, Search, Trial, start_worker
from speedrun.autotune.worker import Target
from speedrun.config import Recipe
from speedrun.device import DEFAULT_EXECUTION, ExecutionConfig
from speedrun.system import hardware, paths
from speedrun.system.subprocesses import Child

Mode = Literal["off", "quick", "full"]
BUDGETS = {
    "quick": Budget(total_s=7.5, compile_s=7.5),
    "full": Budget(total_s=300.0, compile_s=180.0),
}
# Fields that a quick search leaves to the race: measured rates choose the precision, and a recipe
# that compiles is timed compiled and plain by its own engine, so that nothing is compiled twice.
# Which attention kernel is fastest changes with compilation.
_LEFT_TO_RACE = {False: ("precision",), True: ("precision", "compile", "attention")}
# Median spread of the rounds above which the choice is that of a busy machine: it serves this
# race and is not cached.
DISTURBED = 0.25


def tune(
    mode: Mode,
    target: Target,
    notice: Callable[[str], None],
    *,
    start: Callable[[], Child] = start_worker,
    now: Callable[[], float] = time.monotonic,
) -> Tuned:
    """Settings for this race, from the cache or from a search; `notice` gets a line or two.

    A search that fails costs time and a notice, never the race.
    """
    candidates = target.backend.candidates(target.architecture, target.run.recipe, target.device)
    space = open_fields(candidates, target.run.recipe, target.chosen)
    if mode == "quick":
        left = _LEFT_TO_RACE[target.run.recipe.compile]
        space = {name: values for name, values in space.items() if name not in left}
    if mode == "off" or not any(len(values) > 1 for values in space.values()):
        return Tuned(settings=DEFAULT_EXECUTION, facts={"mode": mode})
    folder, key = paths.cache_dir() / "tuning", cache.key(target, space)
    cached = cache.load(folder, key)
    if cached is not None and (mode == "quick" or cached.facts.get("mode") == mode):
        notice(f"Using the tuned settings of an earlier race: {_listed(cached.settings)}.")
        return Tuned(settings=cached.settings, facts=cached.facts | {"from": "cache"})
    if mode == "full":
        notice(
            f"Timing real steps under different settings, for at most {BUDGETS[mode].total_s} s."
        )
    started_s = now()
    result = Search(target, space, BUDGETS[mode], start=start, now=now).run()
    facts = _facts(mode, result, now() - started_s)
    tuned = Tuned(settings=result.settings, facts=facts)
    is_calm = facts["spread"] is None or facts["spread"] <= DISTURBED
    if is_calm and result.tried and not result.problem:
        cache.save(folder, key, tuned)
    for line in _report(mode, result, facts):
        notice(line)
    return tuned


def open_fields(
    candidates: Mapping[str, Sequence[Any]], recipe: Recipe, chosen: Collection[str]
) -> dict[str, Sequence[Any]]:
    """The candidates of fields that neither the recipe nor --set (`chosen` keys) has fixed."""
    fixed = {
        "precision": recipe.precision != "auto",
        "micro_batch_rows": bool(recipe.micro_batch_rows) or "recipe.micro_batch_rows" in chosen,
        "workers": bool(recipe.workers),
        "compile": not recipe.compile or "recipe.compile" in chosen,
    }
    return {name: values for name, values in candidates.items() if values and not fixed.get(name)}


def _facts(mode: Mode, result: Result, spent_s: float) -> dict[str, Any]:
    """For the record: everything that was timed, and what was not."""
    spreads = [trial.spread for trial in result.trials if trial.rounds]
    facts = {
        "mode": mode,
        "from": "measured",
        "chosen": _chosen(result.settings),
        "plain_step_s": result.default_s,
        "step_s": result.best_s,
        "trials": [_rounded(trial) for trial in result.trials],
        "dropped": result.dropped,
        "not_tried": result.not_tried,
        "spent_s": round(spent_s, 3),
        "load_per_core": hardware.load_per_core(),
        "spread": round(statistics.median(spreads), 3) if spreads else None,
    }
    return facts | ({"problem": result.problem} if result.problem else {})


def _rounded(trial: Trial) -> dict[str, Any]:
    digits = {"step_s": 6, "against_s": 6, "spread": 3}
    return vars(trial) | {name: round(getattr(trial, name), n) for name, n in digits.items()}


def _chosen(settings: ExecutionConfig) -> dict[str, Any]:
    return {name: value for name, value in vars(settings).items() if value is not None}


def _listed(settings: ExecutionConfig) -> str:
    return ", ".join(f"{name}={value}" for name, value in _chosen(settings).items()) or "defaults"


def _report(mode: Mode, result: Result, facts: Mapping[str, Any]) -> list[str]:
    """Lines for a person: the outcome, what was dropped, what was not reached."""
    if result.default_s is None or result.best_s is None:
        return [f"Tuning skipped: {result.problem}; using the default settings."]
    spent, default = f"{facts['spent_s']:.1f} s", f"{1e3 * result.default_s:.3g} ms"
    if not result.tried:
        other = "--tune off" if mode == "full" else "--tune full or --tune off"
        return [f"Tuning timed out after {spent}; using the default settings. Try {other}."]
    is_busy = facts["spread"] is not None and facts["spread"] > DISTURBED
    found = f"nothing is faster than the plain settings, {default} a step"
    if result.best_s < result.default_s:
        faster, best = result.default_s / result.best_s, f"{1e3 * result.best_s:.3g} ms"
        changed = _listed(result.changed())
        found = f"{changed}, {faster:.2f} times as fast as plain ({best} a step, plain {default})"
    if mode == "quick":
        return [f"Tuned in {spent}: {found}{'; not cached, the machine is busy' * is_busy}."]
    lines = [f"Tuned in {spent}: {found}."]
    if is_busy:
        lines.append(
            f"The machine is busy (step times vary by {facts['spread']:.0%}): these settings are"
            " not cached for later races."
        )
    lines += [f"Tuning dropped {label}: {why}." for label, why in result.dropped.items()]
    if result.not_tried:
        lines.append(f"Not tried for lack of time: {', '.join(result.not_tried)}.")
    return lines
