"""Load a finished run to score it, to sample from it, or to run it again.

The files may come from anyone: their claims are checked before anything is built or believed,
and every failure is one line.
"""

import contextlib
import dataclasses
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import psutil

from speedrun.backends import registry
from speedrun.config import LATER_RECIPE_FIELDS, Data, Keep, ModelConfig, Recipe, Run
from speedrun.data import open
from speedrun.data.source import Source
from speedrun.data.tokenizer import Tokenizer, load_untrusted
from speedrun.device import Device
from speedrun.evaluation.fairness.heldout import HeldOutChecks
from speedrun.models import loader
from speedrun.protocols import Architecture, Engine, EngineSpec
from speedrun.records import artifacts, schema
from speedrun.records.schema import Record
from speedrun.system.timeout import CallTimedOut, call_with_timeout
from speedrun.text import format_size, reason
from speedrun.training.runs.run_dir import local_facts

SIZE_TIMEOUT_S = 5.0  # a model's size is computed in milliseconds, unless made to take forever
_MAX_NUMBER = 1 << 31
_MAX_BUDGET_S = 24 * 3600.0
MAX_VOCAB = 65536
_VOCABS = range(257, MAX_VOCAB + 1)
# Upper bounds of what scoring holds at a time: rows of the checks in float32 and float64, and the
# logits of a batch of 8,192 tokens.
_CHECK_BYTES, _BATCH_TOKENS, _BATCH_BYTES = 4 * 32, 8192, 12
_ROW_BYTES = 16  # per token of a step
_WEIGHT_BYTES = 4 * 8  # per parameter: as file, as arrays, initial ones, the model's

T = TypeVar("T")


@dataclass(frozen=True)
class Restored:
    """A finished run with its model in an engine."""

    engine: Engine
    architecture: Architecture
    model: ModelConfig
    tokenizer: Tokenizer
    record: Record
    device: Device

    def checks(self) -> HeldOutChecks:
        """Fairness checks of scores that the engine is about to give."""
        return HeldOutChecks(engine=self.engine, architecture=self.architecture, model=self.model)


def load_run(folder: Path, backend: str, arch: str | None = None) -> Restored:
    """The run in a folder; ValueError or LookupError where the files are not those of a run."""
    for name in ("record.json", artifacts.WEIGHTS, artifacts.TOKENIZER):
        if not (folder / name).is_file():
            raise ValueError(f"{folder}: no {name} there; give the folder of a finished run")
    record = schema.load(folder / "record.json")
    # Of the size that its config says, before anything is read: a record can claim any.
    model_of(architecture_of(record, arch, str(folder)), record, str(folder))
    weights = artifacts.read_weights(folder, record)
    tokenizer = artifacts.read_tokenizer(folder, record)
    return restore(record, weights, tokenizer, str(folder), backend=backend, arch=arch)


def restore(
    record: Record,
    weights: bytes,
    tokenizer: bytes,
    where: str,
    *,
    backend: str,
    arch: str | None = None,
) -> Restored:
    """The model of a record and of the two files beside it; `where` names them in messages.

    Raises ValueError or LookupError where they are not what the record says.
    """
    artifacts.check_weights(weights, record, where)
    artifacts.check_tokenizer(tokenizer, record, where)
    named = record.tokenizer
    text = load_untrusted(tokenizer, where, vocab=named.vocab, fingerprint=named.fingerprint)
    architecture = architecture_of(record, arch, where)
    device = registry.device(backend, architecture)
    arrays = artifacts.arrays(weights, record, where)
    model = model_of(architecture, record, where)
    recipe = Recipe(compile=False, precision="fp32")  # scoring does not depend on it
    spec = EngineSpec(architecture=architecture, config=model, recipe=recipe, device=device)
    with one_line_errors(architecture, where):
        engine = registry.engine(spec)
        engine.load(arrays)
    return Restored(engine, architecture, model, text, record, device)


def own_device(record: Record, architecture: Architecture, name: str) -> Device:
    """The device of this name; for `auto` the record's own where this machine has it."""
    if name == "auto":
        for device in registry.devices():
            is_same = (device.backend, device.name) == (record.backend, record.device)
            if is_same and device.available and device.backend in architecture.backends():
                return device
    return registry.device(name, architecture)


def data_of(record: Record, folder: Path | None, wanted: Data) -> Data:
    """The data wanted, or without a path those that the run's folder remembers."""
    if wanted.path is not None:
        return wanted
    facts = {} if folder is None else local_facts(folder)
    path = facts.get("data", open.STORYBOOK if record.data.source == "storybook" else None)
    text_field = wanted.text_field or facts.get("text_field")
    return dataclasses.replace(wanted, path=path, text_field=text_field)


def open_data(
    record: Record, folder: Path | None, wanted: Data, notice: Callable[[str], None]
) -> Source:
    """Open `data_of` a run; ValueError. Whether they are still the same is to be checked."""
    found = data_of(record, folder, wanted)
    try:
        return open.open_source(found, notice, to_train=False)
    except ValueError as error:
        if found.path == wanted.path:
            raise
        raise ValueError(
            f"{folder}: its data are not where they were ({error}); give them with --data PATH"
        ) from None


@contextlib.contextmanager
def one_line_errors(architecture: Architecture, where: str) -> Iterator[None]:
    """Turn every error of a model that is given unfit numbers into a ValueError.

    Frameworks and counted models raise a dozen kinds: hence Exception.
    """
    try:
        with architecture.plugin_errors():
            yield
    except Exception as error:
        is_message = isinstance(error, (ValueError, LookupError, OSError))
        if is_message and not isinstance(error, (KeyError, IndexError)):
            raise
        raise ValueError(
            f"{where}: its model cannot be used ({reason(error)});"
            " SPEEDRUN_TRACEBACK=1 shows the traceback"
        ) from error


def architecture_of(record: Record, arch: str | None, where: str) -> loader.LoadedArchitecture:
    """The architecture of a record; its name is looked up among names, never as a folder."""
    if arch is None and record.arch not in loader.architecture_names():
        raise LookupError(
            f"{where} was run with the architecture {record.arch!a:.100}, which is not installed;"
            " give its folder: --arch path/to/folder"
        )
    architecture = loader.architecture(arch or record.arch)
    settings = record.config.get("model")
    if not isinstance(settings, dict):
        raise ValueError(f"{where}: its config has no model")
    if odd := sorted(
        (_later(architecture.Config) | settings).keys() ^ _fields(architecture.Config)
    ):
        shown = ", ".join(f"{name!a:.60}".strip("'") for name in odd[:8])
        raise ValueError(
            f"{where} was run with another architecture than {arch or record.arch}:"
            f" only one of them has the settings {shown}"
        )
    return architecture


def model_of(architecture: Architecture, record: Record, where: str) -> ModelConfig:
    """The model config of a record, of the size it claims and that fits into memory; ValueError."""

    def sized() -> tuple[ModelConfig, int]:
        with architecture.plugin_errors():
            made = _section(architecture.Config, record.config.get("model"), "model")
            return made, made.num_params

    try:
        made, num_params = call_with_timeout(SIZE_TIMEOUT_S, sized, thread="size")
    except CallTimedOut:
        raise ValueError(
            f"{where}: config.model: computing its size takes more than {SIZE_TIMEOUT_S:g} s"
        ) from None
    except (TypeError, ArithmeticError) as error:
        raise ValueError(f"{where}: its model cannot be ({error})") from None
    if made.vocab != record.tokenizer.vocab or made.vocab not in _VOCABS:
        raise ValueError(
            f"{where}: config.model.vocab is {made.vocab}, the tokenizer's {record.tokenizer.vocab}"
            f" (allowed are {_VOCABS.start} to {_VOCABS.stop - 1})"
        )
    # Counted models store at most as many as their config says, all others exactly so many.
    stored = record.num_params
    is_counted = num_params > stored and not architecture.initial(architecture.Config(), 0)
    if num_params != stored and not is_counted:
        raise ValueError(
            f"{where}: its config makes {num_params:,} parameters, the record has {stored:,}"
        )
    logits = (made.context + 1) * made.vocab * _CHECK_BYTES
    batch = max(_BATCH_TOKENS, made.context) * made.vocab * _BATCH_BYTES
    _check_memory(made, num_params, logits + batch, where)
    return made


def run_of(architecture: Architecture, record: Record, path: str | None, where: str) -> Run:
    """The whole run of a record, to be run again on the data at `path`; raises ValueError."""
    budget_s, seed, name = record.budget_s, record.seed, record.config.get("recipe_name")
    if not 0 < budget_s <= _MAX_BUDGET_S or seed < 0 or not isinstance(name, str):
        raise ValueError(f"{where}: no budget, seed and recipe that a race could have")
    if (keep := record.config.get("keep", "last")) not in get_args(Keep):
        raise ValueError(
            f"{where}: config.keep is {keep!a:.60}, allowed are {', '.join(get_args(Keep))}"
        )
    model = model_of(architecture, record, where)
    data = record.config.get("data")
    with architecture.plugin_errors():
        data = _section(
            Data,
            data | {"path": path, "text_field": None} if isinstance(data, dict) else data,
            "data",
        )
        recipe = _section(Recipe, record.config.get("recipe"), "recipe")
    if not 0 < data.stride <= model.context:
        raise ValueError(f"{where}: config.data.stride must be 1 to the context, {model.context}")
    # At the least: the rows of a step, and the logits of a forward pass.
    rows = recipe.batch_rows * model.context * _ROW_BYTES
    logits = (recipe.micro_batch_rows or recipe.batch_rows) * model.context * model.vocab * 4
    _check_memory(model, model.num_params, rows + logits, where)
    return Run(
        arch=architecture.NAME,
        recipe_name=name,
        budget_s=budget_s,
        seed=seed,
        model=model,
        recipe=recipe,
        data=data,
        keep=keep,
    )


def _fields(config: type) -> set[str]:
    return {field.name for field in dataclasses.fields(config)}


def _later(config: type) -> dict[str, Any]:
    """Settings that a record has only where they have an effect; see `Run.as_dict`."""
    if config is Recipe:
        return {name: getattr(Recipe(), name) for name in LATER_RECIPE_FIELDS}
    later, fields = getattr(config, "LATER_FIELDS", {}), _fields(config)
    return {name: without for name, without in later.items() if name in fields}


def _section(config: type[T], values: Any, name: str) -> T:
    """The dataclass of these plain values: all of its fields, each of its type."""
    if not isinstance(values, Mapping):
        raise ValueError(f"config.{name}: expected settings, got {type(values).__name__}")
    fields, values = _fields(config), _later(config) | dict(values)
    if odd := sorted(fields ^ values.keys()):
        problem = "is missing" if odd[0] in fields else "is unknown here"
        raise ValueError(f"config.{name}.{odd[0]!a:.60} {problem}: the record is of other code")
    hints = get_type_hints(config)
    for key, value in values.items():
        if not _is_of(value, hints[key]):
            raise ValueError(f"config.{name}.{key}: {value!a:.60} is not of its type or range")
    return config(**values)


def _is_of(value: Any, hint: Any) -> bool:
    """Whether a plain value is of a type, to the letter: True is no number, 1.0 no integer."""
    if get_origin(hint) is Literal:
        return any(type(value) is type(known) and value == known for known in get_args(hint))
    if get_origin(hint) in (Union, types.UnionType):
        return any(_is_of(value, one) for one in get_args(hint))
    if hint in (int, float):
        return type(value) in {int, hint} and abs(value) < _MAX_NUMBER
    if hint in (bool, str, types.NoneType):
        return type(value) is hint
    return True  # a type of the architecture's own, which checks it


def _check_memory(model: ModelConfig, num_params: int, rows_bytes: int, where: str) -> None:
    needed = _WEIGHT_BYTES * num_params + rows_bytes
    free = psutil.virtual_memory().available
    if needed > free:
        raise ValueError(
            f"{where}: {format_size(num_params)} parameters at a context of {model.context:,} take"
            f" about {needed / 2**30:,.1f} GiB of memory, {free / 2**30:,.1f} GiB are free"
        )
