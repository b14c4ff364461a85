"""Trials of a search for execution settings, and its outcome."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from speedrun.device import DEFAULT_EXECUTION, ExecutionConfig


@dataclass(frozen=True, kw_only=True)
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

    def as_dict(self) -> dict[str, Any]:
        """For the record."""
        times = {name: round(getattr(self, name), 6) for name in ("step_s", "against_s")}
        return dataclasses.asdict(self) | times | {"spread": round(self.spread, 3)}


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
