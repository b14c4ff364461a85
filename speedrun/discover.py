"""Folder names become architectures and backends; nothing is registered anywhere."""

import importlib
import importlib.metadata
import importlib.util
import pkgutil
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

import architectures
from speedrun import backends
from speedrun.config import ModelConfig, nearest
from speedrun.protocols import (
    Architecture,
    Backend,
    Corrupted,
    Device,
    Likelihood,
    Rows,
    Weights,
)

ENTRY_POINTS = "speedrun.architectures"
_REQUIRED = ("Config", "for_params", "initial", "LIKELIHOOD", "RECIPES", "PARAM_GROUPS")
_REQUIRED_OF_BOUNDS = ("corrupt", "denoise")


class LoadedArchitecture:
    """An architecture's package behind the Architecture protocol."""

    def __init__(self, name: str, package: ModuleType) -> None:
        is_bound = getattr(package, "LIKELIHOOD", None) == "bound"
        required = _REQUIRED + (_REQUIRED_OF_BOUNDS if is_bound else ())
        missing = [attr for attr in required if not hasattr(package, attr)]
        if missing:
            raise ValueError(
                f"architecture {name!r} ({package.__file__}) lacks {', '.join(missing)}:"
                " see architectures/README.md for what a folder holds"
            )
        self.NAME = name
        self.package = package
        self.Config: type[ModelConfig] = package.Config
        self.LIKELIHOOD: Likelihood = package.LIKELIHOOD
        self.RECIPES: Mapping[str, Mapping[str, Mapping[str, Any]]] = package.RECIPES
        self.PARAM_GROUPS: Sequence[tuple[str, str]] = package.PARAM_GROUPS
        self.EPOCHS: int | None = getattr(package, "EPOCHS", None)
        self.RECIPE_FIELDS: Sequence[str] | None = getattr(package, "RECIPE_FIELDS", None)

    def for_params(self, target: int, vocab: int, **fixed: Any) -> ModelConfig:
        return self.package.for_params(target, vocab, **fixed)

    def initial(self, config: ModelConfig, seed: int) -> Weights:
        return self.package.initial(config, seed)

    def corrupt(
        self,
        config: ModelConfig,
        rows: Rows,
        shares: NDArray[np.float64],
        rng: np.random.Generator,
        num_given: int = 0,
    ) -> Corrupted:
        return self.package.corrupt(config, rows, shares, rng, num_given)

    def denoise(
        self,
        config: ModelConfig,
        tokens: NDArray[np.int32],
        num_given: int,
        num_steps: int,
        probs: Callable[[NDArray[np.int32], int], NDArray[np.float64]],
        rng: np.random.Generator,
    ) -> NDArray[np.int32]:
        return self.package.denoise(config, tokens, num_given, num_steps, probs, rng)

    def model(self, backend: str) -> type:
        name = f"{self.package.__name__}.{backend}_model"
        # Looked for before it is imported, so that an ImportError inside it is shown as it is.
        if importlib.util.find_spec(name) is None:
            raise ValueError(
                f"architecture {self.NAME!r} has no {backend}_model.py:"
                f" it runs on {', '.join(self.backends()) or 'nothing yet'}"
            )
        return importlib.import_module(name).Model

    def backends(self) -> list[str]:
        """The backends that it is written for, by its `<backend>_model.py` files."""
        folder = Path(self.package.__path__[0])
        return sorted(f.stem.removesuffix("_model") for f in folder.glob("*_model.py"))

    def remarks(self, device: Device) -> tuple[str, ...]:
        """What its model has to say about running on this device, if it says anything."""
        if device.backend not in self.backends():
            return ()
        model = self.model(device.backend)
        return tuple(model.remarks(device.name)) if hasattr(model, "remarks") else ()


def architecture_names() -> list[str]:
    """Names of the architectures that `--arch` takes, besides folders."""
    here = [module.name for module in pkgutil.iter_modules(architectures.__path__) if module.ispkg]
    installed = [entry.name for entry in importlib.metadata.entry_points(group=ENTRY_POINTS)]
    return sorted({*here, *installed})


def architecture(name: str) -> LoadedArchitecture:
    """The architecture of this name, or in this folder if the name is a path."""
    if "/" in name or "\\" in name or name.startswith("."):
        return _from_folder(Path(name))
    for entry in importlib.metadata.entry_points(group=ENTRY_POINTS):
        if entry.name == name:
            return LoadedArchitecture(name, entry.load())
    if name not in architecture_names():
        raise nearest(name, architecture_names(), "architecture")
    return LoadedArchitecture(name, importlib.import_module(f"architectures.{name}"))


def _from_folder(folder: Path) -> LoadedArchitecture:
    init = folder / "__init__.py"
    if not init.is_file():
        raise ValueError(
            f"--arch {folder}: no __init__.py there; an architecture is a folder with"
            " __init__.py and torch_model.py or mlx_model.py"
        )
    name = folder.resolve().name
    module_name = f"speedrun_plugin_{name}"
    spec = importlib.util.spec_from_file_location(
        module_name, init, submodule_search_locations=[str(folder.resolve())]
    )
    assert spec is not None and spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = package
    spec.loader.exec_module(package)
    return LoadedArchitecture(name, package)


@cache
def backend(name: str) -> Backend:
    """The backend in the folder of this name."""
    return importlib.import_module(f"speedrun.backends.{name}").BACKEND


def backend_names() -> list[str]:
    return sorted(m.name for m in pkgutil.iter_modules(backends.__path__) if m.ispkg)


def devices() -> list[Device]:
    """Every device of every backend, the one `auto` prefers first."""
    rows = [row for name in backend_names() for row in backend(name).devices()]
    return sorted(rows, key=lambda row: (-row.available, -row.priority))


def device(choice: str, architecture: Architecture | None = None) -> Device:
    """The device `--backend` asks for; `auto` is the best that the architecture runs on."""
    rows = devices()
    written = backend_names() if architecture is None else architecture.backends()
    if choice == "auto":
        here = [row for row in rows if row.available and row.backend in written]
        if here or architecture is None:
            return here[0]
        raise ValueError(
            f"architecture {architecture.NAME!r} runs on {', '.join(written) or 'nothing yet'},"
            f" and there is only: {', '.join(row.name for row in rows if row.available)}"
        )
    named = [row for row in rows if choice in (row.name, row.backend)]
    if not named:
        raise nearest(choice, {"auto"} | {row.name for row in rows}, "backend")
    if architecture is not None and named[0].backend not in written:
        fitting = ", ".join(row.name for row in rows if row.available and row.backend in written)
        raise ValueError(
            f"--backend {choice}: architecture {architecture.NAME!r} has no"
            f" {named[0].backend}_model.py; it runs here on: {fitting or 'nothing'}"
        )
    if not named[0].available:
        there = ", ".join(row.name for row in rows if row.available)
        raise ValueError(f"--backend {choice} is not here: {named[0].detail}; there is: {there}")
    return named[0]
