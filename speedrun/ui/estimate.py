"""Time that a whole command takes, and how much of it is left.

Expected seconds of each account of the clock come from the last race of the kind; where there is
none, from any of the architecture, and else they are those of a usual race on the device.
"""

import platform
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from speedrun.records.argv import option_pairs
from speedrun.records.files import record_paths
from speedrun.records.schema import Record, load
from speedrun.records.sections import OFF_CLOCK
from speedrun.text import clock, counted
from speedrun.training.request import RunRequest

_MAX_READ = 50  # records, of the newest
_AFTER = ("checkpoint", "evaluate", "sample")
_BEFORE = tuple(n for name in OFF_CLOCK if (n := name.removesuffix("_s")) not in _AFTER)
_NO_PART = ("--seed", "--backend", "--minutes")  # in what is off the clock
# Seconds for 2M parameters and 2,000 documents: medians of the board's records on two cores, data
# on disk. On other devices, where compiling takes longer and scoring less, they are assumptions.
_CPU = {"startup": 6.0, "tokenizer": 1.0, "build": 2.0, "compile": 8.0, "warmup": 2.0}
_CPU |= {"checkpoint": 0.1, "evaluate": 20.0, "sample": 1.0}
_GPU = _CPU | {"startup": 15.0, "compile": 60.0, "warmup": 3.0, "evaluate": 5.0}
_NO_COMPILER = _CPU | {"compile": 1.0, "evaluate": 10.0}
_LATE = 0.5  # of the time that an account is late by, it is taken to need on top
_TUNING = {"off": 0.0, "quick": 8.0, "full": 300.0}
_USUAL_DOCS = 2000.0


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Expected seconds by account, and where they are from."""

    seconds: Mapping[str, float]
    budget_s: float
    origin: str
    num_races: int = 1

    def __str__(self) -> str:
        """`This takes about 5:45: 0:20 before training, 5:00 of it, … (by …).`"""
        before, after = self.of(_BEFORE), self.of(_AFTER)
        total = clock(self.num_races * (before + self.budget_s + after))
        each = f" for {counted(self.num_races, 'race')}, each" if self.num_races > 1 else ":"
        return (
            f"This takes about {total}{each} {clock(before)} before training,"
            f" {clock(self.budget_s)} of training, {clock(after)} of scoring and sampling"
            f" ({self.origin})."
        )

    def of(self, accounts: Iterable[str]) -> float:
        """Expected seconds of some accounts."""
        return sum(self.seconds.get(name, 0.0) for name in accounts)


def of_race(request: RunRequest, num_races: int = 1, spent_s: float = 0.0) -> Estimate:
    """The estimate for races of this request, one after the other.

    Of the budget `spent_s` are spent already, by a race that goes on.
    """
    records, wanted = list(_newest(request.out)), request.argv()
    alike = [one for one in records if _kind(one.argv) == _kind(wanted)]
    related = [one for one in records if one.arch == request.arch and "--tune" in one.argv]
    if alike:
        seconds, origin = _accounts(alike[0]), "as the last such race here did"
    elif related:
        seconds = _scaled(_accounts(related[0]), _docs(related[0].argv), _docs(wanted))
        seconds["warmup"] += _tuning(wanted) - _tuning(related[0].argv)
        origin = f"by the last race of {request.arch} here"
    else:
        seconds, device = _usual(request.backend)
        seconds = _scaled(seconds, _USUAL_DOCS, _docs(wanted))
        seconds["warmup"] += _tuning(wanted)
        origin = f"usual on a {device}; the first race also compiles, and fetches its data"
    seconds = {name: max(0.0, value) for name, value in seconds.items()}
    left_s = request.budget_s - spent_s
    return Estimate(seconds=seconds, budget_s=left_s, origin=origin, num_races=num_races)


def _newest(out: Path) -> Iterable[Record]:
    """Complete races below a folder, the newest first."""
    for path in list(reversed(record_paths(out)))[:_MAX_READ]:
        try:
            record = load(path)
        except (ValueError, OSError):
            continue
        if record.status == "complete":
            yield record


def _kind(argv: Sequence[str]) -> list[tuple[str, str]]:
    """The options that decide how long a race takes off the clock."""
    return [(name, value) for name, value in option_pairs(argv) if name not in _NO_PART]


def _docs(argv: Sequence[str]) -> float:
    given = dict(option_pairs(argv)).get("--eval-docs", "")
    return float(given) if given.isdecimal() else _USUAL_DOCS


def _tuning(argv: Sequence[str]) -> float:
    return _TUNING.get(dict(option_pairs(argv)).get("--tune", "quick"), 0.0)


def _accounts(record: Record) -> dict[str, float]:
    seconds = record.clock.model_dump()
    return {name: seconds[f"{name}_s"] for name in (*_BEFORE, *_AFTER)}


def _scaled(seconds: Mapping[str, float], docs: float, wanted: float) -> dict[str, float]:
    return {**seconds, "evaluate": seconds["evaluate"] * wanted / docs}


def _usual(device: str) -> tuple[Mapping[str, float], str]:
    """Accounts of a race on a device, and its name; nothing is imported to find one."""
    if device.startswith(("mps", "mlx")) or (device == "auto" and platform.system() == "Darwin"):
        return _NO_COMPILER, "Mac"
    if device.startswith("cuda") or (device == "auto" and shutil.which("nvidia-smi")):
        return _GPU, "GPU"
    return _CPU, "processor"


class Progress:
    """Share of a command that is done, and the time left, as the accounts of its clock begin."""

    def __init__(self, estimate: Estimate, spent_s: float = 0.0) -> None:
        """`spent_s` of the command, which its first account is charged with."""
        self.estimate = estimate
        self._began_s = time.monotonic() - spent_s
        self._races_left = estimate.num_races
        self._begin(self._began_s)

    def _begin(self, since_s: float) -> None:
        self._races_left -= 1
        self._spent: dict[str, float] = {}
        self._account, self._since_s = "startup", since_s
        self._over: set[str] = set()  # accounts that will not be charged again
        self._is_training = False

    def next_race(self) -> None:
        """Begin another race of the command."""
        self._begin(time.monotonic())

    def account(self, name: str) -> None:
        """Charge the time from here on to an account."""
        now_s = time.monotonic()
        self._spent[self._account] = self._spent.get(self._account, 0.0) + now_s - self._since_s
        self._account, self._since_s = name, now_s
        if self._is_training:
            self._over.update((*_BEFORE, "train"))
        if name in _AFTER:
            self._over.update(_AFTER[: _AFTER.index(name)])

    def training(self) -> None:
        """The budget is spent from here on."""
        self.account("train")
        self._is_training = True

    def expected_s(self) -> float:
        """Seconds that the account under way is expected to take."""
        return self.estimate.seconds.get(self._account, 0.0)

    def left_s(self, share: float = 0.0) -> float:
        """Seconds left, by the share of the account under way that is done, if that is known."""
        estimate = self.estimate
        accounts = {**estimate.seconds, "train": estimate.budget_s}
        if self._is_training:
            accounts = {name: s for name, s in accounts.items() if name not in _BEFORE}
        left_s = sum(self._of(name, seconds, share) for name, seconds in accounts.items())
        return left_s + self._races_left * (sum(estimate.seconds.values()) + estimate.budget_s)

    def share(self, left_s: float) -> float:
        """Share of the command's time that is spent where so much is left."""
        spent_s = time.monotonic() - self._began_s
        return spent_s / max(1e-9, spent_s + left_s)

    def _of(self, name: str, expected_s: float, share: float) -> float:
        """Seconds left of an account."""
        if name in self._over:
            return 0.0
        spent_s = self._spent.get(name, 0.0)
        if name != self._account:
            return max(0.0, expected_s - spent_s)
        spent_s += time.monotonic() - self._since_s
        if share > 0:
            return spent_s / share * (1 - share)
        # One that takes longer than expected is not taken to end at once.
        return expected_s - spent_s if spent_s < expected_s else _LATE * (spent_s - expected_s)
