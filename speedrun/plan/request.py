"""Options of a plan, and their resolution into a checked request."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Group, Parameter

from speedrun import config, text
from speedrun.config import Data, ModelConfig, Recipe
from speedrun.data import open
from speedrun.models import flops, loader
from speedrun.models.memory import Method
from speedrun.protocols import Architecture
from speedrun.scaling_laws import laws_file
from speedrun.scaling_laws.laws_file import LawsFile
from speedrun.text import StrictInt
from speedrun.training import request as run_request
from speedrun.training.options import ARCH, FLAG, PARAMS, SET, TEXT_FIELD

_MODEL = Group("Model", sort_key=1)
_TRAINING = Group("Training", sort_key=2)
_MACHINE = Group("Machine", sort_key=3)
_SWEEP = Group("A sweep on many machines", sort_key=4)
DTYPES = ("fp32", "bf16", "fp16")
OPTIMIZERS = ("adamw", "adamw8bit", "sgd", "muon")
MEASURABLE = ("adamw", "adamw8bit", "muon")  # the optimizers of races
# Settings that have an option of their own here; a plan counts a batch in one pass.
_OWN_OPTION = {
    "recipe.batch_rows": "--batch",
    "recipe.micro_batch_rows": "--batch",
    "recipe.optimizer": "--optimizer",
    "recipe.precision": "--dtype",
    "model.context": "--context",
    "model.depth": "--depth",
    "model.width": "--width",
    "model.vocab": "--vocab",
}
# Larger values are typing errors, and let the arithmetic overflow.
_LIMITS = {
    "ratio": (1e-6, 1e9),
    "tflops": (1e-6, 1e9),
    "batch": (1, 10**9),
    "context": (1, 10**8),
    "width": (1, 10**6),
    "depth": (1, 200),
    "cluster": (1, 10**6),
    "races": (1, 10**7),
    "price": (1e-6, 1e6),
}
# Options of which only one makes sense at a time.
_EXCLUSIVE = (
    ("tokens", "ratio"),
    ("device", "tflops", "measure"),
    ("device", "tflops", "backend"),
    ("cluster", "tokens"),
    ("cluster", "ratio"),
)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of the command; None where one was not given.

    Parameters
    ----------
    tables
        Parameters beside them, in tables of hashed n-grams: memory, hardly any compute.
    tokens
        Tokens to train on, such as 200M. Default: 20 per parameter.
    minutes
        Train for this time, on as many tokens as fit into it; with --tokens or --ratio: whether
        those fit. Default: five minutes, to judge by.
    ratio
        Tokens per parameter.
    dtype
        fp32, bf16 or fp16. Default: fp32, or that of --device.
    optimizer
        adamw, adamw8bit, sgd or muon. Default: adamw; with --measure that of the recipe.
    batch
        Rows per step. Default: that of the architecture's recipe.
    context
        Tokens per row.
    depth
        Number of layers.
    width
        Width of the residual stream.
    vocab
        Size of the vocabulary.
    set_
        Change a setting of the recipe or the model, such as recipe.activation_checkpointing=true.
    device
        Plan for a device by its data sheet: m2-cpu, m2-pro-mps, t4, a100, h100 and others.
    tflops
        Plan for a device that reaches this many TFLOP/s in training.
    backend
        Device of this machine to plan for: auto, cpu, mps, cuda, mlx. (--device is a data sheet.)
    measure
        Train for ten seconds on this machine first, and plan with the measured speed.
    law
        laws.json of a sweep, used in place of the published loss law.
    data
        Training text, as for a race, to count epochs. Default: TinyStories.
    cluster
        Plan a sweep on this many machines, too: time, idle tail, limits of hub and records.
    races
        With --cluster: number of races of --minutes (default 5), one at a time on each machine.
    price
        With --cluster: price per machine-hour.
    """

    params: Annotated[str, PARAMS, Parameter(group=_MODEL)] = "2M"
    tables: Annotated[str, Parameter(group=_MODEL)] = "0"
    tokens: Annotated[str | None, Parameter(group=_TRAINING)] = None
    minutes: Annotated[str | None, Parameter(group=_TRAINING)] = None
    ratio: Annotated[float | None, Parameter(group=_TRAINING)] = None
    arch: Annotated[str, ARCH, Parameter(group=_MODEL)] = "transformer"
    dtype: Annotated[str | None, Parameter(group=_TRAINING)] = None
    optimizer: Annotated[str | None, Parameter(group=_TRAINING)] = None
    batch: Annotated[StrictInt | None, Parameter(group=_TRAINING)] = None
    context: Annotated[StrictInt | None, Parameter(group=_MODEL)] = None
    depth: Annotated[StrictInt | None, Parameter(group=_MODEL)] = None
    width: Annotated[StrictInt | None, Parameter(group=_MODEL)] = None
    vocab: Annotated[StrictInt, Parameter(group=_MODEL)] = 4096
    set_: Annotated[tuple[str, ...], SET, Parameter(group=_MODEL)] = ()
    device: Annotated[str | None, Parameter(group=_MACHINE)] = None
    tflops: Annotated[float | None, Parameter(group=_MACHINE)] = None
    backend: Annotated[str | None, Parameter(group=_MACHINE)] = None
    measure: Annotated[bool, FLAG, Parameter(group=_MACHINE)] = False
    law: Annotated[Path | None, Parameter(group=_TRAINING)] = None
    data: Annotated[str | None, Parameter(group=_TRAINING)] = None
    text_field: Annotated[str | None, TEXT_FIELD, Parameter(group=_TRAINING)] = None
    cluster: Annotated[StrictInt | None, Parameter(group=_SWEEP)] = None
    races: Annotated[StrictInt | None, Parameter(group=_SWEEP)] = None
    price: Annotated[float | None, Parameter(group=_SWEEP)] = None


@dataclass(frozen=True, kw_only=True)
class PlanRequest:
    """A plan to work out; sizes in parameters, tokens and rows."""

    options: Options
    architecture: Architecture
    model: ModelConfig
    preset: str | None
    num_params: int  # as requested, without tables; of a preset, counted
    recipe: Recipe  # the architecture's own, with the settings
    is_race: bool  # of the minutes, alone
    is_timed: bool  # trains for the minutes, on as many tokens as fit
    num_tables: int  # parameters in tables, beside those
    num_tokens: float  # to train on; with --minutes at 20 per parameter
    budget_s: float
    optimizer: str
    batch_rows: int
    law: LawsFile | None  # of a sweep; None for the published one

    def method(self, dtype: str) -> Method:
        """Settings of the training that its memory depends on."""
        is_checkpointed = self.recipe.activation_checkpointing
        return Method(dtype=dtype, optimizer=self.optimizer, is_checkpointed=is_checkpointed)


def resolve(options: Options) -> PlanRequest:
    """Check everything that needs no device; raises ValueError or LookupError."""
    _check(options)
    architecture = loader.architecture(options.arch)
    chosen = _settings(architecture, options)
    with architecture.plugin_errors():
        model = _model(architecture, options, chosen["model"])
    preset = options.params if options.params in architecture.PRESETS else None
    num_tables = config.num_params_tables(model)
    counted = model.num_params - num_tables
    tables = text.parse_size_or_0(options.tables, "--tables")
    requested = None if preset else text.parse_size(options.params) + tables
    num_params = requested - num_tables if requested else counted
    num_tokens = _parsed("--tokens", text.parse_size, options.tokens)
    recipe = Recipe(**{**architecture.RECIPES["default"]["recipe"], **chosen["recipe"]})
    is_counted = options.tokens is not None or options.ratio is not None
    is_timed = options.cluster is not None or (options.minutes is not None and not is_counted)
    return PlanRequest(
        options=options,
        architecture=architecture,
        model=model,
        preset=preset,
        num_params=num_params,
        num_tables=num_tables,
        recipe=recipe,
        is_race=is_timed and options.cluster is None,
        is_timed=is_timed,
        num_tokens=num_tokens or (options.ratio or flops.RATIO) * num_params,
        budget_s=text.parse_minutes(options.minutes or "5"),
        optimizer=options.optimizer or (recipe.optimizer if options.measure else "adamw"),
        batch_rows=options.batch or recipe.batch_rows,
        law=_parsed("--law", laws_file.load, options.law),
    )


def _check(options: Options) -> None:
    for names in _EXCLUSIVE:
        given = [f"--{name}" for name in names if getattr(options, name) not in (None, False)]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} contradict each other: give one of them")
    for name, known in (("dtype", DTYPES), ("optimizer", OPTIMIZERS)):
        value = getattr(options, name)
        if value is not None and value not in known:
            raise text.nearest(value, known, f"--{name}")
    for name, (low, high) in _LIMITS.items():
        value = getattr(options, name)
        if value is not None and not low <= value <= high:
            raise ValueError(f"--{name} {value:g}: allowed are {low:g} to {high:g}")
        if name in ("races", "price") and value is not None and options.cluster is None:
            raise ValueError(f"--{name} has no effect without --cluster")
    if options.measure and options.optimizer not in (None, *MEASURABLE):
        raise ValueError(
            f"--measure with --optimizer {options.optimizer}: races train with"
            f" {' or '.join(MEASURABLE)}; plan the others without --measure"
        )
    is_path = options.data not in (None, open.STORYBOOK)
    if is_path and not Path(options.data or "").exists():
        raise ValueError(f"--data {options.data}: no such file or folder")
    Data(vocab=options.vocab)


def _settings(architecture: Architecture, options: Options) -> dict[str, dict[str, Any]]:
    """The settings of recipe and model; ValueError for one that has an option of its own."""
    sections = {"model": architecture.Config, "recipe": Recipe}
    chosen = config.parse_settings(options.set_, sections)
    for section, fields in chosen.items():
        for name in fields:
            if option := _OWN_OPTION.get(f"{section}.{name}"):
                raise ValueError(f"--set {section}.{name}: a plan takes {option} instead")
    return chosen


def _model(
    architecture: Architecture, options: Options, settings: Mapping[str, Any]
) -> ModelConfig:
    """The model of this size or preset, with the fields that were chosen."""
    fields = architecture.RECIPE_FIELDS
    if fields is not None and "optimizer" not in fields:
        raise ValueError(
            f"architecture {architecture.NAME!r} is counted, not trained by gradients: there is"
            " no 6·N·D, no gradient and no optimizer state to plan"
        )
    shape = {name: getattr(options, name) for name in ("context", "depth", "width")}
    chosen = {name: value for name, value in shape.items() if value is not None}
    known = [field.name for field in dataclasses.fields(architecture.Config)]  # type: ignore[arg-type]
    if idle := sorted(chosen.keys() - set(known)):
        raise ValueError(
            f"--{idle[0]} has no effect on {architecture.NAME}: its model has {', '.join(known)}"
        )
    of_recipe = architecture.RECIPES["default"]["model"]
    sizes = options.params, options.tables
    return run_request.shape(architecture, sizes, options.vocab, of_recipe, {**settings, **chosen})


def _parsed(option: str, parse: Callable[[Any], Any], value: Any) -> Any:
    """The value of an option, None where it was not given; errors name the option."""
    try:
        return None if value is None else parse(value)
    except ValueError as error:
        raise ValueError(f"{option} {error}") from None
