"""A training, as far as it has come."""

from dataclasses import dataclass, field
from typing import Literal

from speedrun.records.sections import Event, EventKind
from speedrun.records.strict_json import plain
from speedrun.training import divergence

Status = Literal["complete", "interrupted", "diverged"]


@dataclass
class Training:
    """The outcome of a training so far; complete on rank 0 only."""

    status: Status = "complete"
    num_tokens: int = 0
    num_steps: int = 0
    loss_curve: list[tuple[float, float]] = field(default_factory=list)  # (share, nats)
    events: list[Event] = field(default_factory=list)
    resumes: list[float] = field(default_factory=list)  # seconds of the budget spent at each

    def note(self, share: float, kind: EventKind, what: str) -> None:
        """Add an event of the record at this share of the budget."""
        self.events.append(Event(share=round(share, 4), kind=kind, what=plain(what)))

    def diverge(self, share: float, problem: str, advice: str = "") -> None:
        """End as diverged, with the problem, the step and the likely cause as an event."""
        self.status = "diverged"
        self.events.append(divergence.event(share, problem, self.num_steps, advice))


@dataclass(frozen=True, kw_only=True)
class Tick:
    """The state of a training after some steps, for callbacks and the log."""

    share: float
    loss_nats: float
    lr_scale: float
    num_tokens: int
    num_steps: int
    spent_s: float
    tokens_per_s: float
    watts: float | None = None  # of about the last second, where the machine tells it
