"""Frozen settings of a run: sizes such as 2M, `--set key=value`, and their typed checks."""

import dataclasses
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeVar, Union, get_args, get_origin, get_type_hints

from speedrun.schedule import SCHEDULES
from speedrun.text import nearest

Precision = Literal["auto", "fp32", "bf16", "fp16"]


class ModelConfig(Protocol):
    """What every architecture's frozen Config has; the rest is its own business."""

    @property
    def vocab(self) -> int: ...
    @property
    def context(self) -> int: ...
    @property
    def num_params(self) -> int: ...
    @property
    def num_params_non_embedding(self) -> int: ...


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a model is trained; every field can be set with `--set recipe.<field>=<value>`."""

    optimizer: Literal["adamw", "muon"] = "muon"  # muon: for matrices, with AdamW for the rest
    lr: float = 3e-3  # peak, AdamW
    lr_matrix: float = 0.02  # peak, Muon
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
    grad_clip: float = 0.0  # largest gradient norm; 0: none
    precision: Precision = "auto"  # auto: the fastest that the device measures
    compile: bool = True

    def __post_init__(self) -> None:
        positive = ("lr", "lr_matrix", "eps", "batch_rows")
        shares = ("beta1", "beta2", "momentum", "warmup", "cooldown", "lr_floor")
        for name in positive:
            if not getattr(self, name) > 0:
                raise ValueError(f"recipe.{name}={getattr(self, name)}: must be above 0")
        for name in shares:
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"recipe.{name}={getattr(self, name)}: must lie in 0..1")
        for name in ("weight_decay", "grad_clip", "micro_batch_rows"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"recipe.{name}={getattr(self, name)}: must be 0 or more")
        if self.micro_batch_rows and self.batch_rows % self.micro_batch_rows:
            raise ValueError(
                f"recipe.micro_batch_rows={self.micro_batch_rows}: must divide"
                f" recipe.batch_rows={self.batch_rows}"
            )
        if self.warmup + self.cooldown > 1:
            raise ValueError(
                f"recipe.warmup + recipe.cooldown = {self.warmup + self.cooldown:g}: at most 1"
            )

    def lr_scale(self, share: float) -> float:
        """The learning rate's scale at this share of the budget."""
        make = SCHEDULES[self.schedule]
        return make(warmup=self.warmup, cooldown=self.cooldown, floor=self.lr_floor)(share)


@dataclass(frozen=True, kw_only=True)
class Data:
    """What is trained on and scored."""

    path: str | None = None  # None: TinyStories from the hub, or the storybook
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
    """One race, resolved: nothing is decided after this except by measuring the machine."""

    arch: str
    recipe_name: str
    budget_s: float
    seed: int
    model: ModelConfig
    recipe: Recipe
    data: Data = field(default_factory=Data)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for the record. The data path stays out: paths belong to one machine."""
        out = dataclasses.asdict(self)
        del out["data"]["path"]
        return out


T = TypeVar("T")


def parse_settings(settings: Iterable[str], sections: Mapping[str, type]) -> dict[str, dict]:
    """`["recipe.lr=0.002"]` as `{"recipe": {"lr": 0.002}}`, typed by the section's dataclass."""
    parsed: dict[str, dict[str, Any]] = {name: {} for name in sections}
    keys = [f"{name}.{f.name}" for name, cls in sections.items() for f in dataclasses.fields(cls)]
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise ValueError(f"--set {setting}: write it as key=value, such as recipe.lr=0.002")
        if key not in keys:
            raise nearest(key, keys, "--set key")
        section, _, name = key.partition(".")
        hint = get_type_hints(sections[section])[name]
        parsed[section][name] = _typed(key, value, hint)
    return parsed


def _typed(key: str, text: str, hint: Any) -> Any:
    if get_origin(hint) is Literal:
        if text not in get_args(hint):
            raise ValueError(f"--set {key}={text}: allowed are {', '.join(get_args(hint))}")
        return text
    if get_origin(hint) in (Union, types.UnionType):
        if text.lower() in ("none", "all"):
            return None
        hint = next(arg for arg in get_args(hint) if arg is not types.NoneType)
    if hint is bool:
        if text.lower() not in ("true", "false"):
            raise ValueError(f"--set {key}={text}: allowed are true and false")
        return text.lower() == "true"
    try:
        value = hint(text)
    except ValueError:
        raise ValueError(f"--set {key}={text}: expected {hint.__name__}") from None
    if isinstance(value, float) and not abs(value) < float("inf"):
        raise ValueError(f"--set {key}={text}: expected a finite number")
    return value


def replaced(base: T, changes: Mapping[str, Any]) -> T:
    """`base` with `changes`, checked anew."""
    return dataclasses.replace(base, **changes)  # type: ignore[type-var]
