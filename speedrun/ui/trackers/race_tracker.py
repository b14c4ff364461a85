"""Callbacks that hand the state of a race to a tracker."""

import contextlib
import io
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from speedrun.config import Run, num_params_tables
from speedrun.models import loader
from speedrun.records.schema import Record
from speedrun.text import format_size
from speedrun.training.callbacks import Callbacks, Several, Silent
from speedrun.training.progress import Tick
from speedrun.training.runs.run_dir import run_name
from speedrun.ui.trackers.feed import Feed
from speedrun.ui.trackers.libraries import LIBRARIES, Library, Opening, Texts, Values, flat

EVERY_S = 10.0  # between two entries; they reach the library two at a time
OPEN_S, END_S = 30.0, 30.0  # a library may take at most, off the clock
_SENSE_EVERY_S = 15.0  # sensors can take milliseconds to read


class Tracker(Callbacks):
    """Follows one race after another; one without a kind follows none."""

    def __init__(self, kind: str = "", project: str = "", out: Path = Path()) -> None:
        self._kind, self._project, self._out = kind, project, out
        self._feed: Feed | None = None
        self._peak_lrs: Values = {}
        self._logged_s = 0.0
        self._last: Tick | None = None  # of the ticks
        self._last_step = -1  # of the entries
        self._sensors = Sensors()
        self._view: Callbacks = Silent()

    @contextlib.contextmanager
    def beside(self, *others: Callbacks) -> Iterator[Callbacks]:
        """Callbacks of a race that are told what this one is told; the first shows its lines."""
        self._view = others[0]
        try:
            yield Several(self, *others) if self._kind else Several(*others)
        finally:
            self._end({}, {})  # of a race that left no record

    def start(self, run: Run, machine: str) -> None:
        """Open a run in the tracker; the clock starts later."""
        size = format_size(run.model.num_params)
        about = Opening(
            project=self._project,
            name=run_name(run.arch, size, run.seed),
            group=f"{run.arch}-{size}-{run.budget_s / 60:g}min",
            config=flat(run.as_dict() | {"machine": machine, "num_params": run.model.num_params}),
            out=self._out,
        )
        self._view.phase(f"opening {self._kind}")
        self._peak_lrs, self._sensors = _peak_lrs(run), Sensors()
        self._logged_s, self._last, self._last_step = 0.0, None, -1
        with _without_its_prints():
            self._feed = feed = Feed(lambda: LIBRARIES[self._kind](about))
            is_open = feed.wait_until_open(OPEN_S)
        if not is_open:
            feed.end(_nothing_more, 0.0)
            self._feed = None
            self._untracked(f"has not answered for {OPEN_S:g} s")
        elif not self._has_failed(feed):
            self._view.notice(f"Tracked: {feed.where}")

    def tick(self, tick: Tick) -> None:
        """Log the state of the training, at most every ten seconds."""
        self._last = tick
        if self._feed is not None and time.monotonic() - self._logged_s >= EVERY_S:
            self._logged_s = time.monotonic()
            self._log(self._feed, tick)

    def finish(self, record: Record) -> None:
        """Log score and story, and close the run."""
        score, train = record.score, record.train
        values: dict[str, float] = {
            "num_params": record.num_params,
            "num_tokens": train.num_tokens,
            "tokens_per_s": train.tokens_per_s,
            "peak_bytes": train.peak_bytes,
        }
        texts = {"status": record.status, "record": record.id}
        if score is not None:
            names = ("bits_per_byte", "bits_per_byte_se", "perplexity", "perplexity_se")
            values |= {name: getattr(score, name) for name in names}
            texts["likelihood"] = score.likelihood
        if record.sample is not None:
            texts["story"] = record.sample.text
        self._end(
            {f"final/{name}": value for name, value in values.items()},
            {f"final/{name}": text for name, text in texts.items()},
        )

    def _log(self, feed: Feed, tick: Tick) -> None:
        if self._has_failed(feed):
            return
        values = {
            f"train/{k}": v for k, v in vars(tick).items() if k != "num_steps" and v is not None
        }
        values |= {f"lr/{k}": peak * tick.lr_scale for k, peak in self._peak_lrs.items()}
        step, sensors = tick.num_steps, self._sensors
        self._last_step = step
        # What the sensors read is read on the library's thread: some are slow.
        feed.add(lambda library: library.log(values | sensors.read(), step))

    def _end(self, values: Values, texts: Texts) -> None:
        last = self._last
        if self._feed is not None and last is not None and last.num_steps > self._last_step:
            self._log(self._feed, last)
        feed, self._feed = self._feed, None
        if feed is None:
            return
        step = max(0, self._last_step)
        with _without_its_prints():
            has_ended = feed.end(lambda library: library.end(step, values, texts), END_S)
        if feed.num_left_out:
            self._say(f"was slow: {feed.num_left_out} entries are left out")
        if not has_ended:
            self._say(f"has not taken all entries {END_S:g} s after the end: some may be lost")
        self._has_failed(feed)

    def _has_failed(self, feed: Feed) -> bool:
        if feed.failure:
            self._feed = None
            self._untracked(f"failed ({feed.failure})")
        return bool(feed.failure)

    def _untracked(self, problem: str) -> None:
        self._say(f"{problem}: this race goes untracked")

    def _say(self, what: str) -> None:
        self._view.notice(f"--track {self._kind} {what}")


class Sensors:
    """Memory of this process and temperature of the processor."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._read_s = -_SENSE_EVERY_S

    def read(self) -> dict[str, float]:
        """The memory, and now and then the hottest sensor in °C, where there is any."""
        values = {"system/memory_bytes": float(self._process.memory_info().rss)}
        if time.monotonic() - self._read_s >= _SENSE_EVERY_S:
            self._read_s = time.monotonic()
            sensors = getattr(psutil, "sensors_temperatures", dict)()
            found = [one.current for group in sensors.values() for one in group if one.current]
            values |= {"system/temperature_c": max(found)} if found else {}
        return values


def _peak_lrs(run: Run) -> Values:
    """Highest learning rates by group of parameters; those that have an effect."""
    names = {"lr": "adamw"} | ({"lr_matrix": "muon"} if run.recipe.optimizer == "muon" else {})
    names |= {"lr_table": "tables"} if num_params_tables(run.model) else {}
    fields = None
    with contextlib.suppress(LookupError, ValueError):  # a folder is known by no name
        fields = loader.architecture(run.arch).RECIPE_FIELDS
    return {v: getattr(run.recipe, k) for k, v in names.items() if fields is None or k in fields}


def _without_its_prints() -> contextlib.redirect_stdout:
    """Context for waiting: standard output is the view's, or of `--json` a record."""
    return contextlib.redirect_stdout(io.StringIO())


def _nothing_more(library: Library) -> None:
    library.end(0, {}, {})
