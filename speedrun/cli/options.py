"""Options of a race on the command line; nothing heavy is imported here."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Group, Parameter

from speedrun.text import StrictInt
from speedrun.training.options import (
    ARCH_OR_AUTO,
    DATA,
    DEVICE,
    EVAL_DOCS,
    FLAG,
    PARAMS_OR_AUTO,
    RECIPE,
    SET,
    TEXT_FIELD,
    TUNE,
    VOCAB,
)

if TYPE_CHECKING:
    from speedrun.training.request import RunRequest

MAX_SEEDS = 100
_RUN = Group("Run", sort_key=1)
_MODEL = Group("Model", sort_key=2)
_DATA = Group("Data", sort_key=3)
_OUTPUT = Group("Output", sort_key=4)

Json = Annotated[bool, FLAG, Parameter(name="--json")]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class RaceOptions:
    """Options of `race`, the default command; those without a description are shared.

    Parameters
    ----------
    minutes
        Training budget in minutes of wall-clock time. Start-up, compilation and scoring are free.
    seed
        Seed of the initial weights and of all noise.
    seeds
        Number of runs, one after the other, with seeds from --seed on.
    tables
        Parameters beside --params, in tables of hashed n-grams, such as 16M. Default: 0; with
        --params auto those that scaling laws predict best.
    keep
        Weights to score: last, or best on a slice of training text that is not trained on.
    checkpoint_every
        Minutes of training between checkpoints, from which `resume` goes on; 0 for none. Default:
        10 where the budget is longer, else none.
    track
        Follow the race in a tracker: tensorboard, trackio or wandb, with :project if you like.
    out
        Folder of the run directories.
    json_
        Print only the record on standard output, one line of JSON for each seed.
    """

    minutes: Annotated[str, Parameter(group=_RUN)] = "5"
    seed: Annotated[StrictInt, Parameter(group=_RUN)] = 0
    seeds: Annotated[StrictInt, Parameter(group=_RUN)] = 1
    device: Annotated[str, DEVICE, Parameter(group=_RUN)] = "auto"
    tune: Annotated[Literal["off", "quick", "full"], TUNE, Parameter(group=_RUN)] = "quick"
    keep: Annotated[Literal["last", "best"], Parameter(group=_RUN)] = "last"
    arch: Annotated[str, ARCH_OR_AUTO, Parameter(group=_MODEL)] = "transformer"
    params: Annotated[str, PARAMS_OR_AUTO, Parameter(group=_MODEL)] = "2M"
    tables: Annotated[str | None, Parameter(group=_MODEL)] = None
    recipe: Annotated[str, RECIPE, Parameter(group=_MODEL)] = "default"
    set_: Annotated[tuple[str, ...], SET, Parameter(group=_MODEL)] = ()
    data: Annotated[str | None, DATA, Parameter(group=_DATA)] = None
    text_field: Annotated[str | None, TEXT_FIELD, Parameter(group=_DATA)] = None
    vocab: Annotated[StrictInt, VOCAB, Parameter(group=_DATA)] = 4096
    eval_docs: Annotated[str, EVAL_DOCS, Parameter(group=_DATA)] = "2000"
    checkpoint_every: Annotated[str | None, Parameter(group=_OUTPUT)] = None
    track: Annotated[str | None, Parameter(group=_OUTPUT)] = None
    out: Annotated[Path, Parameter(group=_OUTPUT)] = Path("runs")
    json_: Annotated[Json, Parameter(group=_OUTPUT)] = False

    def request(self) -> "RunRequest":
        """The request of the first seed; raises ValueError for what is out of range."""
        from speedrun.api.options import request_of

        if not 1 <= self.seeds <= MAX_SEEDS:
            raise ValueError(f"--seeds {self.seeds}: allowed are 1 to {MAX_SEEDS}")
        not_of_one_race = ("seeds", "json_")
        options = {n: value for n, value in vars(self).items() if n not in not_of_one_race}
        return request_of(set=options.pop("set_"), **options)
