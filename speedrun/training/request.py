"""What a person asked for, and the run that it means."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from speedrun import config, text
from speedrun.config import Data, ModelConfig, Recipe, Run
from speedrun.protocols import Architecture


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """What a person asked for, names not yet looked up."""

    arch: str = "transformer"
    params: str = "2M"
    budget_s: float = 300.0
    backend: str = "auto"
    recipe: str = "default"
    seed: int = 0
    data: Data = field(default_factory=Data)
    settings: tuple[str, ...] = ()  # key=value
    out: Path = Path("runs")
    tune: Literal["off", "quick", "full"] = "off"  # see `speedrun.autotune`
    again: Run | None = None  # settings of a record, in place of those above


def resolve(architecture: Architecture, request: RunRequest, vocab: int) -> Run:
    """Look every name up and check every value; raises ValueError or LookupError."""
    if request.again is not None:
        return request.again
    if request.recipe not in architecture.RECIPES:
        raise text.nearest(request.recipe, architecture.RECIPES, "recipe")
    preset = architecture.RECIPES[request.recipe]
    sections = {"model": architecture.Config, "recipe": Recipe, "data": Data}
    chosen = config.parse_settings(request.settings, sections)
    _check_effect(architecture, chosen["recipe"])
    if "vocab" in chosen["model"] or "vocab" in chosen["data"]:
        raise ValueError("the vocabulary is set with --vocab N, not with --set")
    model = shape(architecture, request.params, vocab, preset["model"], chosen["model"])
    data = config.replaced(request.data, chosen["data"])
    if data.stride > model.context:
        raise ValueError(f"data.stride={data.stride}: at most the context, {model.context}")
    return Run(
        arch=architecture.NAME,
        recipe_name=request.recipe,
        budget_s=request.budget_s,
        seed=request.seed,
        model=model,
        recipe=Recipe(**{**preset["recipe"], **chosen["recipe"]}),
        data=config.replaced(data, {"stride": data.stride or model.context // 2}),
    )


def shape(
    architecture: Architecture,
    params: str,
    vocab: int,
    of_recipe: Mapping[str, Any],
    chosen: Mapping[str, Any],
) -> ModelConfig:
    """The model of a size or a preset; what was chosen wins over both, presets over recipes."""
    fields = architecture.PRESETS.get(params)
    if fields is None:
        return architecture.for_params(
            _size(architecture, params), vocab, **{**of_recipe, **chosen}
        )
    kept = {key: value for key, value in of_recipe.items() if key not in fields}
    return architecture.preset(params, vocab, **{**kept, **chosen})


def _size(architecture: Architecture, params: str) -> int:
    try:
        return text.parse_size(params)
    except ValueError as error:
        presets = ", ".join(architecture.PRESETS)
        also = f"or a preset: {presets}" if presets else "it has no presets"
        raise ValueError(
            f"--params {params}: architecture {architecture.NAME!r} takes a number above 0 such"
            f" as 250K, 2M or 2000000, {also}"
        ) from error


def _check_effect(architecture: Architecture, chosen: Mapping[str, Any]) -> None:
    """No setting without effect: raises ValueError for what the architecture does not read."""
    fields = architecture.RECIPE_FIELDS
    if fields is not None and (idle := sorted(chosen.keys() - set(fields))):
        allowed = ", ".join(f"recipe.{name}" for name in fields)
        raise ValueError(
            f"recipe.{idle[0]} has no effect on {architecture.NAME}: it takes {allowed}"
        )
