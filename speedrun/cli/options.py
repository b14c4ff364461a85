"""Options that commands share; nothing heavy is imported here."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Group, Parameter

from speedrun.text import StrictInt

if TYPE_CHECKING:
    from speedrun.training.request import RunRequest

MAX_SEEDS = 100
_RUN = Group("Run", sort_key=1)
_MODEL = Group("Model", sort_key=2)
_DATA = Group("Data", sort_key=3)
_OUTPUT = Group("Output", sort_key=4)

DeviceName = Annotated[str, Parameter(name=("--device", "--backend"))]
Json = Annotated[bool, Parameter(name="--json", negative="")]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class RaceOptions:
    """Options of `race`, the default command.

    Parameters
    ----------
    minutes
        Training budget in minutes of wall-clock time. Start-up, compilation and scoring are free.
    seed
        Seed of the initial weights and of all noise.
    seeds
        Number of runs, one after the other, with seeds from --seed on.
    device
        auto, or a device that doctor lists, such as cpu; auto times mlx and mps on Apple silicon.
    tune
        Time real steps under different settings before the clock starts: off, quick (8 s), full.
    arch
        Name of an architecture, or a folder with one (its code is run); auto: best by scaling laws.
    params
        Trainable parameters (250K, 2M, 2000000), a preset (tiny, small, medium), or auto.
    tables
        Parameters beside --params, in tables of hashed n-grams, such as 16M. Default: 0; with
        --params auto those that scaling laws predict best.
    recipe
        A recipe of the architecture: default, or goedecke, a published laptop run.
    set_
        Change one setting, such as recipe.lr=0.002 or model.depth=4. Repeatable.
    data
        A folder in the hub's layout, or a parquet, arrow, jsonl, json, csv or txt file, or
        storybook for the built-in stories (a folder of that name is ./storybook). Default:
        TinyStories, streamed from the hub; where it cannot be read, the storybook.
    text_field
        Column or key of --data that holds the documents, nested ones with dots (meta.story).
        Default: text, or the only one of strings.
    vocab
        Size of the vocabulary; any but 4096 is trained on the data.
    eval_docs
        Number of held-out documents to score, or all. Scores compare only at the same number.
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
    device: Annotated[DeviceName, Parameter(group=_RUN)] = "auto"
    tune: Annotated[Literal["off", "quick", "full"], Parameter(group=_RUN)] = "quick"
    keep: Annotated[Literal["last", "best"], Parameter(group=_RUN)] = "last"
    arch: Annotated[str, Parameter(group=_MODEL)] = "transformer"
    params: Annotated[str, Parameter(group=_MODEL)] = "2M"
    tables: Annotated[str | None, Parameter(group=_MODEL)] = None
    recipe: Annotated[str, Parameter(group=_MODEL)] = "default"
    set_: Annotated[
        tuple[str, ...], Parameter(name="--set", negative="", show_default=False, group=_MODEL)
    ] = ()
    data: Annotated[str | None, Parameter(group=_DATA)] = None
    text_field: Annotated[str | None, Parameter(group=_DATA)] = None
    vocab: Annotated[StrictInt, Parameter(group=_DATA)] = 4096
    eval_docs: Annotated[str, Parameter(group=_DATA)] = "2000"
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
