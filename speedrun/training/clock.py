"""The budget clock and its accounts: the one place where time is read.

Time on the budget is read from a monotonic clock after the device has finished its work.
A second clock that keeps running while the machine sleeps shows suspensions.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import psutil

from speedrun.records.sections import OFF_CLOCK, ON_CLOCK

# A gap between two ticks counts as a stall when it is longer than this many of the longest
# step seen so far, and longer than this many seconds: a busy machine is slow, not stalled.
STALL_FACTOR = 10.0
STALL_FLOOR_S = 2.0
# Two clocks of one machine drift apart by parts per million; sleeping loses whole seconds.
SLEEP_FLOOR_S = 0.5

_ON_CLOCK = tuple(name.removesuffix("_s") for name in ON_CLOCK)
ACCOUNTS = tuple(name.removesuffix("_s") for name in OFF_CLOCK + ON_CLOCK)


def process_age_s() -> float:
    """Seconds since this process began: the cost of start-up before anything could be timed."""
    return max(0.0, time.time() - psutil.Process().create_time())


def wall_time() -> float:
    """Seconds on a clock that also runs while the machine is suspended."""
    boottime = getattr(time, "CLOCK_BOOTTIME", None)  # Linux; elsewhere the calendar clock serves
    return time.time() if boottime is None else time.clock_gettime(boottime)


class BudgetClock:
    """Counts the budget down and keeps the accounts in seconds.

    `now` and `wall` are injected in tests. `train` covers everything on the clock except
    waiting for data, which has its own account: `train + data_wait` is what the budget buys.
    """

    def __init__(
        self,
        budget_s: float,
        *,
        now: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = wall_time,
    ) -> None:
        self.budget_s = budget_s
        self.now, self.wall = now, wall
        self.watch: Callable[[str], object] = lambda name: None  # told of what is off the clock
        self.accounts: dict[str, float] = defaultdict(float)
        self.stalled_s = self._slept_s = self._last_tick = self._longest_step_s = 0.0
        self._carried_s = self._carried_suspended_s = 0.0  # of the run's parts before this one
        self._start: float | None = None
        self._stop: float | None = None

    def carry(self, spent_s: float, suspended_s: float, accounts: Mapping[str, float]) -> None:
        """Go on where an earlier part of the run stood; before `start`."""
        self._carried_s, self._carried_suspended_s = spent_s, suspended_s
        for name, seconds in accounts.items():
            self.accounts[name] += seconds

    @contextmanager
    def account(self, name: str) -> Iterator[None]:
        """Charge the time inside the block to the account `name`."""
        if name not in ACCOUNTS:
            raise LookupError(f"unknown account {name!r}; known: {', '.join(ACCOUNTS)}")
        if name not in _ON_CLOCK:
            self.watch(name)
        before = self.now()
        try:
            yield
        finally:
            self.accounts[name] += self.now() - before

    def start(self) -> None:
        """Start the budget. The device must be idle."""
        self._start = self._last_tick = self.now()
        self._wall_offset = self.wall() - self._start

    def stop(self) -> None:
        """Stop the budget. The device must be idle."""
        self._stop = self.now()
        self._notice_sleep()
        self.accounts["train"] = self.spent_s() - self.accounts["data_wait"]

    def spent_s(self) -> float:
        """Seconds of the budget used so far."""
        if self._start is None:
            return self._carried_s
        return self._carried_s + (self.now() if self._stop is None else self._stop) - self._start

    def share(self) -> float:
        """The share of the budget spent, between 0 and 1: what every schedule reads."""
        return min(1.0, self.spent_s() / self.budget_s)

    def fits(self, predicted_s: float) -> bool:
        """Whether something that takes `predicted_s` still ends inside the budget."""
        return self.spent_s() + predicted_s <= self.budget_s

    def tick(self, num_steps: int = 1, data_wait_s: float = 0.0) -> float:
        """Note that `num_steps` steps ended now; return the seconds one of them took.

        Waiting for data is taken out first: a slow network is no stall of the machine.
        """
        now = self.now()
        step_s = max(0.0, now - self._last_tick - data_wait_s) / num_steps
        self._last_tick = now
        limit_s = max(STALL_FLOOR_S, STALL_FACTOR * self._longest_step_s)
        if self._longest_step_s and step_s * num_steps > limit_s + self._longest_step_s * num_steps:
            self.stalled_s += (step_s - self._longest_step_s) * num_steps
        else:
            self._longest_step_s = max(self._longest_step_s, step_s)
        self._notice_sleep()
        return step_s

    def excuse(self) -> None:
        """Start the next step's interval here: what came before is no stall."""
        self._last_tick = self.now()

    def _notice_sleep(self) -> None:
        slept_s = self.wall() - self.now() - self._wall_offset
        self._slept_s = slept_s if slept_s > SLEEP_FLOOR_S else 0.0

    @property
    def overshoot_s(self) -> float:
        """Seconds of training past the end of the budget."""
        return max(0.0, self.spent_s() - self.budget_s)

    @property
    def suspended_s(self) -> float:
        """Seconds the machine slept or stood still during the budget; ranks only at 0."""
        return self._carried_suspended_s + self._slept_s + self.stalled_s

    def ledger(self) -> dict[str, float]:
        """All accounts, overshoot and suspension as `<name>_s` in seconds."""
        seconds = {f"{name}_s": self.accounts[name] for name in ACCOUNTS}
        return seconds | {"overshoot_s": self.overshoot_s, "suspended_s": self.suspended_s}
