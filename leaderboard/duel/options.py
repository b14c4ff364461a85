"""Options of the command `duel`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Group, Parameter

from leaderboard.duel.sides import Given, Shared
from speedrun.config import Data
from speedrun.data.open import STORYBOOK
from speedrun.text import StrictInt
from speedrun.training.options import (
    ARCH,
    DATA,
    DEVICE,
    EVAL_DOCS,
    FLAG,
    PARAMS,
    SET,
    TEXT_FIELD,
    TUNE,
    VOCAB,
)

_SIDES = Group("Sides", sort_key=1)
_BOTH = Group("Both sides", sort_key=2)
_DATA = Group("Data", sort_key=3)
_OUTPUT = Group("Output", sort_key=4)

_SET_A = "Change one setting of A, such as recipe.lr=0.002. Repeatable."
_SIZE = "Size of both. Default: 2M."
_SET_BOTH = "Change one setting of both sides. Repeatable."
Name = Annotated[str | None, Parameter(group=_SIDES)]
Settings = tuple[str, ...]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class DuelOptions:
    """Options of a duel; those without a description are those of a race.

    Parameters
    ----------
    a
        A recipe, the folder of a finished run, hf://user/name of a published one, or the first
        digits of the id of a record or an entry. The code of a run is checked out where it is not
        this one. Default: default.
    b
        Likewise.
    standing
        Take the record holder of this track as A.
    at_a
        Race A with the code of this commit, checked out beside this one for the time being.
    at_b
        Likewise.
    arch_a
        Architecture of A. Default: that of --arch.
    arch_b
        Likewise.
    params_a
        Size of A. Default: that of --params.
    params_b
        Likewise.
    tables_a
        Parameters of A in tables, as for a race. Default: those of --tables.
    tables_b
        Likewise.
    tables
        Parameters beside that, in tables of hashed n-grams, such as 16M. Default: 0.
    minutes
        Training budget of each race in minutes. Default: 5, or that of the runs that are named.
    pairs
        Number of pairs; five or more can make a record.
    stop
        fixed: race all pairs. early: end as soon as the verdict is safe either way.
    batch
        Race one idea of this file after another against what was kept so far; a line is JSON:
        {"name": "…", "set": {"recipe.lr": 0.02}}.
    out
        The duel's folder is made below duels/ in this one.
    json_
        Print only the result on standard output, as JSON.
    """

    a: Name = None
    b: Name = None
    standing: Annotated[bool, FLAG, Parameter(group=_SIDES)] = False
    at_a: Name = None
    at_b: Name = None
    arch_a: Name = None
    arch_b: Name = None
    params_a: Name = None
    params_b: Name = None
    tables_a: Name = None
    tables_b: Name = None
    set_a: Annotated[Settings, SET, Parameter(name="--set-a", help=_SET_A, group=_SIDES)] = ()
    set_b: Annotated[Settings, SET, Parameter(name="--set-b", help="Likewise.", group=_SIDES)] = ()
    arch: Annotated[str | None, ARCH, Parameter(group=_BOTH)] = None
    params: Annotated[str | None, PARAMS, Parameter(help=_SIZE, group=_BOTH)] = None
    tables: Annotated[str | None, Parameter(group=_BOTH)] = None
    set_: Annotated[Settings, SET, Parameter(help=_SET_BOTH, group=_BOTH)] = ()
    minutes: Annotated[str | None, Parameter(group=_BOTH)] = None
    pairs: Annotated[StrictInt, Parameter(group=_BOTH)] = 5
    stop: Annotated[Literal["fixed", "early"], Parameter(group=_BOTH)] = "fixed"
    device: Annotated[str | None, DEVICE, Parameter(group=_BOTH)] = None
    tune: Annotated[Literal["off", "quick", "full"] | None, TUNE, Parameter(group=_BOTH)] = None
    vocab: Annotated[StrictInt | None, VOCAB, Parameter(group=_DATA)] = None
    data: Annotated[str | None, DATA, Parameter(group=_DATA)] = None
    text_field: Annotated[str | None, TEXT_FIELD, Parameter(group=_DATA)] = None
    eval_docs: Annotated[str | None, EVAL_DOCS, Parameter(group=_DATA)] = None
    batch: Annotated[Path | None, Parameter(group=_SIDES)] = None
    out: Annotated[Path, Parameter(group=_OUTPUT)] = Path("runs")
    json_: Annotated[bool, FLAG, Parameter(name="--json", group=_OUTPUT)] = False

    def data_path(self) -> str | None:
        """The place of the data, whatever folder a process runs in."""
        return _absolute(self.data)

    def data_words(self) -> list[str]:
        """The options of the data as both sides take them, whatever folder they run in."""
        words = [] if self.data is None else ["--data", str(_absolute(self.data))]
        return words + ([] if self.text_field is None else ["--text-field", self.text_field])

    def shared(self) -> Shared:
        """Options that are set for both sides."""
        given = {
            "--arch": self.arch,
            "--params": self.params,
            "--tables": self.tables,
            "--minutes": self.minutes,
            "--backend": self.device,
            "--tune": self.tune,
            "--vocab": None if self.vocab is None else str(self.vocab),
            "--eval-docs": self.eval_docs,
        }
        words = {option: value for option, value in given.items() if value is not None}
        return Shared(words=words, data=Data(path=_absolute(self.data), text_field=self.text_field))

    def sides(self) -> list[Given]:
        """Both sides as given."""
        a = self.a, self.arch_a, (self.params_a, self.tables_a), self.set_a, self.at_a
        b = self.b, self.arch_b, (self.params_b, self.tables_b), self.set_b, self.at_b
        return [
            Given(
                letter=letter,
                name="default" if name is None else name,
                arch=arch,
                sizes={
                    option: size
                    for option, size in zip(("--params", "--tables"), sizes, strict=True)
                    if size is not None
                },
                settings=(*self.set_, *settings),
                commit=commit,
            )
            for letter, (name, arch, sizes, settings, commit) in (("A", a), ("B", b))
        ]


def _absolute(data: str | None) -> str | None:
    return data if data in (None, STORYBOOK) else str(Path(data).expanduser().resolve())
