"""The command that races a record again: the flags and settings that mean its config.

Where the architecture is installed, only what the flags alone do not say is set, and what comes
of it is resolved again and compared with the record. A record is anybody's text: nothing in it
is run, looked up as a path or believed to be of the right type.
"""

import dataclasses
import functools
import json
import math
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from speedrun import text as text_
from speedrun.config import Data
from speedrun.models import loader
from speedrun.records.schema import Record
from speedrun.training.request import RunRequest, resolve

_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_MAX_PARAMS = 10**10  # above these, working a size out may take for ever
_MAX_DIMENSION = 1 << 14
_ODD = (ValueError, LookupError, TypeError, ArithmeticError, AttributeError)


@dataclass(frozen=True, kw_only=True)
class Flags:
    """A race as it is typed, but for its seeds."""

    arch: str
    params: str
    minutes: str
    backend: str
    recipe: str
    data: str | None
    vocab: int
    eval_docs: int | None
    settings: tuple[str, ...] = ()
    is_checked: bool = False  # they resolve, in this code, to the record's config

    def request(self) -> RunRequest:
        """Without the data's path, which no config keeps."""
        return RunRequest(
            arch=self.arch,
            params=self.params,
            budget_s=text_.parse_minutes(self.minutes),
            backend=self.backend,
            recipe=self.recipe,
            data=Data(vocab=self.vocab, eval_docs=self.eval_docs),
            settings=self.settings,
        )

    def words(self, seed: int, num_seeds: int = 1) -> list[tuple[str, ...]]:
        """The command's words, a flag together with its value."""
        words = [
            ("python", "run.py"),
            ("--minutes", self.minutes),
            ("--arch", self.arch),
            ("--params", self.params),
            ("--backend", self.backend),
            ("--recipe", self.recipe),
            ("--seed", str(seed)),
        ]
        if num_seeds > 1:
            words.append(("--seeds", str(num_seeds)))
        if self.data is not None:
            words.append(("--data", self.data))
        if self.vocab != Data.vocab:
            words.append(("--vocab", str(self.vocab)))
        words.append(("--eval-docs", "all" if self.eval_docs is None else str(self.eval_docs)))
        return words + [("--set", setting) for setting in self.settings]


def flags(record: Record) -> Flags:
    """What to type for a race of this config; raises ValueError where it cannot be said."""
    try:
        request = _headline(record)
        if record.arch in _names():  # by name alone: a path would be run
            if (found := _fewest(record, request)) is not None:
                return found
        else:
            request = replace(request, arch=f"./{record.arch}")
        return replace(request, settings=_every_setting(record))
    except _ODD as error:
        raise ValueError(f"its config is not that of a race ({error})") from None


def script(request: Flags, runs: Sequence[tuple[str | None, int]]) -> str:
    """Shell lines that race these (commit, seed) again, each commit checked out once."""
    seeds: dict[str | None, list[int]] = {}
    for commit, seed in runs:
        seeds.setdefault(commit, []).append(seed)
    lines = []
    for commit, found in seeds.items():
        if commit is not None and _COMMIT.fullmatch(commit):
            lines.append(f"git checkout {commit}")
        for first, num_seeds in _stretches(found):
            words = request.words(first, num_seeds)
            lines.append(" \\\n    ".join(_folded([shlex.join(part) for part in words])))
    return "\n".join(lines)


def _folded(parts: Sequence[str]) -> list[str]:
    """The parts of a command in lines that fit a page."""
    lines: list[str] = []
    for part in parts:
        if lines and len(lines[-1]) + 1 + len(part) <= 84:
            lines[-1] += f" {part}"
        else:
            lines.append(part)
    return lines


def _stretches(seeds: Sequence[int]) -> list[tuple[int, int]]:
    """Seeds as (first, how many in a row)."""
    out: list[tuple[int, int]] = []
    for seed in sorted(set(seeds)):
        if out and sum(out[-1]) == seed:
            out[-1] = (out[-1][0], out[-1][1] + 1)
        else:
            out.append((seed, 1))
    return out


def _headline(record: Record) -> Flags:
    data = _section(record, "data")
    eval_docs = data.get("eval_docs", Data.eval_docs)
    if eval_docs is not None and type(eval_docs) is not int:
        raise ValueError(f"data.eval_docs is {type(eval_docs).__name__}")
    return Flags(
        arch=record.arch,
        params=_size_text(record.num_params),
        minutes=_minutes(record.budget_s),
        backend=record.device,
        recipe=str(record.config.get("recipe_name", "default")),
        data=f"path/to/{record.data.name}" if record.data.source == "local" else None,
        vocab=record.tokenizer.vocab,
        eval_docs=eval_docs,
    )


def _minutes(budget_s: float) -> str:
    for text in (f"{budget_s / 60:g}", repr(budget_s / 60)):
        if text_.parse_minutes(text) == budget_s:
            return text
    return repr(budget_s / 60)


def _section(record: Record, name: str) -> dict[str, Any]:
    section = record.config.get(name)
    if not isinstance(section, dict):
        raise ValueError(f"{name} is missing")
    return section


def _sizes(record: Record) -> Iterator[str]:
    """What may have been asked for with --params, the roundest first.

    Counted models come out smaller than asked for and keep the size in a field of their own.
    """
    model = _section(record, "model")
    if model.get("vocab") != record.tokenizer.vocab:
        raise ValueError("model.vocab is not the tokenizer's")
    kept = [v for k, v in model.items() if type(v) is int and v > _MAX_DIMENSION and k != "vocab"]
    exact = [n for n in (record.num_params, *kept) if 0 < n <= _MAX_PARAMS]
    rounded = [int(float(f"{n:.{digits}g}")) for digits in (1, 2) for n in exact]
    yield from dict.fromkeys(_size_text(n) for n in (*rounded, *exact))


def _fewest(record: Record, request: Flags) -> Flags | None:
    """The first size that says the model by itself, else the one that leaves least to set."""
    known = {field.name for field in dataclasses.fields(_architecture(record.arch).Config)}
    if _section(record, "model").keys() != known:
        return None  # made by other code; and working sizes out for nothing takes long
    best = None
    for params in _sizes(record):
        found = _checked(record, request, params)
        if found and not any(setting.startswith("model.") for setting in found.settings):
            return found
        if found and (best is None or len(found.settings) < len(best.settings)):
            best = found
    return best


def _size_text(number: int) -> str:
    for unit, scale in (("B", 10**9), ("M", 10**6), ("K", 10**3)):
        if number >= scale and number % (scale // 100) == 0:
            return f"{number / scale:g}{unit}"
    return str(number)


def _checked(record: Record, request: Flags, params: str) -> Flags | None:
    """The flags with this size and the fewest settings; None where they come to another config."""
    wanted = {key: value for key, value in record.config.items() if key != "seed"}
    request = replace(request, params=params)
    try:
        architecture = _architecture(record.arch)
        settings = _differences(wanted, _resolved(architecture, request))
        request = replace(request, settings=settings, is_checked=True)
        if settings and any(_is_vast(value) for value in _section(record, "model").values()):
            return None
        return request if _resolved(architecture, request) == wanted else None
    except _ODD:
        return None


def _is_vast(value: Any) -> bool:
    return isinstance(value, int) and not -_MAX_DIMENSION <= value <= _MAX_DIMENSION


def _resolved(architecture: Any, request: Flags) -> dict[str, Any]:
    with architecture.plugin_errors():
        run = resolve(architecture, request.request(), request.vocab)
        plain = json.loads(json.dumps(run.as_dict()))
    del plain["seed"]
    return plain


def _differences(wanted: Mapping[str, Any], plain: Mapping[str, Any]) -> tuple[str, ...]:
    """Settings that lead from one config to the other; ValueError where no setting does."""
    out = []
    for section in ("model", "recipe", "data"):
        for key, value in wanted[section].items():
            if key not in plain[section]:
                raise ValueError(f"{section}.{key} is not known")
            if value != plain[section][key]:
                out.append(_setting(section, key, value))
    return tuple(out)


def _setting(section: str, key: str, value: Any) -> str:
    if value is None:
        text = "none"
    elif isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, str):
        text = value
    elif isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        text = repr(value)
    else:
        raise ValueError(f"{section}.{key} is {type(value).__name__}, which --set does not take")
    return f"{section}.{key}={text}"


def _every_setting(record: Record) -> tuple[str, ...]:
    """Everything that can be set, for an architecture whose defaults are not known here."""
    return tuple(
        _setting(section, key, value)
        for section in ("model", "recipe", "data")
        for key, value in _section(record, section).items()
        if (section, key) not in (("model", "vocab"), ("data", "vocab"), ("data", "eval_docs"))
    )


@functools.cache
def _names() -> frozenset[str]:
    """What is installed; looked up once, which takes longer than all the rest."""
    return frozenset(loader.architecture_names())


@functools.cache
def _architecture(name: str) -> "_Remembering":
    return _Remembering(loader.architecture(name))


class _Remembering:
    """An architecture that works each size out once: most entries share theirs."""

    def __init__(self, architecture: loader.LoadedArchitecture) -> None:
        self._architecture = architecture
        self._found: dict[tuple[Any, ...], Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._architecture, name)

    def for_params(self, target: int, vocab: int, **fixed: Any) -> Any:
        key = target, vocab, *sorted(fixed.items())
        if key not in self._found:
            try:
                self._found[key] = self._architecture.for_params(target, vocab, **fixed)
            except _ODD as error:
                self._found[key] = error
        found = self._found[key]
        if isinstance(found, Exception):
            raise found
        return found
