"""Loading of architectures by name: a folder name is the registration."""

import contextlib
import functools
import importlib
import importlib.util
import pkgutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import architectures
from speedrun.config import ModelConfig
from speedrun.device import Device
from speedrun.models import code, contract, plugins
from speedrun.models.reimport import CodeSnapshot
from speedrun.protocols import Likelihood, Weights
from speedrun.text import nearest


class LoadedArchitecture:
    """Package of an architecture behind the Architecture protocol."""

    def __init__(
        self, name: str, package: ModuleType, snapshot: CodeSnapshot | None = None
    ) -> None:
        contract.check(name, package)
        self._snapshot = snapshot
        self.NAME = name
        self.package = package
        self.folder = Path(str(package.__file__)).parent
        self.Config: type[ModelConfig] = package.Config
        self.LIKELIHOOD: Likelihood = package.LIKELIHOOD
        self.RECIPES: Mapping[str, Mapping[str, Mapping[str, Any]]] = contract.recipes(package)
        self.PARAM_GROUPS = contract.param_groups(package)
        self.PRESETS: Mapping[str, Mapping[str, Any]] = getattr(package, "PRESETS", {})
        self.EPOCHS: int | None = getattr(package, "EPOCHS", None)
        self.RECIPE_FIELDS: Sequence[str] | None = getattr(package, "RECIPE_FIELDS", None)
        # Of bounds only, where the contract demands them.
        self.q_sample: Any = getattr(package, "q_sample", None)
        self.p_sample: Any = getattr(package, "p_sample", None)

    def for_params(self, target: int, vocab: int, **fixed: Any) -> ModelConfig:
        """The configuration nearest to a number of parameters; ValueError beyond 3 %."""
        return contract.sized(self.NAME, self.package, target, vocab, fixed)

    def preset(self, name: str, vocab: int, **fixed: Any) -> ModelConfig:
        """The configuration of a preset: the folder's `for_preset`, or the preset's fields."""
        if hasattr(self.package, "for_preset"):
            return self.package.for_preset(name, vocab, **fixed)
        return self.package.Config(vocab=vocab, **{**self.PRESETS[name], **fixed})

    def forward_flops(self, config: ModelConfig, tail_share: float) -> Mapping[str, float] | None:
        """FLOPs of one token's forward pass by part; None where the package counts none."""
        count = getattr(self.package, "forward_flops", None)
        return None if count is None else count(config, tail_share)

    def initial(self, config: ModelConfig, seed: int) -> Weights:
        """Initial weights drawn from the seed; ValueError where they do not fit the config."""
        weights = self.package.initial(config, seed)
        contract.check_initial(self.NAME, config, weights, self.PARAM_GROUPS)
        return weights

    def model(self, backend: str) -> type:
        """The class Model of a backend; ValueError where the architecture has none."""
        module, file = f"{self.package.__name__}.{backend}_model", f"{backend}_model.py"
        # Looked for before it is imported, so that an ImportError inside it is shown as it is.
        if importlib.util.find_spec(module) is None:
            raise ValueError(
                f"architecture {self.NAME!r} has no {file}:"
                f" it runs on {' and '.join(self.backends())} only"
            )
        written = plugins.imported(self.NAME, file, lambda: importlib.import_module(module))
        if not hasattr(written, "Model"):
            raise ValueError(f"architecture {self.NAME!r}: {file} has no class Model")
        return written.Model

    def imported_anew(self) -> "LoadedArchitecture":
        """The architecture from newly executed modules, of the code that was first imported."""

        def executed() -> tuple[ModuleType, CodeSnapshot]:
            snapshot = self._snapshot or CodeSnapshot(self.package)
            return snapshot.execute(), snapshot

        return LoadedArchitecture(self.NAME, *plugins.imported(self.NAME, "its folder", executed))

    def backends(self) -> list[str]:
        """Names of the backends that it has a `<backend>_model.py` for."""
        return contract.frameworks(self.package)

    def warnings(self, device: Device) -> tuple[str, ...]:
        """Warnings of the model about this device, such as a slower path."""
        if device.backend not in self.backends():
            return ()
        model = self.model(device.backend)
        return tuple(model.warnings(device.name)) if hasattr(model, "warnings") else ()

    def plugin_errors(self) -> contextlib.AbstractContextManager[None]:
        """Context in which errors of code from outside the project name that code in one line."""
        if self.package.__name__.startswith(f"{architectures.__name__}."):
            return contextlib.nullcontext()
        return plugins.attributed(self.NAME, self.package)


def own_names() -> list[str]:
    """Names of the architectures of this project."""
    return [module.name for module in pkgutil.iter_modules(architectures.__path__) if module.ispkg]


def architecture_names() -> list[str]:
    """Names of the architectures that `--arch` takes, besides folders."""
    return sorted({*own_names(), *plugins.entry_points()})


def is_path(arch: str) -> bool:
    """Whether `--arch` means a folder."""
    return "/" in arch or "\\" in arch or arch.startswith(".")


def architecture(name: str) -> LoadedArchitecture:
    """The architecture of this name, or in this folder if the name is a path.

    A name of the project's own cannot be taken over by an installed package.
    """
    if is_path(name):
        folder = Path(name)
        code.note(folder)
        return LoadedArchitecture(folder.resolve().name, plugins.from_folder(folder))
    if name in own_names():
        module = f"architectures.{name}"
        code.note(Path(str(architectures.__file__)).parent / name)
        load = functools.partial(importlib.import_module, module)
        return LoadedArchitecture(name, plugins.imported(name, "__init__.py", load))
    if (entry := plugins.entry_points().get(name)) is not None:
        if (folder := plugins.folder_of(entry)) is not None:
            code.note(folder)
        return LoadedArchitecture(name, plugins.from_entry_point(entry))
    unknown = nearest(name, architecture_names(), "architecture")
    if Path(name).is_dir():
        unknown = LookupError(f"{unknown}; the folder of that name here is --arch ./{name}")
    raise unknown
