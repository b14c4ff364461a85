"""Contract of an architecture's folder: checks by name, and defaults for optional parts."""

import dataclasses
import pkgutil
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from types import ModuleType
from typing import Any, get_args

import numpy as np

from speedrun.config import ModelConfig, Recipe
from speedrun.protocols import Likelihood, Weights
from speedrun.text import format_size, nearest

TOLERANCE = 0.03  # how far from the size asked for a configuration may be
# For a folder without PARAM_GROUPS: by the names that layers usually have.
USUAL_GROUPS = (
    ("*embed*", "embedding"),
    ("*head*", "embedding"),
    ("*norm*", "vector"),
    ("*.weight", "matrix"),
    ("*", "vector"),
)
_REQUIRED = ("Config", "initial", "LIKELIHOOD")
_REQUIRED_OF_BOUNDS = ("q_sample", "p_sample")
_REQUIRED_OF_CONFIGS = ("vocab", "context", "num_params", "num_params_non_embedding")
_GROUPS = ("matrix", "embedding", "table", "vector")
_WIDEST = 1 << 16


def frameworks(package: ModuleType) -> list[str]:
    """Names of the frameworks that a package has a model file for."""
    names = (module.name for module in pkgutil.iter_modules(package.__path__))
    return sorted(n.removesuffix("_model") for n in names if n.endswith("_model"))


def check(name: str, package: ModuleType) -> None:
    """Check a package; ValueError names everything it lacks, or the first part that is wrong."""
    is_bound = getattr(package, "LIKELIHOOD", None) == "bound"
    required = _REQUIRED + (_REQUIRED_OF_BOUNDS if is_bound else ())
    missing = [attr for attr in required if not hasattr(package, attr)]
    if not frameworks(package):
        missing.append("a model file (torch_model.py or mlx_model.py)")
    if missing:
        raise ValueError(
            f"architecture {name!r} ({package.__file__}) lacks {', '.join(missing)}:"
            " see architectures/README.md for what a folder holds"
        )
    if package.LIKELIHOOD not in get_args(Likelihood):
        raise _wrong(name, f"LIKELIHOOD is {package.LIKELIHOOD!r}: allowed are exact and bound")
    _check_config(name, package.Config)
    _check_recipes(name, recipes(package), package.Config)
    for entry in param_groups(package):
        if len(entry) != 2 or entry[1] not in _GROUPS:
            allowed = f"allowed are pairs of a name pattern and {', '.join(_GROUPS)}"
            raise _wrong(name, f"PARAM_GROUPS holds {entry!r}: {allowed}")


def _wrong(name: str, what: str) -> ValueError:
    return ValueError(f"architecture {name!r}: {what}")


def _check_config(name: str, config: Any) -> None:
    if not isinstance(config, type) or not dataclasses.is_dataclass(config):
        raise _wrong(name, "Config is no dataclass: put @dataclass(frozen=True) above it")
    fields = {field.name: field for field in dataclasses.fields(config)}
    if lacks := [a for a in _REQUIRED_OF_CONFIGS if a not in fields and not hasattr(config, a)]:
        raise _wrong(
            name,
            f"Config lacks {', '.join(lacks)}: fields are vocab and context, properties are"
            " num_params and num_params_non_embedding",
        )
    for attr in ("vocab", "context"):
        if attr not in fields:
            raise _wrong(name, f"{attr} of Config must be a field of the dataclass")
    none = dataclasses.MISSING
    if bare := [n for n, f in fields.items() if f.default is none and f.default_factory is none]:
        raise _wrong(name, f"Config gives no default to {', '.join(bare)}; every field needs one")


def _check_recipes(name: str, found: Mapping[str, Mapping], config: type) -> None:
    if "default" not in found:
        raise _wrong(name, f"RECIPES has no 'default', only {', '.join(found) or 'nothing'}")
    known = {
        part: [field.name for field in dataclasses.fields(of)]
        for part, of in (("model", config), ("recipe", Recipe))
    }
    for recipe, parts in found.items():
        for part, settings in parts.items():
            if part not in known:
                raise _wrong(name, str(nearest(part, known, f"part of RECIPES[{recipe!r}]")))
            for key in settings:
                if key not in known[part]:
                    raise _wrong(name, str(nearest(key, known[part], f"{part} setting in RECIPES")))


def recipes(package: ModuleType) -> dict[str, dict[str, Mapping[str, Any]]]:
    """RECIPES with both parts in each; without it one recipe of defaults."""
    written: Mapping[str, Mapping[str, Any]] = getattr(package, "RECIPES", {"default": {}})
    return {name: {"model": {}, "recipe": {}, **parts} for name, parts in written.items()}


def param_groups(package: ModuleType) -> Sequence[tuple[str, str]]:
    """PARAM_GROUPS as (name pattern, group); without it the groups of usual layer names."""
    return getattr(package, "PARAM_GROUPS", USUAL_GROUPS)


def sized(name: str, package: ModuleType, target: int, vocab: int, fixed: Mapping[str, Any]) -> Any:
    """The folder's `for_params`, or the width that comes nearest; ValueError beyond 3 %."""
    config: Any
    if hasattr(package, "for_params"):
        config = package.for_params(target, vocab, **fixed)
    else:
        config = _by_width(package.Config, target, vocab, fixed)
    if not hasattr(type(config), "num_params"):  # of the type: it must not be computed here
        raise _wrong(name, f"for_params gave {type(config).__name__}, not a Config")
    off = config.num_params / target - 1
    if abs(off) > TOLERANCE:
        raise ValueError(
            f"--params {format_size(target)}: architecture {name!r} came to {config.num_params:,},"
            f" {off:+.1%} off ({TOLERANCE:.0%} is allowed); ask for that size, for another"
            " --vocab, or fix fewer --set model.… fields"
        )
    if config.vocab != vocab:
        raise _wrong(name, f"for_params gave vocab {config.vocab}, asked for was {vocab}")
    return config


def _by_width(config: type, target: int, vocab: int, fixed: Mapping[str, Any]) -> ModelConfig:
    has_width = any(field.name == "width" for field in dataclasses.fields(config))
    if not has_width or "width" in fixed:
        return config(vocab=vocab, **fixed)

    def of(width: int) -> ModelConfig:
        return config(vocab=vocab, width=width, **fixed)

    # The narrowest that reaches the target, or the one before.
    reaches = 1 + bisect_left(range(1, _WIDEST), target, key=lambda width: of(width).num_params)
    nearest_two = of(max(1, reaches - 1)), of(reaches)
    return min(nearest_two, key=lambda c: abs(c.num_params - target))


def check_initial(
    name: str, config: ModelConfig, weights: Weights, groups: Sequence[tuple[str, str]]
) -> None:
    """Check initial weights against the config's size and the parameter groups.

    Raises ValueError. Counted models start with no weights and are not checked.
    """
    for param, value in weights.items():
        if not isinstance(value, np.ndarray):
            raise _wrong(name, f"initial gave {type(value).__name__} for {param!r}, not an array")
        group = next((group for pattern, group in groups if fnmatchcase(param, pattern)), None)
        if group == "matrix" and value.ndim != 2:
            raise _wrong(
                name,
                f"PARAM_GROUPS makes {param!r} a matrix, and its shape is {value.shape};"
                " Muon takes those of two axes, call it a vector or an embedding",
            )
    total, wanted = sum(value.size for value in weights.values()), config.num_params
    if weights and total != wanted:
        raise _wrong(name, f"initial gave {total:,} numbers, Config.num_params says {wanted:,}")
