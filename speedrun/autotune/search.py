"""Which settings are tried in which order, and which win.

Plain settings come first: their losses are what every candidate's must be. Then one field after
another, each value against the best so far: two engines take turns, a block of steps each, so that
a machine that grows busy slows both. Fields come round again while something was gained, because
what loses alone may win together. What does not fit the time left is not tried.
"""

import dataclasses
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from speedrun.autotune.worker_client import Bench, Built, Failed, TimedOut
from speedrun.protocols import ExecutionConfig

# Relative difference of a step's loss that another order of rounding explains.
TOLERANCE = {"fp32": 1e-3, "bf16": 2e-2, "fp16": 2e-2}
MUST_WIN_BY = 0.02
EARLIER = "earlier choice"  # as a candidate
CLEARLY = 0.10  # a lead that a few rounds suffice for
MIN_ROUNDS, MAX_ROUNDS = 3, 7
BLOCK_S = 0.15
SLOW_START, SLOW_STEP = 4.0, 2.0  # times what is usual for the best: given up
LEAST_LIMIT_S, LIMIT_FACTOR = 3.0, 5.0  # for a build, of what the plain one took
COMPILE_LEAST_S = 3.0  # with less left none is begun
_INSTANT_S = 0.05


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A value against the best settings before it; seconds of a step, the least of all rounds."""

    field: str
    value: Any
    step_s: float
    against_s: float
    spread: float  # of the rounds, over their least: how much the machine was disturbed
    num_rounds: int  # 0: given up at its first steps
    is_kept: bool

    def as_dict(self) -> dict[str, Any]:
        return {
            "field": self.field,
            "value": self.value,
            "step_s": round(self.step_s, 6),
            "against_s": round(self.against_s, 6),
            "spread": round(self.spread, 3),
            "rounds": self.num_rounds,
            "kept": self.is_kept,
        }


@dataclass
class Found:
    """What came of a search; fields that nothing was found out about are None in `settings`."""

    settings: ExecutionConfig
    plain_s: float | None = None
    best_s: float | None = None
    trials: list[Trial] = field(default_factory=list)
    dropped: dict[str, str] = field(default_factory=dict)  # candidate -> why
    tried: set[str] = field(default_factory=set)
    not_tried: list[str] = field(default_factory=list)
    problem: str = ""  # why nothing could be found out


@dataclass
class _Runner:
    """A candidate that is built, right, and can be timed."""

    name: str
    settings: ExecutionConfig
    step_s: float = 0.0  # the least
    usual_s: float = 0.0  # the median


class _Over(Exception):
    """No more can be tried."""


class Search:
    """One search in one child process, over when `limit_s` are."""

    def __init__(
        self,
        bench: Bench,
        space: Mapping[str, Sequence[Any]],
        plain: ExecutionConfig,
        *,
        limit_s: float,
        compile_limit_s: float,
        start: ExecutionConfig | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`start` are settings to go on from, known from an earlier search."""
        self._bench, self._now = bench, now
        self._space = {name: values for name, values in space.items() if len(values) > 1}
        self._plain, self._start = plain, start or plain
        self._compile_limit_s = compile_limit_s
        self._deadline_s = now() + limit_s
        self._found = Found(settings=plain)
        self._seen: set[ExecutionConfig] = {plain}
        self._decided: set[str] = set()  # fields
        self._num_names = 0

    def run(self) -> Found:
        """Search until nothing is left or the time is up."""
        try:
            if self._measure_plain():
                while self._once_round():
                    pass
        except _Over:
            pass
        finally:
            self._bench.close()
        self._conclude()
        return self._found

    # -- the course of it

    def _measure_plain(self) -> bool:
        """The reference: its losses are right, its time is what others must beat."""
        found = self._found
        started_s = self._now()
        try:
            self._bench.start(self._left_s())
            self._startup_s = self._now() - started_s
        except Failed as error:
            found.problem = f"the probe's process: {error}"
            return False
        try:
            before_s = self._now()
            built = self._bench.build("plain", self._plain, limit_s=self._left_s(), may_shrink=True)
        except TimedOut:
            found.problem = "plain settings alone took longer than the time given"
            return False
        except Failed as error:
            found.problem = f"plain settings: {error}"
            self._decided = set(self._space)  # nothing else can be trusted more
            return False
        self._build_s = self._now() - before_s
        self._first_s, self._losses = built.times_s[0], built.losses
        plain = self._plain
        if built.facts.get("micro_batch_rows") and plain.micro_batch_rows:  # memory may be short
            plain = dataclasses.replace(plain, micro_batch_rows=built.facts["micro_batch_rows"])
        self._seen.add(plain)
        self._best = _timed(_Runner("plain", plain), built.times_s[1:])
        found.plain_s = self._best.step_s
        if self._start != self._plain:
            self._try(EARLIER, self._start, "")
        return True

    def _once_round(self) -> bool:
        """Every field once; whether something was gained."""
        before = self._best.settings
        for name, values in self._space.items():
            for value in values:
                settings = dataclasses.replace(self._best.settings, **{name: value})
                if settings in self._seen:
                    continue
                is_gain = self._try(name, settings, value)
                if not is_gain and type(value) is int:
                    break
        return self._best.settings != before

    def _try(self, name: str, settings: ExecutionConfig, value: Any) -> bool:
        """One candidate against the best; whether it is the best now."""
        label = f"{name}={value}" if value != "" else name
        is_compiling = settings.compile not in (None, "off")
        rounds_s = 2 * MIN_ROUNDS * max(BLOCK_S, self._best.step_s)
        needed_s = (COMPILE_LEAST_S if is_compiling else self._build_s) + rounds_s
        if self._left_s() < needed_s + (0 if self._bench.is_up else self._startup_s):
            self._not_tried(label)
            return False
        self._revive()
        self._seen.add(settings)
        usual_s = max(LEAST_LIMIT_S, LIMIT_FACTOR * self._build_s)
        limit_s = min(self._left_s(), self._compile_limit_s if is_compiling else usual_s)
        try:
            rival = self._built(label, settings, limit_s, is_compiling)
            if rival is None:
                self._decide(name, label)
                return False
            trial = self._raced(name, value, rival)
        except Failed as error:
            if isinstance(error, TimedOut) and self._left_s() < _INSTANT_S:
                self._not_tried(label)  # it had less time than it may take
            else:
                self._decide(name, label)
                self._found.dropped[label] = str(error)
            self._forget(str(self._num_names))
            return False
        if trial is None:
            self._not_tried(label)
            self._forget(rival.name)
            return False
        self._decide(name, label)
        self._found.trials.append(trial)
        loser = self._best if trial.is_kept else rival
        if trial.is_kept:
            self._best = rival
        self._forget(loser.name)
        return trial.is_kept

    def _built(
        self, label: str, settings: ExecutionConfig, limit_s: float, is_compiling: bool
    ) -> _Runner | None:
        """The candidate, if it is right and not far too slow."""
        self._num_names += 1
        runner = _Runner(str(self._num_names), settings)
        built = self._bench.build(
            runner.name,
            settings,
            limit_s=limit_s,
            first_limit_s=None if is_compiling else SLOW_START * self._first_s,
            step_limit_s=SLOW_STEP * self._best.usual_s,
        )
        if (why := self._what_is_wrong(settings, built)) is not None:
            self._forget(runner.name)
            self._found.dropped[label] = why
            return None
        if built.is_slow:
            name, _, _ = label.partition("=")
            self._found.trials.append(
                Trial(
                    field=name,
                    value=getattr(settings, name, None),
                    step_s=built.times_s[-1],
                    against_s=self._best.step_s,
                    spread=0.0,
                    num_rounds=0,
                    is_kept=False,
                )
            )
            return None
        return _timed(runner, built.times_s[1:])

    def _what_is_wrong(self, settings: ExecutionConfig, built: Built) -> str | None:
        if settings.compile not in (None, "off") and not built.facts.get("compiled", True):
            return str(built.facts.get("compile_error", "it was not compiled"))
        tolerance = TOLERANCE[settings.precision or "fp32"]
        # One that was given up has fewer.
        for number, (mine, right) in enumerate(zip(built.losses, self._losses, strict=False), 1):
            if not abs(mine - right) <= tolerance * abs(right):
                return f"the loss of step {number} is {mine:.4g} instead of {right:.4g}"
        return None

    def _raced(self, name: str, value: Any, rival: _Runner) -> Trial | None:
        """Blocks of steps in turn; None where the time does not suffice for some."""
        best = self._best
        slower_s = max(best.step_s, rival.step_s)
        num_steps = max(1, min(50, round(BLOCK_S / slower_s)))
        mine: list[float] = []
        theirs: list[float] = []
        ratios: list[float] = []
        while len(mine) < MAX_ROUNDS and self._left_s() > 2 * num_steps * slower_s:
            pair = [(rival, mine), (best, theirs)]
            for runner, times_s in pair if len(mine) % 2 else reversed(pair):
                limit_s = max(LEAST_LIMIT_S, LIMIT_FACTOR * num_steps * slower_s)
                limit_s = min(limit_s, self._left_s())
                times_s.append(self._bench.time(runner.name, num_steps, limit_s=limit_s))
            ratios = [a / b for a, b in zip(mine, theirs, strict=True)]
            leads = max(ratios) < 1 - CLEARLY or min(ratios) > 1 + CLEARLY
            if len(ratios) >= MIN_ROUNDS and leads:
                break
        if len(mine) < MIN_ROUNDS:
            return None
        _timed(rival, mine)
        _timed(best, theirs)
        won = max(min(mine) / min(theirs), statistics.median(ratios)) < 1 - MUST_WIN_BY
        spread = max(max(times_s) / min(times_s) - 1 for times_s in (mine, theirs))
        return Trial(
            field=name,
            value=value,
            step_s=min(mine),
            against_s=min(theirs),
            spread=spread,
            num_rounds=len(mine),
            is_kept=won,
        )

    # -- the rest

    def _revive(self) -> None:
        """A new process with the best settings in it, where the last candidate took the old one."""
        if self._bench.is_up:
            return
        try:
            self._bench.start(self._left_s())
            self._bench.build(self._best.name, self._best.settings, limit_s=self._left_s())
        except Failed as error:
            if self._left_s() > 0:
                self._found.problem = f"the best settings did not come up again: {error}"
            raise _Over from None

    def _forget(self, name: str) -> None:
        try:
            self._bench.drop(name)
        except Failed:
            self._bench.close()

    def _decide(self, name: str, label: str) -> None:
        self._decided.add(name)
        self._found.tried.add(label)
        if label in self._found.not_tried:  # beside other settings
            self._found.not_tried.remove(label)

    def _not_tried(self, label: str) -> None:
        if label not in self._found.tried and label not in self._found.not_tried:
            self._found.not_tried.append(label)

    def _left_s(self) -> float:
        return self._deadline_s - self._now()

    def _conclude(self) -> None:
        """Fields that no value was tried of stay as they come, not as plain settings have them."""
        found = self._found
        if found.plain_s is None:
            found.settings = self._plain if self._decided else ExecutionConfig()
            return
        found.best_s = self._best.step_s
        open_fields = {name: None for name in self._space if name not in self._decided}
        found.settings = dataclasses.replace(self._best.settings, **open_fields)


def _timed(runner: _Runner, times_s: Sequence[float]) -> _Runner:
    runner.step_s, runner.usual_s = min(times_s), statistics.median(times_s)
    return runner
