"""Sides of a duel from the words of a command: a recipe, a finished run, or an entry."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from leaderboard import index, reproduce
from leaderboard.store import ID_PREFIX, Store
from leaderboard.verify import case
from speedrun.config import Data
from speedrun.duel import checkout
from speedrun.duel.sides import Asked, named
from speedrun.models import loader
from speedrun.models.code import code_digest
from speedrun.records.argv import option_pairs, without_seed
from speedrun.records.sanitize import sanitize
from speedrun.records.schema import Record
from speedrun.records.summary import config_key, summarize
from speedrun.text import format_size, parse_eval_docs, parse_minutes
from speedrun.training.request import RunRequest

# Of a race, as far as a duel sets them for both sides.
DEFAULTS = {"--minutes": "5", "--eval-docs": "2000", "--backend": "auto"}
# Of recipes alone: a run or an entry has its own.
OF_RECIPES = {
    "--arch": "transformer",
    "--params": "2M",
    "--tables": "0",
    "--vocab": "4096",
    "--tune": "quick",
}

Words = list[tuple[str, str]]

_NEEDED = ("--arch", "--params", "--minutes", "--backend", "--recipe", "--vocab", "--eval-docs")


@dataclass(frozen=True, kw_only=True)
class Given:
    """One side as it stands on the command line."""

    letter: str  # A or B
    name: str  # a recipe, a run's folder, the first digits of an id
    arch: str | None
    sizes: dict[str, str]  # `--params` and `--tables` of this side alone
    settings: Sequence[str]
    commit: str | None  # any name that git has for it

    @property
    def option(self) -> str:
        """`--a` or `--b`."""
        return f"--{self.letter.lower()}"


@dataclass(frozen=True, kw_only=True)
class Shared:
    """Options of both sides; only those that were given are in `words`."""

    words: dict[str, str]
    data: Data  # where the documents come from


def asked(sides: Sequence[Given], shared: Shared, store: Store) -> list[Asked]:
    """Both sides, looked up. Raises ValueError or LookupError with what is allowed."""
    records = [_record(side, shared, store) for side in sides]
    if all(records) and (idle := sorted(OF_RECIPES.keys() & shared.words.keys())):
        raise ValueError(f"{idle[0]} {shared.words[idle[0]]}: both sides are runs, with their own")
    recorded = [dict(_words(record, "")) for record in records if record is not None]
    common = {**DEFAULTS, **{k: v for r in recorded for k, v in r.items() if k in DEFAULTS}}
    common["--backend"] = DEFAULTS["--backend"]
    return [
        _of_recipe(side, {**common, **OF_RECIPES, **shared.words}, shared.data)
        if record is None
        else _of_record(side, record, shared)
        for side, record in zip(sides, records, strict=True)
    ]


def _record(side: Given, shared: Shared, store: Store) -> Record | None:
    """The record that a side names; None for a recipe."""
    name = side.name
    is_folder = loader.is_path(name) or Path(name).is_dir()
    if not is_folder and not ID_PREFIX.fullmatch(name):
        return None
    arch = side.arch or shared.words.get("--arch", OF_RECIPES["--arch"])
    if not loader.is_path(name) and side.commit is None:
        with named(side.letter):
            if name in loader.architecture(arch).RECIPES:
                return None
    with named(side.option):
        found = index.local_run(name)
        return found[1] if found else index.fetch(store, case.full_id(store, name))


def _of_recipe(side: Given, words: dict[str, str], data: Data) -> Asked:
    arch = side.arch or words["--arch"]
    words = {**words, "--recipe": side.name, "--arch": arch, **side.sizes}
    commit = side.commit and checkout.commit_of(side.commit, f"--at-{side.letter.lower()}")
    tables = "" if words["--tables"] == "0" else f"{words['--tables']} tables"
    shown = [Path(arch).name, words["--params"], tables, side.name, *side.settings]
    return Asked(
        letter=side.letter,
        label=_label(shown, commit),
        request=_request([*words.items(), *_set(side.settings)], data),
        commit=commit,
    )


def _of_record(side: Given, record: Record, shared: Shared) -> Asked:
    if side.sizes:
        option, size = next(iter(side.sizes.items()))
        raise ValueError(f"{option}-{side.letter.lower()} {size}: {side.name} is a run of its own")
    words, changes = _words(record, side.letter), {}
    arch = dict(words)["--arch"]
    if loader.is_path(arch) != (side.arch is not None):
        needs = (
            f"its architecture is the folder {arch}: give it with --arch-{side.letter.lower()}"
            if side.arch is None
            else f"--arch-{side.letter.lower()} {side.arch}: it is a run of {arch}"
        )
        raise ValueError(f"{side.option} {side.name}: {needs}")
    if side.arch is not None:
        changes["--arch"] = side.arch
    changes |= {k: v for k, v in shared.words.items() if k in DEFAULTS}
    commit = _commit(side, record, side.arch or arch)
    if commit is None and not record.argv and not reproduce.command(record).is_checked:
        raise ValueError(
            f"{side.option} {side.name}: it has no command line, and this code does not resolve its"
            f" settings: race it at its commit with --at-{side.letter.lower()}"
        )
    words = [(option, changes.get(option, value)) for option, value in words]
    is_changed = bool(side.settings or {"--minutes", "--eval-docs"} & changes.keys())
    recipe = str(record.config.get("recipe_name", ""))
    shown = [record.arch, format_size(record.num_params), recipe, record.id[:8], *side.settings]
    return Asked(
        letter=side.letter,
        label=_label(shown, commit),
        request=_request([*words, *_set(side.settings)], shared.data),
        commit=commit,
        config_key=None if is_changed else config_key(record),
    )


def _commit(side: Given, record: Record, arch: str) -> str | None:
    """The commit that a run's code is checked out at; None where it is this code."""
    option = f"--at-{side.letter.lower()}"
    if side.commit is not None:
        return checkout.commit_of(side.commit, option)
    try:
        if code_digest(loader.architecture(arch)) == summarize(record).source:
            return None
    except (ValueError, LookupError):
        pass  # this code lacks the architecture
    if record.code.commit is None or record.code.dirty is not False:
        raise ValueError(
            f"{side.option} {side.name}: it was raced with code that no commit has;"
            f" {option} COMMIT says which to take"
        )
    return checkout.commit_of(record.code.commit, f"{side.option} {side.name}:")


def _words(record: Record, letter: str) -> Words:
    """Options of a record: its command line, or its settings spelled out."""
    if argv := without_seed(record.argv):
        return option_pairs(argv)
    with named(letter):
        return [(o, v) for o, v in reproduce.command(record).options if o != "--seed"]


def _request(words: Words, data: Data) -> RunRequest:
    """The request that these options mean; ValueError for one that a race does not have."""
    given = {option: value for option, value in words if option != "--set"}
    if missing := [option for option in _NEEDED if option not in given]:
        raise ValueError(f"the command line of the run lacks {missing[0]}")
    tune, keep = given.get("--tune", OF_RECIPES["--tune"]), given.get("--keep", "last")
    if tune not in ("off", "quick", "full") or keep not in ("last", "best"):
        raise ValueError(f"--tune {tune} --keep {keep}: no race has these options")
    if not given["--vocab"].isdecimal():
        raise ValueError(f"--vocab {given['--vocab']}: give a whole number")
    docs = parse_eval_docs(given["--eval-docs"])
    return RunRequest(
        arch=given["--arch"],
        params=given["--params"],
        tables=given.get("--tables", OF_RECIPES["--tables"]),
        budget_s=parse_minutes(given["--minutes"]),
        backend=given["--backend"],
        recipe=given["--recipe"],
        data=replace(data, vocab=int(given["--vocab"]), eval_docs=docs),
        settings=tuple(value for option, value in words if option == "--set"),
        tune=tune,
        keep=keep,
    )


def _set(settings: Sequence[str]) -> Words:
    return [("--set", setting) for setting in settings]


def _label(parts: Sequence[str], commit: str | None) -> str:
    """A few words for people; long settings are cut."""
    shown = sanitize(", ".join(filter(None, parts)))
    return (f"{shown[:90]} at {commit[:8]}" if commit else shown[:110]) or "?"
