"""Finished runs, duels and sweeps as Python values."""

import functools
import importlib
import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from speedrun.records.schema import Record

Curve = dict[str, list[float]]  # a column for each quantity, of equal lengths


@dataclass(frozen=True)
class Run:
    """A finished run: its folder and its record."""

    folder: Path
    record: "Record"

    @property
    def bits_per_byte(self) -> float:
        """The held-out score; NaN where there is none."""
        return self.record.score.bits_per_byte if self.record.score else float("nan")

    @functools.cached_property
    def curve(self) -> Curve:
        """The training curve, a column each: `pandas.DataFrame(run.curve)`.

        share of the budget, spent_s, num_steps, num_tokens, loss_nats (per token), lr_scale and
        tokens_per_s, at every tick of the training.
        """
        rows = (json.loads(line) for line in (self.folder / "log.jsonl").open(encoding="utf-8"))
        columns: Curve = {}
        for row in rows:
            for name, value in row.items():
                columns.setdefault(name, []).append(float("nan") if value is None else value)
        return columns

    def plot(self, *others: "Run") -> Any:
        """A matplotlib figure of the training loss over time, of this run and of others."""
        from matplotlib import pyplot  # a notebook shows figures only where it is imported

        figure, axes = pyplot.subplots(figsize=(7.2, 4.0), layout="constrained")
        pyplot.close(figure)  # shown by who gets it, and once
        lines = itertools.cycle(("-", "--", "-.", ":"))  # told apart without colour, too
        for run, line in zip((self, *others), lines, strict=False):
            axes.plot(run.curve["spent_s"], run.curve["loss_nats"], line, label=run.title)
        axes.set_xlabel("seconds of training")
        axes.set_ylabel("training loss, nats per token")
        axes.legend(frameon=False)
        return figure

    def sample(self, prompt: str = "Once upon a time", **sampling: Any) -> str:
        """A story that begins with the prompt.

        `temperature`, `top_p`, `seed`, `max_tokens` and, of diffusion, `steps` are as in `sample`
        of the command line.
        """
        from speedrun.evaluation import generate

        wanted = generate.Sampling(**sampling)
        of_run = self._model
        with of_run.architecture.plugin_errors():
            parts = (of_run.engine, of_run.architecture, of_run.model, of_run.tokenizer)
            return generate.tell(*parts, prompt, wanted)

    def publish(
        self,
        to: str | Path,
        *,
        private: bool = False,
        license: str | None = None,
        data_license: str | None = None,
        with_paths: bool = False,
    ) -> dict[str, Any]:
        """Publish it at hf://user/name or in a folder, as `publish` of the command line does.

        Returns what `publish --json` prints: record, to, page, commit and files. ValueError where
        it cannot be published.
        """
        # By name: the leaderboard imports this package, and never the other way.
        command = importlib.import_module("leaderboard.publish.command")
        options = command.PublishOptions(
            to=str(to),
            private=private,
            license_=license,
            data_license=data_license,
            with_paths=with_paths,
        )
        return command.published(self.folder, options)[0]

    @functools.cached_property
    def _model(self) -> Any:
        from speedrun.training.runs.restore import load_run

        return load_run(self.folder, "auto")

    @property
    def title(self) -> str:
        """Architecture, size, seed and score in a few words."""
        from speedrun.text import format_size

        size = format_size(self.record.num_params)
        return f"{self.record.arch} {size}, seed {self.record.seed}: {self.bits_per_byte:.4f}"

    def __repr__(self) -> str:
        return f"Run({self.title} bits per byte, {str(self.folder)!r})"


@dataclass(frozen=True)
class DuelResult:
    """A duel: its folder and what `duel --json` prints."""

    folder: Path
    result: dict[str, Any]

    @property
    def decision(self) -> str | None:
        """Side that is better, "a" or "b"; None where that is not clear."""
        found = self.result["decision"]
        return found if found in ("a", "b") else None

    @property
    def runs(self) -> list[Run]:
        """All runs of its pairs."""
        return [load(path.parent) for path in sorted(self.folder.rglob("record.json"))]


@dataclass(frozen=True)
class SweepResult:
    """A sweep: its folder, with the report, and a row for each race."""

    folder: Path
    num_failed: int

    @functools.cached_property
    def runs(self) -> list[Run]:
        """Its finished runs."""
        from speedrun.records.files import read_runs

        return [Run(folder, record) for folder, record in read_runs(self.folder)]

    @property
    def cells(self) -> dict[str, list[Any]]:
        """A row for each run, in columns: `num_params` is the whole size, `tables` a part of it.

        `settings` are those of `vary`.
        """
        from speedrun.sweep import results

        columns: dict[str, list[Any]] = {}
        shared = results.shared_settings([run.record for run in self.runs])
        for run in self.runs:
            record = run.record
            row = {
                "arch": record.arch,
                "num_params": record.num_params,
                "tables": results.tables_of(record),
                "settings": results.variant_of(record, shared),
                "minutes": record.budget_s / 60,
                "seed": record.seed,
                "bits_per_byte": run.bits_per_byte,
                "num_tokens": record.train.num_tokens,
                "tokens_per_s": record.train.tokens_per_s,
            }
            for name, value in row.items():
                columns.setdefault(name, []).append(value)
        return columns


def load(folder: str | Path) -> Run:
    """The finished run in a folder, or at hf://user/name; ValueError where there is none."""
    from speedrun.records import schema
    from speedrun.training.runs.fetch import folder_of

    path = folder_of(folder)
    if not (path / "record.json").is_file():
        raise ValueError(f"{path}: no record.json there; give the folder of a finished run")
    return Run(path, schema.load(path / "record.json"))
