"""The search for the fastest execution settings that keep the loss of a step right.

The default settings come first: every candidate's losses must equal theirs. Then one field after
another, each value against the best so far: two engines take turns, a block of steps each, so that
a machine that grows busy slows both. Fields are tried again while something was gained, because
a value that loses alone may win beside another. What does not fit the time left is not tried.
"""

import dataclasses
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from speedrun.autotune import worker
from speedrun.autotune.worker import FirstSteps, Slot, Target
from speedrun.device import DEFAULT_EXECUTION, ExecutionConfig
from speedrun.system.subprocesses import Child, ChildEnded, ChildError, ChildTimeout

# Relative difference of a step's loss that another order of rounding explains.
TOLERANCE = {"fp32": 1e-3, "bf16": 2e-2, "fp16": 2e-2}
MUST_WIN_BY = 0.02
CLEARLY = 0.10  # a lead for which MIN_ROUNDS suffice
MIN_ROUNDS, MAX_ROUNDS = 3, 7
BLOCK_S = 0.15
SLOW_FIRST, SLOW_STEP = 4.0, 2.0  # times that of the default and of the best: given up
MIN_TIMEOUT_S, TIMEOUT_FACTOR = 3.0, 5.0  # of a candidate, by what the default one took
MIN_COMPILE_S = 3.0  # with less left no compilation is begun
_INSTANT_S = 0.05


@dataclass(frozen=True)
class Budget:
    """Seconds for the whole search, the start of the process included, and for one compilation."""

    total_s: float
    compile_s: float


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A value against the best settings before it; seconds of a step, the least of all rounds."""

    field: str
    value: Any
    step_s: float
    against_s: float
    spread: float = 0.0  # of the rounds, over their least: how much the machine was disturbed
    rounds: int = 0  # 0: given up at its first steps
    kept: bool = False


@dataclass(kw_only=True)
class Result:
    """The outcome of a search; fields of `settings` about which nothing was found are None."""

    settings: ExecutionConfig = DEFAULT_EXECUTION
    default_s: float | None = None  # of a step
    best_s: float | None = None
    trials: list[Trial] = field(default_factory=list)
    dropped: dict[str, str] = field(default_factory=dict)  # candidate -> reason
    tried: set[str] = field(default_factory=set)
    not_tried: list[str] = field(default_factory=list)
    problem: str = ""  # why the search ended early

    def changed(self) -> ExecutionConfig:
        """The fields whose value is no longer the plain one."""
        kept = {trial.field for trial in self.trials if trial.kept}
        return ExecutionConfig(**{name: getattr(self.settings, name) for name in kept})


@dataclass
class _Timed:
    """Settings whose engine is built and right, and the seconds of its steps."""

    settings: ExecutionConfig
    times_s: Sequence[float]

    @property
    def step_s(self) -> float:
        return min(self.times_s)


class _Over(Exception):
    """Nothing more can be tried; the text says why, if that is a problem."""


def start_worker() -> Child:
    """A child process for the engines of a search."""
    return Child(worker.__name__)


class Search:
    """One search over a space of settings, in one child process at a time."""

    def __init__(
        self,
        target: Target,
        space: Mapping[str, Sequence[Any]],
        budget: Budget,
        *,
        start: Callable[[], Child] = start_worker,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`space` lists values by field, the default first."""
        self._target, self._start, self._now = target, start, now
        self._child: Child | None = None
        self._default = ExecutionConfig(**{name: values[0] for name, values in space.items()})
        self._space = {name: values for name, values in space.items() if len(values) > 1}
        self._budget, self._deadline_s = budget, now() + budget.total_s
        self._result = Result()
        self._seen: set[ExecutionConfig] = {self._default}
        self._decided: set[str] = set()  # fields
        self._skipped: dict[str, None] = {}  # candidates, once or more

    def run(self) -> Result:
        """Search until nothing is left to try or the time is up."""
        result = self._result
        try:
            self._measure_default()
            while self._try_fields():
                pass
        except _Over as over:
            result.problem = str(over)
        finally:
            if self._child is not None:
                self._child.kill()
        result.not_tried = [label for label in self._skipped if label not in result.tried]
        if result.default_s is not None:
            result.best_s = self._best.step_s
            undecided = {name: None for name in self._space if name not in self._decided}
            result.settings = dataclasses.replace(self._best.settings, **undecided)
        return result

    def _measure_default(self) -> None:
        """The reference: its losses are right, its time is what others must beat."""
        started_s = self._now()
        try:
            self._start_child()
        except ChildError as error:
            raise _Over(f"its process did not start: {error}") from None
        built_s = self._now()
        self._startup_s = built_s - started_s
        try:
            first = self._build(self._default, self._left_s(), may_shrink=True)
            self._call("promote")
        except ChildTimeout:
            total = f"{self._budget.total_s:g} s"
            raise _Over(f"the default settings alone take longer than {total}") from None
        except ChildError as error:
            self._result.settings = self._default  # nothing else can be trusted more
            raise _Over(f"the default settings fail: {error}") from None
        self._build_s = self._now() - built_s
        self._first_s, self._losses = first.times_s[0], first.losses
        default, rows = self._default, first.metadata.get("micro_batch_rows")
        if rows and default.micro_batch_rows:  # fewer where memory is short
            default = dataclasses.replace(default, micro_batch_rows=rows)
        self._seen.add(default)
        self._best = _Timed(default, first.times_s[1:])
        self._result.default_s = self._best.step_s

    def _try_fields(self) -> bool:
        """Try every field once; whether something was gained."""
        before = self._best.settings
        for name, values in self._space.items():
            for value in values:
                settings = dataclasses.replace(self._best.settings, **{name: value})
                if settings in self._seen:
                    continue
                if not self._try(name, settings) and type(value) is int:
                    break  # the numbers after one that loses lose, too
        return self._best.settings != before

    def _try(self, name: str, settings: ExecutionConfig) -> bool:
        """Time one candidate against the best; whether it is the best now."""
        label = f"{name}={getattr(settings, name)}"
        is_compiled = settings.compile not in (None, "off")
        rounds_s = 2 * MIN_ROUNDS * max(BLOCK_S, self._best.step_s)
        needed_s = (MIN_COMPILE_S if is_compiled else self._build_s) + rounds_s
        if self._left_s() < needed_s + (self._startup_s if self._child is None else 0):
            return self._skip(label)
        self._restart_if_ended()
        self._seen.add(settings)
        trial = None
        try:
            first = self._build_rival(settings, is_compiled)
            if (trial := self._race(name, settings, first)) is None:
                return self._skip(label)
            if trial.kept:
                self._call("promote")
        except ChildError as error:
            if isinstance(error, ChildTimeout) and self._left_s() < _INSTANT_S:
                return self._skip(label)  # it had less time than it may take
            trial, self._result.dropped[label] = None, str(error)
        self._decided.add(name)
        self._result.tried.add(label)
        if trial is None:
            return False
        self._result.trials.append(trial)
        if trial.kept:
            self._best = self._rival
        return trial.kept

    def _build_rival(self, settings: ExecutionConfig, is_compiled: bool) -> FirstSteps:
        """The first steps of a candidate; ChildError where they are wrong."""
        timeout_s = max(MIN_TIMEOUT_S, TIMEOUT_FACTOR * self._build_s)
        first = self._build(
            settings,
            min(self._left_s(), self._budget.compile_s if is_compiled else timeout_s),
            first_s=None if is_compiled else SLOW_FIRST * self._first_s,
            step_s=SLOW_STEP * statistics.median(self._best.times_s),
        )
        if is_compiled and not first.metadata.get("compiled", True):
            raise ChildError(str(first.metadata.get("compile_error", "it was not compiled")))
        tolerance = TOLERANCE[settings.precision or "fp32"]
        # One that was stopped early has fewer losses.
        for number, (mine, right) in enumerate(zip(first.losses, self._losses, strict=False), 1):
            if not abs(mine - right) <= tolerance * abs(right):  # NaN is not, either
                raise ChildError(f"the loss of step {number} is {mine:.4g} instead of {right:.4g}")
        return first

    def _race(self, name: str, settings: ExecutionConfig, first: FirstSteps) -> Trial | None:
        """Blocks of steps in turn; None where the time does not suffice for MIN_ROUNDS."""
        best, value = self._best, getattr(settings, name)
        if first.is_slow:
            step_s = first.times_s[-1]
            return Trial(field=name, value=value, step_s=step_s, against_s=best.step_s)
        slower_s = max(best.step_s, *first.times_s[1:])
        num_steps = max(1, min(50, round(BLOCK_S / slower_s)))
        block_s = num_steps * slower_s
        times_s: dict[Slot, list[float]] = {"best": [], "rival": []}
        ratios: list[float] = []
        while len(ratios) < MAX_ROUNDS and self._left_s() > 2 * block_s:
            for slot in reversed(times_s) if len(ratios) % 2 else times_s:
                timeout_s = min(self._left_s(), max(MIN_TIMEOUT_S, TIMEOUT_FACTOR * block_s))
                step_s = self._call("time", timeout_s, slot=slot, num_steps=num_steps)
                times_s[slot].append(step_s)
            ratios.append(times_s["rival"][-1] / times_s["best"][-1])
            is_clear = max(ratios) < 1 - CLEARLY or min(ratios) > 1 + CLEARLY
            if len(ratios) >= MIN_ROUNDS and is_clear:
                break
        if len(ratios) < MIN_ROUNDS:
            return None
        self._rival = _Timed(settings, times_s["rival"])
        self._best = _Timed(best.settings, times_s["best"])
        ratio = max(self._rival.step_s / self._best.step_s, statistics.median(ratios))
        return Trial(
            field=name,
            value=value,
            step_s=self._rival.step_s,
            against_s=self._best.step_s,
            spread=max(max(times) / min(times) - 1 for times in times_s.values()),
            rounds=len(ratios),
            kept=ratio < 1 - MUST_WIN_BY,
        )

    def _restart_if_ended(self) -> None:
        """A new process with the best settings in it, where a candidate has taken the old one."""
        if self._child is not None:
            return
        try:
            self._start_child()
            self._build(self._best.settings, self._left_s())
            self._call("promote")
        except ChildError as error:
            why = f"the best settings did not start again: {error}" if self._left_s() > 0 else ""
            raise _Over(why) from None

    def _start_child(self) -> None:
        self._child = self._start()
        self._call("start", self._left_s(), **self._target.arguments())

    def _build(self, settings: ExecutionConfig, timeout_s: float, **limits: Any) -> FirstSteps:
        plain = dataclasses.asdict(settings)
        return FirstSteps(**self._call("build", timeout_s, settings=plain, **limits))

    def _call(self, kind: str, timeout_s: float = MIN_TIMEOUT_S, **values: Any) -> Any:
        """A method of `Engines`; where the process ends, both engines are gone."""
        assert self._child is not None
        try:
            return self._child.call(kind, timeout_s=timeout_s, **values)
        except (ChildEnded, ChildTimeout):
            self._child = None
            raise

    def _skip(self, label: str) -> bool:
        """Note a candidate for which the time does not suffice."""
        self._skipped[label] = None
        return False

    def _left_s(self) -> float:
        return self._deadline_s - self._now()
