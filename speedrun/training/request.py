"""Command-line request and its resolution into a Run."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from speedrun import config, text
from speedrun.config import Data, Keep, ModelConfig, Recipe, Run
from speedrun.evaluation.windows import ranked_stride
from speedrun.models import loader
from speedrun.protocols import Architecture


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """The options of one run; names are not yet looked up."""

    arch: str = "transformer"
    params: str = "2M"
    tables: str = "0"  # parameters in tables of n-grams, beside `params`
    budget_s: float = 300.0
    backend: str = "auto"
    recipe: str = "default"
    seed: int = 0
    data: Data = field(default_factory=Data)
    settings: tuple[str, ...] = ()  # key=value
    out: Path = Path("runs")
    tune: Literal["off", "quick", "full"] = "off"  # see `speedrun.autotune`
    keep: Keep = "last"
    checkpoint_every_s: float = 0.0  # of the budget; 0: no checkpoints
    again: Run | None = None  # the settings of a record, in place of those above

    def argv(self) -> list[str]:
        """The command line of this run, without data, output, checkpoints and number of seeds.

        No path of this machine is in it; [] for the settings of a record.
        """
        if self.again is not None:
            return []
        minutes = f"{self.budget_s / 60:g}"
        if text.parse_minutes(minutes) != self.budget_s:
            minutes = repr(self.budget_s / 60)
        is_path = loader.is_path(self.arch)
        options = {
            "minutes": minutes,
            "arch": f"./{Path(self.arch).resolve().name}" if is_path else self.arch,
            "params": self.params,
            "backend": self.backend,
            "recipe": self.recipe,
            "seed": self.seed,
            "vocab": self.data.vocab,
            "eval-docs": "all" if self.data.eval_docs is None else self.data.eval_docs,
            "tune": self.tune,
        }
        if self.tables != "0":
            options["tables"] = self.tables
        if self.keep != "last":
            options["keep"] = self.keep
        pairs = [*options.items(), *(("set", setting) for setting in self.settings)]
        return [word for name, value in pairs for word in (f"--{name}", str(value))]


@dataclass(frozen=True)
class CheckedRequest:
    """A request whose settings are parsed and known to the architecture."""

    architecture: Architecture
    request: RunRequest
    recipe: Recipe
    data: Data
    of_recipe: Mapping[str, Any]  # fields of the model that the recipe sets
    chosen: Mapping[str, Any]  # fields of the model that `--set` sets

    def run(self, vocab: int) -> Run:
        """The run with a vocabulary of this size; ValueError where no such model exists."""
        request, architecture = self.request, self.architecture
        if request.again is not None:
            return request.again
        sizes, data = (request.params, request.tables), self.data
        model = shape(architecture, sizes, vocab, self.of_recipe, self.chosen)
        if model.context < 1:
            raise ValueError(f"model.context={model.context}: must be 1 or more")
        stride = ranked_stride(model.context)
        if data.stride not in (0, stride):
            raise ValueError(
                f"data.stride={data.stride}: scores compare at half the context alone, {stride};"
                " leave it out"
            )
        return Run(
            arch=architecture.NAME,
            recipe_name=request.recipe,
            budget_s=request.budget_s,
            seed=request.seed,
            model=model,
            recipe=self.recipe,
            data=replace(data, stride=stride),
            keep=request.keep,
        )


def check(architecture: Architecture, request: RunRequest) -> CheckedRequest:
    """Look up the recipe and check every setting; raises ValueError or LookupError."""
    if (again := request.again) is not None:
        return CheckedRequest(architecture, request, again.recipe, again.data, {}, {})
    if request.recipe not in architecture.RECIPES:
        raise text.nearest(request.recipe, architecture.RECIPES, "recipe")
    preset = architecture.RECIPES[request.recipe]
    sections = {"model": architecture.Config, "recipe": Recipe, "data": Data}
    chosen = config.parse_settings(request.settings, sections)
    fields = architecture.RECIPE_FIELDS
    if fields is not None and (idle := sorted(chosen["recipe"].keys() - set(fields))):
        allowed = ", ".join(f"recipe.{name}" for name in fields)
        raise ValueError(
            f"recipe.{idle[0]} has no effect on {architecture.NAME}: it takes {allowed}"
        )
    if "vocab" in chosen["model"] or "vocab" in chosen["data"]:
        raise ValueError("the vocabulary is set with --vocab N, not with --set")
    if {"path", "text_field"} & chosen["data"].keys():
        raise ValueError("the data are chosen with --data and --text-field, not with --set")
    recipe = Recipe(**{**preset["recipe"], **chosen["recipe"]})
    data = replace(request.data, **chosen["data"])
    return CheckedRequest(architecture, request, recipe, data, preset["model"], chosen["model"])


def resolve(architecture: Architecture, request: RunRequest, vocab: int) -> Run:
    """`check` and `CheckedRequest.run` in one call."""
    return check(architecture, request).run(vocab)


def shape(
    architecture: Architecture,
    sizes: tuple[str, str],
    vocab: int,
    of_recipe: Mapping[str, Any],
    chosen: Mapping[str, Any],
) -> ModelConfig:
    """The model of a size and tables; `chosen` overrides presets, and presets the recipe."""
    params, num_tables = sizes[0], text.parse_size_or_0(sizes[1], "--tables")
    model = _network(architecture, params, vocab, of_recipe, chosen)
    return config.with_tables(model, num_tables, architecture.NAME)


def _network(
    architecture: Architecture,
    params: str,
    vocab: int,
    of_recipe: Mapping[str, Any],
    chosen: Mapping[str, Any],
) -> ModelConfig:
    if (fields := architecture.PRESETS.get(params)) is not None:
        kept = {key: value for key, value in of_recipe.items() if key not in fields}
        return architecture.preset(params, vocab, **{**kept, **chosen})
    try:
        size = text.parse_size(params)
    except ValueError as error:
        presets = ", ".join(architecture.PRESETS)
        also = f"or a preset: {presets}" if presets else "it has no presets"
        raise ValueError(
            f"--params {params}: architecture {architecture.NAME!r} takes a number above 0 such"
            f" as 250K, 2M or 2000000, {also}"
        ) from error
    return architecture.for_params(size, vocab, **{**of_recipe, **chosen})
