"""What a plan is asked: every option checked, every name looked up."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from speedrun import text
from speedrun.config import Data, ModelConfig, Recipe
from speedrun.models import loader
from speedrun.models.flops import RATIO
from speedrun.plan import memory
from speedrun.plan.options import Options
from speedrun.protocols import Architecture
from speedrun.scaling_laws import laws_file
from speedrun.scaling_laws.law import CHINCHILLA, LossLaw
from speedrun.training import request

USUAL_BUDGET_S = 300.0  # the race's
USUAL_RACES = 1000  # of a sweep on a cluster
DTYPES = ("fp32", "bf16", "fp16")
OPTIMIZERS = tuple(memory.OPTIMIZER_BYTES)
MEASURABLE = ("adamw", "muon")  # what races train with
# Beyond these nothing is meant, and the arithmetic takes for ever or overflows.
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


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """A sweep on many machines; the price is of a machine-hour."""

    num_machines: int
    num_races: int
    price: float | None


@dataclass(frozen=True, kw_only=True)
class Question:
    """A plan to be worked out; sizes in parameters, tokens and rows."""

    architecture: Architecture
    model: ModelConfig
    preset: str | None
    num_params: int  # as asked for; of a preset, counted
    recipe: Recipe  # the architecture's own
    wanted: Literal["tokens", "minutes", "ratio"]
    num_tokens: float  # that training wants; with --minutes at 20 a parameter
    budget_s: float
    dtype: str | None
    optimizer: str
    batch_rows: int
    law: LossLaw
    law_source: str
    law_hardware_class: str | None  # None: published
    cluster: Cluster | None


def ask(options: Options) -> Question:
    """Check everything that needs no device; raises ValueError or LookupError."""
    _only_one(options, ("tokens", "minutes", "ratio"))
    _only_one(options, ("device", "tflops", "measure"))
    for of_tokens in ("tokens", "ratio"):  # races are of minutes
        _only_one(options, ("cluster", of_tokens))
    if options.dtype is not None and options.dtype not in DTYPES:
        raise text.nearest(options.dtype, DTYPES, "--dtype")
    if options.optimizer is not None and options.optimizer not in OPTIMIZERS:
        raise text.nearest(options.optimizer, OPTIMIZERS, "--optimizer")
    if options.measure and options.optimizer not in (None, *MEASURABLE):
        raise ValueError(
            f"--measure with --optimizer {options.optimizer}: races train with"
            f" {' or '.join(MEASURABLE)}; plan the others without --measure"
        )
    for name, (low, high) in _LIMITS.items():
        value = getattr(options, name)
        if value is not None and not low <= value <= high:
            raise ValueError(f"--{name} {value:g}: allowed are {low:g} to {high:g}")
    architecture = loader.architecture(options.arch)
    with architecture.plugin_errors():
        model = _model(architecture, options)
    preset = options.params if options.params in architecture.PRESETS else None
    num_params = model.num_params if preset else text.parse_size(options.params)
    recipe = Recipe(**architecture.RECIPES["default"]["recipe"])
    batch_rows = recipe.batch_rows if options.batch is None else options.batch
    return Question(
        architecture=architecture,
        model=model,
        preset=preset,
        num_params=num_params,
        recipe=recipe,
        wanted=_wanted(options),
        num_tokens=_num_tokens(options, num_params),
        budget_s=USUAL_BUDGET_S if options.minutes is None else text.parse_minutes(options.minutes),
        dtype=options.dtype,
        optimizer=options.optimizer or (recipe.optimizer if options.measure else "adamw"),
        batch_rows=batch_rows,
        **_law(options.law),
        cluster=_cluster(options),
    )


def _law(path: Path | None) -> dict[str, Any]:
    """The loss law of a sweep's `laws.json`, or the published one."""
    if path is None:
        source = "Hoffmann et al. 2022, approach 3"
        return {"law": CHINCHILLA, "law_source": source, "law_hardware_class": None}
    try:
        known = laws_file.load(path)
    except ValueError as error:
        raise ValueError(f"--law {error}") from None
    return {
        "law": known.laws.loss,
        "law_source": f"{path.name} ({known.hardware_class})",
        "law_hardware_class": known.hardware_class,
    }


def _cluster(options: Options) -> Cluster | None:
    if options.cluster is None:
        for name in ("races", "price"):
            if getattr(options, name) is not None:
                raise ValueError(f"--{name} has no effect without --cluster")
        return None
    return Cluster(
        num_machines=options.cluster,
        num_races=USUAL_RACES if options.races is None else options.races,
        price=options.price,
    )


def _only_one(options: Options, names: Iterable[str]) -> None:
    given = [f"--{name}" for name in names if getattr(options, name) not in (None, False)]
    if len(given) > 1:
        raise ValueError(f"{' and '.join(given)} contradict each other: give one of them")


def _model(architecture: Architecture, options: Options) -> ModelConfig:
    """The model of this size or preset, with the fields that were chosen."""
    fields = architecture.RECIPE_FIELDS
    if fields is not None and "optimizer" not in fields:
        raise ValueError(
            f"architecture {architecture.NAME!r} is counted, not trained by gradients: there is"
            " no 6·N·D, no gradient and no optimizer state to plan"
        )
    Data(vocab=options.vocab)
    shape = {"context": options.context, "depth": options.depth, "width": options.width}
    chosen = {name: value for name, value in shape.items() if value is not None}
    known = [field.name for field in dataclasses.fields(architecture.Config)]  # type: ignore[arg-type]
    if idle := sorted(chosen.keys() - set(known)):
        raise ValueError(
            f"--{idle[0]} has no effect on {architecture.NAME}: its model has {', '.join(known)}"
        )
    of_recipe = architecture.RECIPES["default"]["model"]
    return request.shape(architecture, options.params, options.vocab, of_recipe, chosen)


def _wanted(options: Options) -> Literal["tokens", "minutes", "ratio"]:
    if options.tokens is not None:
        return "tokens"
    return "ratio" if options.minutes is None and options.cluster is None else "minutes"


def _num_tokens(options: Options, num_params: int) -> float:
    if options.tokens is None:
        return (RATIO if options.ratio is None else options.ratio) * num_params
    try:
        return text.parse_size(options.tokens)
    except ValueError as error:
        raise ValueError(f"--tokens {options.tokens}: {error}") from None
