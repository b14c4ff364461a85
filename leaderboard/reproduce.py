"""The command that runs a record again: its own command line, or its config with every setting.

A record may come from a stranger: nothing in it is executed, and its architecture is looked up by
name only, since a folder would be imported.
"""

import functools
import json
import re
import shlex
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from speedrun.config import Data
from speedrun.data import open
from speedrun.models import loader
from speedrun.records.argv import option_pairs
from speedrun.records.schema import Record
from speedrun.system.timeout import CallTimedOut, call_with_timeout
from speedrun.text import parse_eval_docs, parse_minutes
from speedrun.training.request import RunRequest, resolve

Options = list[tuple[str, str]]  # (option, value)

_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_FROM_ARGV = (
    *("minutes", "arch", "params", "tables", "recipe"),
    *("keep", "vocab", "eval-docs", "tune", "set"),
)
_TIMEOUT_S = 2.0  # a model gives its size in milliseconds, unless its config is forged
_LINE = 84  # characters of a command in one line of a page
_ERRORS = (ValueError, LookupError, TypeError, ArithmeticError, AttributeError)


@dataclass(frozen=True, kw_only=True)
class Command:
    """The options of a run; `is_checked`: with this code they resolve to the record's config."""

    options: Options
    data: str | None  # as --data takes it: a placeholder for the path of a local copy
    is_checked: bool

    def script(self, runs: Sequence[tuple[str | None, int]]) -> str:
        """Shell lines that repeat these (commit, seed), each commit checked out once."""
        seeds: dict[str | None, set[int]] = defaultdict(set)
        for commit, seed in runs:
            seeds[commit].add(seed)
        lines = []
        for commit, found in seeds.items():
            if commit is not None and _COMMIT.fullmatch(commit):
                lines.append(f"git checkout {commit}")
            first = [seed for seed in sorted(found) if seed - 1 not in found]
            ends = [seed + 1 for seed in sorted(found) if seed + 1 not in found]
            lines += [self._line(a, b - a) for a, b in zip(first, ends, strict=True)]
        return "\n".join(lines)

    def _line(self, seed: int, num_seeds: int) -> str:
        options = [*self.options, ("--seed", str(seed))]
        options += [("--seeds", str(num_seeds))] if num_seeds > 1 else []
        options += [("--data", self.data)] if self.data is not None else []
        lines = ["python run.py"]
        for part in map(shlex.join, options):
            if len(lines[-1]) + 1 + len(part) <= _LINE:
                lines[-1] += f" {part}"
            else:
                lines.append(part)
        return " \\\n    ".join(lines)


def command(record: Record) -> Command:
    """The command of a record; ValueError for a config that no command line has."""
    places = {"local": f"path/to/{record.data.name}", "storybook": open.STORYBOOK, "hub": None}
    data = places[record.data.source]
    try:
        spelled_out = list(_from_config(record))
    except _ERRORS as error:
        raise ValueError(f"its config is not that of a race ({error})") from None
    tried = (_from_argv(record), spelled_out)

    def checked() -> Options | None:
        return next((options for options in tried if _resolves(options, record)), None)

    try:
        found = call_with_timeout(_TIMEOUT_S, checked, thread="resolve")
    except CallTimedOut:
        found = None
    return Command(options=found or spelled_out, data=data, is_checked=found is not None)


def _from_argv(record: Record) -> Options:
    """The record's own command line, on the device that it ran on; empty before schema 3."""
    pairs = option_pairs(record.argv)
    kept = [(option, value) for option, value in pairs if option[2:] in _FROM_ARGV]
    return [*kept, ("--backend", record.device)] if kept else []


def _from_config(record: Record) -> Iterator[tuple[str, str]]:
    """Options that spell out every setting of the config that its architecture reads."""
    is_known = record.arch in _names()
    model, data = record.config["model"], record.config["data"]
    eval_docs = data.get("eval_docs", Data.eval_docs)
    yield "--minutes", repr(record.budget_s / 60).removesuffix(".0")
    yield "--arch", record.arch if is_known else f"./{record.arch}"
    # Counted models are smaller than their --params, which no --set may change.
    yield "--params", str(model.get("max_params", record.num_params))
    yield "--backend", record.device
    yield "--recipe", str(record.config.get("recipe_name", "default"))
    yield "--vocab", str(record.tokenizer.vocab)
    yield "--eval-docs", "all" if eval_docs is None else str(int(eval_docs))
    if "keep" in record.config:
        yield "--keep", str(record.config["keep"])
    read = _architecture(record.arch).RECIPE_FIELDS if is_known else None
    for section in ("model", "recipe", "data"):
        for name, value in record.config[section].items():
            if name in ("vocab", "eval_docs", "max_params"):
                continue
            if section != "recipe" or read is None or name in read:
                yield "--set", f"{section}.{name}={_text(value)}"


def _text(value: Any) -> str:
    """A value as `--set` takes it."""
    if isinstance(value, str | int | float | None):
        return str(value).lower() if value is None or isinstance(value, bool) else str(value)
    raise ValueError(f"--set does not take {type(value).__name__}")


def _resolves(options: Options, record: Record) -> bool:
    """Whether the options mean the record's config, with the code that is installed here."""
    given = dict(options)
    if given.get("--arch") not in _names():
        return False
    try:
        data = Data(vocab=int(given["--vocab"]), eval_docs=parse_eval_docs(given["--eval-docs"]))
        request = RunRequest(
            arch=given["--arch"],
            params=given["--params"],
            tables=given.get("--tables", "0"),
            budget_s=parse_minutes(given["--minutes"]),
            recipe=given["--recipe"],
            keep="best" if given.get("--keep") == "best" else "last",
            seed=record.seed,
            data=data,
            settings=tuple(value for option, value in options if option == "--set"),
        )
        architecture = _architecture(request.arch)
        with architecture.plugin_errors():
            run = resolve(architecture, request, record.tokenizer.vocab)
        return json.loads(json.dumps(run.as_dict())) == record.config
    except _ERRORS:
        return False


@functools.cache
def _names() -> frozenset[str]:
    """The installed architectures; looking them up takes longer than all the rest."""
    return frozenset(loader.architecture_names())


@functools.cache
def _architecture(name: str) -> loader.LoadedArchitecture:
    return loader.architecture(name)
