"""Libraries of trackers behind one interface."""

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from speedrun.text import reason

Values = Mapping[str, float]
Texts = Mapping[str, str]
Config = Mapping[str, float | str | None]  # hyperparameters by dotted names

SCORE, STORY = "final/bits_per_byte", "final/story"
# Seconds that Weights & Biases may take to reach its server, and to send what is left at the end.
_INIT_S, _FINISH_S = 10.0, 20.0
_FLUSH_S = 1  # what a killed race loses of TensorBoard's file


@dataclass(frozen=True, kw_only=True)
class Opening:
    """Facts about a run that a tracker gets before it starts."""

    project: str
    name: str
    group: str  # runs that differ in their seed
    config: Config
    out: Path


class Library(Protocol):
    """A run in a tracker, from its first entry to its last, on one thread."""

    MODULE: ClassVar[str]
    where: str  # the way to look at the run

    def __init__(self, about: Opening) -> None:
        """Open the run."""

    def log(self, values: Values, step: int) -> None:
        """Add numbers at a step."""

    def end(self, step: int, values: Values, texts: Texts) -> None:
        """Add what is known at the end, nothing where the race broke off, and close the run."""


class TensorBoard:
    """Event files below `<out>/tensorboard`."""

    MODULE: ClassVar[str] = "torch.utils.tensorboard"

    def __init__(self, about: Opening) -> None:
        root = about.out / "tensorboard"
        writer = importlib.import_module(self.MODULE).SummaryWriter
        self._writer = writer(str(root / about.project / about.name), flush_secs=_FLUSH_S)
        self.where = f"tensorboard --logdir {root}"
        # As `add_hparams` does, which would open a second run for them.
        summary = importlib.import_module(f"{self.MODULE}.summary")
        *first, self._last = summary.hparams(dict(about.config), {SCORE: None})
        for one in first:
            self._writer.file_writer.add_summary(one)

    def log(self, values: Values, step: int) -> None:
        """Add numbers at a step."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def end(self, step: int, values: Values, texts: Texts) -> None:
        """Add score and texts, and close the run."""
        self.log(values, step)
        for name, text in texts.items():
            self._writer.add_text(name, text, step)
        if values:
            self._writer.file_writer.add_summary(self._last)
        self._writer.close()


class Trackio:
    """A database in Trackio's own folder, or a Space where its environment names one."""

    MODULE: ClassVar[str] = "trackio"

    def __init__(self, about: Opening) -> None:
        self._library = importlib.import_module(self.MODULE)
        # Its functions know the run of their thread's context, the run itself knows no thread.
        self._run = self._library.init(
            project=about.project,
            name=about.name,
            group=about.group,
            config=dict(about.config),
            embed=False,
            auto_log_cpu=False,
        )
        self.where = f"trackio show --project {about.project}"

    def log(self, values: Values, step: int) -> None:
        """Add numbers at a step."""
        self._run.log(dict(values), step=step)

    def end(self, step: int, values: Values, texts: Texts) -> None:
        """Add score and texts, and close the run."""
        if values:
            long = {k: self._library.Markdown(v) for k, v in texts.items() if k == STORY}
            self._run.log({**values, **texts, **long}, step=step)
        self._run.finish()


class WandB:
    """A run of Weights & Biases; a local one where nobody is logged in or no server answers."""

    MODULE: ClassVar[str] = "wandb"

    def __init__(self, about: Opening) -> None:
        wandb = importlib.import_module(self.MODULE)
        # Silent, it asks no questions on a terminal.
        settings = wandb.Settings(
            silent=True,
            console="off",
            init_timeout=_INIT_S,
            finish_timeout=_FINISH_S,
            x_disable_stats=True,  # sampling the system takes more than all of our entries
        )
        wandb.setup(settings=settings)
        given = {
            "project": about.project,
            "name": about.name,
            "group": about.group,
            "config": dict(about.config),
            "dir": str(about.out),
            "settings": settings,
        }
        unsent = ""
        try:
            self._run = wandb.init(**given)
        except (wandb.errors.UsageError, wandb.errors.CommError) as error:
            unsent = f" (kept here: {reason(error, 80)})"
            self._run = wandb.init(**given, mode="offline")
        is_local = unsent or self._run.offline
        local = f"wandb sync {Path(self._run.dir).parent}{unsent}"
        self.where = local if is_local else str(self._run.url)

    def log(self, values: Values, step: int) -> None:
        """Add numbers at a step."""
        self._run.log(dict(values), step=step)

    def end(self, step: int, values: Values, texts: Texts) -> None:
        """Add score and texts, and close the run."""
        self._run.summary.update({**values, **texts})
        self._run.finish(exit_code=0 if values else 1)


LIBRARIES: Mapping[str, type[Library]] = {
    "tensorboard": TensorBoard,
    "trackio": Trackio,
    "wandb": WandB,
}


def flat(settings: Mapping[str, Any], prefix: str = "") -> Config:
    """Nested settings under dotted names: `{"recipe": {"lr": 1}}` as `{"recipe.lr": 1}`."""
    return dict(_flat(settings, prefix))


def _flat(settings: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, float | str | None]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            is_plain = value is None or isinstance(value, bool | int | float | str)
            yield f"{prefix}{name}", value if is_plain else str(value)
