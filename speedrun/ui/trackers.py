"""Trackers of experiments that follow a race: TensorBoard, Trackio, Weights & Biases.

A tracker is a callback. It is told at most once a second, and one that fails is dropped with a
line: it costs no race.
"""

import importlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import psutil

from speedrun.config import Run
from speedrun.records.schema import Record
from speedrun.text import nearest, reason
from speedrun.training.callbacks import Callbacks, Several
from speedrun.training.progress import Tick

EVERY_S = 1.0  # between two entries: what is told is on the clock
_FELT_EVERY_S = 15.0  # sensors can take milliseconds to read
_PROJECT = "speedrun"

Values = Mapping[str, float]


class Sink(Protocol):
    """A tracker's library, from the first entry of a run to its last."""

    def log(self, values: Values, step: int) -> None:
        """Add numbers at a step."""

    def end(self, summary: Values, story: str) -> None:
        """Add what is known at the end, and close the run."""


class Tracker(Callbacks):
    """Follows one race after another; one without a kind follows none."""

    def __init__(self, kind: str = "", project: str = "", out: Path = Path()) -> None:
        self._kind, self._project, self._out = kind, project or _PROJECT, out
        self._sink: Sink | None = None
        self._logged_s = self._felt_s = 0.0
        self._process = psutil.Process()
        self._say: Callable[[str], None] = lambda text: None

    def beside(self, *others: Callbacks) -> Callbacks:
        """Callbacks of a race that are told what this one is told; the first says if it fails."""
        self._say = others[0].notice
        return Several(*others, self) if self._kind else Several(*others)

    def start(self, run: Run, machine: str) -> None:
        """Open a run in the tracker. The clock starts when this returns."""
        config = run.as_dict() | {"machine": machine}
        name = f"{run.arch}-{run.model.num_params}-{run.seed}"

        def opened() -> None:
            self._sink = _SINKS[self._kind](self._project, name, config, self._out)

        self._logged_s = self._felt_s = 0.0
        self._safely(opened)

    def tick(self, tick: Tick) -> None:
        """Log the state of the training, at most once a second."""
        sink, now_s = self._sink, time.monotonic()
        if sink is None or now_s - self._logged_s < EVERY_S:
            return
        self._logged_s = now_s
        values = {
            "loss": tick.loss_nats,
            "lr_scale": tick.lr_scale,
            "tokens": tick.num_tokens,
            "tokens_per_s": tick.tokens_per_s,
            "share": tick.share,
            "memory_bytes": self._process.memory_info().rss,
        }
        if now_s - self._felt_s >= _FELT_EVERY_S:
            self._felt_s = now_s
            values |= _temperature()
        self._safely(lambda: sink.log(values, tick.num_steps))

    def finish(self, record: Record) -> None:
        """Log the score and the story, and close the run."""
        score = record.score
        summary = {"num_params": float(record.num_params)}
        if score is not None:
            summary |= {"bits_per_byte": score.bits_per_byte, "perplexity": score.perplexity}
        story = record.sample.text if record.sample else ""
        if (sink := self._sink) is not None:
            self._safely(lambda: sink.end(summary, story))
        self._sink = None

    def _safely(self, call: Callable[[], object]) -> None:
        try:
            call()
        except Exception as error:  # libraries that talk to servers raise what they like
            self._sink = None
            self._say(f"--track {self._kind} failed ({reason(error)}): this race goes untracked")


def tracker(wanted: str | None, out: Path) -> Tracker:
    """The tracker of `--track KIND[:PROJECT]`; ValueError or LookupError for none that is there."""
    if wanted is None:
        return Tracker()
    kind, _, project = wanted.partition(":")
    if kind not in _SINKS:
        raise nearest(kind, _SINKS, "--track")
    module = _MODULES[kind]
    try:
        importlib.import_module(module)
    except ImportError:
        raise ValueError(
            f"--track {kind}: {kind} is not installed here;"
            f" install it with: pip install -e '.[{kind}]'"
        ) from None
    return Tracker(kind, project, out)


def _temperature() -> dict[str, float]:
    """The hottest sensor of the processor in °C, where the system has any."""
    sensors = getattr(psutil, "sensors_temperatures", dict)()
    found = [one.current for group in sensors.values() for one in group if one.current]
    return {"temperature": max(found)} if found else {}


class _TensorBoard:
    def __init__(self, project: str, name: str, config: Mapping[str, Any], out: Path) -> None:
        writer = importlib.import_module(_MODULES["tensorboard"]).SummaryWriter
        folder = out / "tensorboard" / project / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"
        self._writer = writer(str(folder))
        self._writer.add_text("config", f"```\n{config}\n```")

    def log(self, values: Values, step: int) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def end(self, summary: Values, story: str) -> None:
        for name, value in summary.items():
            self._writer.add_scalar(f"final/{name}", value)
        self._writer.add_text("story", story)
        self._writer.close()


class _Hosted:
    """Trackio and Weights & Biases, whose calls are the same."""

    def __init__(self, module: str, project: str, name: str, config: Mapping[str, Any]) -> None:
        self._library = importlib.import_module(module)
        self._library.init(project=project, name=name, config=dict(config))

    def log(self, values: Values, step: int) -> None:
        self._library.log(dict(values), step=step)

    def end(self, summary: Values, story: str) -> None:
        self._library.log({**{f"final/{k}": v for k, v in summary.items()}, "story": story})
        self._library.finish()


_MODULES = {"tensorboard": "torch.utils.tensorboard", "trackio": "trackio", "wandb": "wandb"}
_SINKS: dict[str, Callable[[str, str, Mapping[str, Any], Path], Sink]] = {
    "tensorboard": _TensorBoard,
    "trackio": lambda project, name, config, out: _Hosted("trackio", project, name, config),
    "wandb": lambda project, name, config, out: _Hosted("wandb", project, name, config),
}
