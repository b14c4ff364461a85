"""The settings that a record names, checked before anything is built from them.

A record may be a stranger's: its config is plain JSON that claims to be ours.
"""

import dataclasses
import types
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import psutil

from speedrun.config import Data, ModelConfig, Recipe, Run
from speedrun.protocols import Architecture
from speedrun.records.schema import Record
from speedrun.system.timeout import CallTimedOut, call_with_timeout
from speedrun.text import format_size

PATIENCE_S = 5.0  # a config says in milliseconds how large it is, unless it is made not to
MAX_NUMBER = 1 << 31
MAX_BUDGET_S = 24 * 3600.0
_VOCABS = range(257, 65536 + 1)
# What scoring holds at a time, generously: rows of the checks in float32 and float64, and the
# logits of a batch of 8,192 tokens.
_CHECK_BYTES, _BATCH_TOKENS, _BATCH_BYTES = 4 * 32, 8192, 12
_ROW_BYTES = 16  # a token of a step, as it passes through
_WEIGHTS_HELD = 4  # as bytes, as arrays, initial ones, the model's

T = TypeVar("T")


def model(architecture: Architecture, record: Record, where: str) -> ModelConfig:
    """The model that a record describes, of the size that it claims; raises ValueError.

    Nothing is built, and what it would take to build and score it is known to fit.
    """

    def sized() -> tuple[ModelConfig, int]:
        with architecture.plugin_errors():
            made = section(architecture.Config, record.config.get("model"), "model")
            return made, made.num_params

    try:
        made, num_params = call_with_timeout(PATIENCE_S, sized, thread="size")
    except CallTimedOut:
        raise ValueError(
            f"config.model: its size is not told within {PATIENCE_S:g} s; no such model can be"
        ) from None
    except (TypeError, ArithmeticError) as error:
        raise ValueError(f"{where}: its model cannot be ({error})") from None
    if made.vocab != record.tokenizer.vocab or made.vocab not in _VOCABS:
        raise ValueError(
            f"{where}: config.model.vocab is {made.vocab}, the tokenizer's {record.tokenizer.vocab}"
            f" (allowed are {_VOCABS.start} to {_VOCABS.stop - 1})"
        )
    if not _is_of_size(architecture, num_params, record.num_params):
        raise ValueError(
            f"{where}: its config makes {num_params:,} parameters, the record has"
            f" {record.num_params:,}"
        )
    logits = (made.context + 1) * made.vocab * _CHECK_BYTES
    batch = max(_BATCH_TOKENS, made.context) * made.vocab * _BATCH_BYTES
    _check_room(made, num_params, logits + batch, where)
    return made


def run(architecture: Architecture, record: Record, path: str | None, where: str) -> Run:
    """The whole run that a record describes, to be raced again on the data at `path`."""
    config = record.config
    budget_s, seed, recipe_name = record.budget_s, record.seed, config.get("recipe_name")
    if not 0 < budget_s <= MAX_BUDGET_S or seed < 0 or not isinstance(recipe_name, str):
        raise ValueError(f"{where}: no budget, seed and recipe that a race could have")
    made = model(architecture, record, where)
    data = config.get("data")
    with architecture.plugin_errors():
        chosen = section(Data, data | {"path": path} if isinstance(data, dict) else data, "data")
        recipe = section(Recipe, config.get("recipe"), "recipe")
    if not 0 < chosen.stride <= made.context:
        raise ValueError(f"{where}: config.data.stride must be 1 to the context, {made.context}")
    # At the least: the rows of a step, and the logits of a forward pass.
    rows = recipe.batch_rows * made.context * _ROW_BYTES
    logits = (recipe.micro_batch_rows or recipe.batch_rows) * made.context * made.vocab * 4
    _check_room(made, made.num_params, rows + logits, where)
    return Run(
        arch=architecture.NAME,
        recipe_name=recipe_name,
        budget_s=budget_s,
        seed=seed,
        model=made,
        recipe=recipe,
        data=chosen,
    )


def section(made: type[T], values: Any, name: str) -> T:
    """The dataclass of these plain values, which must be all of its fields, each of its type."""
    if not isinstance(values, Mapping):
        raise ValueError(f"config.{name}: expected settings, got {type(values).__name__}")
    fields = {field.name for field in dataclasses.fields(made)}  # type: ignore[arg-type]
    if odd := sorted(fields ^ values.keys()):
        what = "is missing" if odd[0] in fields else "is unknown here"
        raise ValueError(f"config.{name}.{odd[0]!a:.60} {what}: the record is of other code")
    hints = get_type_hints(made)
    for key, value in values.items():
        if not _fits(value, hints[key]):
            raise ValueError(f"config.{name}.{key}: {value!a:.60} is not what it can be")
    return made(**values)


def _fits(value: Any, hint: Any) -> bool:
    if get_origin(hint) is Literal:
        return any(type(value) is type(known) and value == known for known in get_args(hint))
    if get_origin(hint) in (Union, types.UnionType):
        return any(_fits(value, one) for one in get_args(hint))
    if hint is float:
        return type(value) in (int, float) and abs(value) < MAX_NUMBER
    if hint is int:
        return type(value) is int and abs(value) < MAX_NUMBER
    if hint in (bool, str, types.NoneType):
        return type(value) is hint
    return True  # a type of the architecture's own: its business


def _is_of_size(architecture: Architecture, num_params: int, recorded: int) -> bool:
    """Counted models store at most what their config says, all others exactly that."""
    if num_params == recorded or num_params < recorded:
        return num_params == recorded
    return not architecture.initial(architecture.Config(), 0)


def _check_room(made: ModelConfig, num_params: int, rows_bytes: int, where: str) -> None:
    needed = _WEIGHTS_HELD * 8 * num_params + rows_bytes
    free = psutil.virtual_memory().available
    if needed > free:
        raise ValueError(
            f"{where}: {format_size(num_params)} parameters at a context of {made.context:,} take"
            f" about {needed / 2**30:,.1f} GiB of memory, {free / 2**30:,.1f} GiB are free"
        )
