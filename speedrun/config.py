"""Frozen settings of a run, their checks, and `--set key=value`."""

import dataclasses
import functools
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, get_args, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from speedrun.schedule import SCHEDULES
from speedrun.text import nearest

Precision = Literal["auto", "fp32", "bf16", "fp16"]


class ModelConfig(Protocol):
    """Fields and properties that the frozen Config of every architecture has."""

    @property
    def vocab(self) -> int:
        """Size of the vocabulary."""
        ...

    @property
    def context(self) -> int:
        """Longest input in tokens."""
        ...

    @property
    def num_params(self) -> int:
        """Number of trainable parameters."""
        ...

    @property
    def num_params_non_embedding(self) -> int:
        """Trainable parameters without embedding and output tables."""
        ...


def num_params_tables(model: ModelConfig) -> int:
    """Parameters of the group "table", of which a step changes the rows that it reads."""
    return getattr(model, "num_params_tables", 0)


def with_tables(model: ModelConfig, num_params: int, arch: str) -> ModelConfig:
    """The model with so many parameters more in tables; ValueError where it has none to fill."""
    if not num_params:
        return model
    if not hasattr(model, "with_tables"):
        raise ValueError(f"--tables {num_params}: {arch!r} has no tables; leave it out")
    if num_params_tables(model):
        raise ValueError(f"--tables {num_params}: tables are set with --set, too; give one of them")
    return model.with_tables(num_params)  # pyright: ignore[reportAttributeAccessIssue]


Keep = Literal["last", "best"]


# Fields of a recipe that records of old do not have.
_ADDED = ("workers", "kernels", "activation_checkpointing")
LATER_RECIPE_FIELDS = (*_ADDED, "lr_table")  # that a record may lack


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Optimizer settings; every field can be set with `--set recipe.<field>=<value>`."""

    # muon: for matrices, with AdamW for the rest; adamw8bit: AdamW with moments of 8 bits
    optimizer: Literal["adamw", "adamw8bit", "muon"] = "muon"
    lr: float = 3e-3  # peak, AdamW
    lr_matrix: float = 0.02  # peak, Muon
    lr_table: float = 0.014  # peak, tables of which a step updates the rows it read
    beta1: float = 0.9
    beta2: float = 0.95
    eps: float = 1e-8
    weight_decay: float = 0.0
    momentum: float = 0.95  # Muon
    schedule: Literal["trapezoid", "cosine"] = "trapezoid"
    warmup: float = 0.0  # shares of the budget
    cooldown: float = 0.6
    lr_floor: float = 0.0  # share of the peak that is left at the end
    batch_rows: int = 8  # rows in one optimizer step
    micro_batch_rows: int = 0  # rows in one forward pass; 0: all of them
    workers: int = 0  # threads with rows of their own, on a processor; 0: tuning decides
    grad_clip: float = 0.0  # largest gradient norm; 0: none
    precision: Precision = "auto"  # auto: the fastest that the device measures
    compile: bool = True
    activation_checkpointing: bool = False  # blocks are computed again, not kept: less memory
    kernels: bool = True  # with compile: hand-written ones, on processors where they are faster

    def __post_init__(self) -> None:
        positive = ("lr", "lr_matrix", "lr_table", "eps", "batch_rows")
        shares = ("momentum", "warmup", "cooldown", "lr_floor")
        for name, value in vars(self).items():
            if name in positive and not value > 0:
                raise ValueError(f"recipe.{name}={value}: must be above 0")
            if name in ("beta1", "beta2") and not 0 <= value < 1:
                raise ValueError(f"recipe.{name}={value}: must be 0 or more and below 1")
            if name in shares and not 0 <= value <= 1:
                raise ValueError(f"recipe.{name}={value}: must lie in 0..1")
            if (
                name in ("weight_decay", "grad_clip", "micro_batch_rows", "workers")
                and not value >= 0
            ):
                raise ValueError(f"recipe.{name}={value}: must be 0 or more")
        if self.micro_batch_rows and self.batch_rows % self.micro_batch_rows:
            raise ValueError(
                f"recipe.micro_batch_rows={self.micro_batch_rows}: must divide"
                f" recipe.batch_rows={self.batch_rows}"
            )
        if self.warmup + self.cooldown > 1:
            raise ValueError(
                f"recipe.warmup + recipe.cooldown = {self.warmup + self.cooldown:g}: at most 1"
            )

    def as_dict(self) -> dict[str, Any]:
        """Plain values for the record; what no record of old has only where it is set."""
        usual = {f.name: f.default for f in dataclasses.fields(self)}
        out = dataclasses.asdict(self)
        return {k: v for k, v in out.items() if k not in _ADDED or v != usual[k]}

    def lr_scale(self, share: float) -> float:
        """Scale of the learning rates at this share of the budget."""
        make = SCHEDULES[self.schedule]
        return make(warmup=self.warmup, cooldown=self.cooldown, floor=self.lr_floor)(share)


@dataclass(frozen=True, kw_only=True)
class Data:
    """Settings of training data, tokenizer and scoring."""

    path: str | None = None  # None: TinyStories from the hub, or the storybook
    text_field: str | None = None  # of local files; None: text, or the only one of strings
    vocab: int = 4096
    tokenizer: Literal["auto", "shipped", "trained"] = "auto"  # auto: shipped where it fits
    eval_docs: int | None = 2000  # None: every held-out document
    stride: int = 0  # tokens a scoring window moves on; 0: half the context

    def __post_init__(self) -> None:
        if not 257 <= self.vocab <= 65536:
            raise ValueError(
                f"--vocab {self.vocab}: allowed are 257 (bytes and end of text) to 65536 (uint16)"
            )
        if self.eval_docs is not None and self.eval_docs < 2:
            raise ValueError(
                f"--eval-docs {self.eval_docs}: at least 2 (a standard error needs two), or 'all'"
            )
        if self.stride < 0:
            raise ValueError(f"data.stride={self.stride}: must be 0 (half the context) or more")


@dataclass(frozen=True, kw_only=True)
class Run:
    """Settings of one run, all resolved but for those that the machine's speed decides."""

    arch: str
    recipe_name: str
    budget_s: float
    seed: int
    model: ModelConfig
    recipe: Recipe
    data: Data = field(default_factory=Data)
    keep: Keep = "last"  # the weights that are scored: those of the last step, or validated ones

    def as_dict(self) -> dict[str, Any]:
        """Plain values for the record, without where the data are: they are known by content.

        Settings that no record of old has are left out where they have no effect: such a record
        is of the same settings as one of today.
        """
        out = dataclasses.asdict(self) | {"recipe": self.recipe.as_dict()}
        del out["data"]["path"], out["data"]["text_field"]
        if self.keep == "last":
            del out["keep"]
        if not num_params_tables(self.model):
            del out["recipe"]["lr_table"]
        for name, without in getattr(self.model, "LATER_FIELDS", {}).items():
            if out["model"].get(name) == without:
                del out["model"][name]
        return out


def settings_of(values: Mapping[str, Any] | Iterable[str]) -> tuple[str, ...]:
    """`{"recipe.compile": False}` as `("recipe.compile=false",)`, which `parse_settings` takes.

    Settings that are text already stay as they are.
    """
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise ValueError(f'set={values!r}: give {{"recipe.lr": 0.002}} or ["recipe.lr=0.002"]')
    if not isinstance(values, Mapping):
        return tuple(values)
    texts = {k: str(v).lower() if isinstance(v, bool | None) else str(v) for k, v in values.items()}
    return tuple(f"{key}={text}" for key, text in texts.items())


def parse_settings(settings: Iterable[str], sections: Mapping[str, type]) -> dict[str, dict]:
    """`["recipe.lr=0.002"]` as `{"recipe": {"lr": 0.002}}`; ValueError or LookupError."""
    parsed: dict[str, dict[str, Any]] = {name: {} for name in sections}
    keys = [f"{name}.{f.name}" for name, cls in sections.items() for f in dataclasses.fields(cls)]
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise ValueError(f"--set {setting}: write it as key=value, such as recipe.lr=0.002")
        if key not in keys:
            raise nearest(key, keys, "--set key")
        section, _, name = key.partition(".")
        parsed[section][name] = _typed(key, value, *_type(sections[section], name))
    return parsed


@functools.lru_cache(1024)  # as many as the settings of a few architectures
def _type(section: type, name: str) -> tuple[TypeAdapter[Any], bool]:
    """The validator of a field's values, and whether None is one."""
    hint = get_type_hints(section)[name]
    is_optional = types.NoneType in get_args(hint)
    return TypeAdapter(hint, config=ConfigDict(allow_inf_nan=False)), is_optional


def _typed(key: str, text: str, adapter: TypeAdapter[Any], is_optional: bool) -> Any:
    """The text as a value of this type; `none` and `all` mean None where that is allowed."""
    if is_optional and text.lower() in ("none", "all"):
        return None
    try:
        return adapter.validate_strings(text)
    except ValidationError as error:
        first = error.errors()[0]
        wanted = first["msg"].removeprefix("Input should be ").partition(", unable")[0]
        wanted = "true or false" if first["type"] == "bool_parsing" else wanted
        raise ValueError(f"--set {key}={text}: expected {wanted}") from None
