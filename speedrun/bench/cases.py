"""Cases of a bench: every requested architecture at every size on every device."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from speedrun import text
from speedrun.autotune import device as autotune_device
from speedrun.backends import registry
from speedrun.config import Data
from speedrun.device import Device
from speedrun.models import loader
from speedrun.protocols import Architecture
from speedrun.training.request import RunRequest, resolve

_VOCAB = Data().vocab


@dataclass(frozen=True, kw_only=True)
class Case:
    """One architecture of one size on one device."""

    arch: str  # as requested, which may be a folder
    params: int
    device: str
    data: str | None
    text_field: str | None = None

    @property
    def key(self) -> tuple[str, int, str]:
        """Identity of a case among saved benches."""
        return Path(self.arch).name, self.params, self.device

    @property
    def name(self) -> str:
        """The case in a line, such as `lstm 2M cpu`."""
        return f"{Path(self.arch).name} {text.format_size(self.params)} {self.device}"

    @property
    def request(self) -> RunRequest:
        """The race that the case measures."""
        data = Data(path=self.data, text_field=self.text_field)
        return RunRequest(arch=self.arch, params=str(self.params), backend=self.device, data=data)


def cases(
    archs: str | None, params: str, devices: str, data: str | None, text_field: str | None = None
) -> tuple[list[Case], list[str]]:
    """The cases of the options, and a line for each architecture that they leave out.

    Raises ValueError or LookupError for what does not exist or cannot run here.
    """
    sizes = text.parse_sizes(params)
    names = loader.architecture_names() if archs is None else _listed("--arch", archs)
    if len({Path(name).name for name in names}) < len(names):
        raise ValueError(f"--arch {archs}: two architectures have the same name")
    left_out = []
    found: list[Case] = []
    for arch in names:
        architecture = loader.architecture(arch)
        try:
            chosen = list(_devices(architecture, devices))
        except ValueError as error:
            if archs is not None:  # an architecture that was named must run
                raise
            left_out.append(f"{arch} is left out: {error}")
            continue
        for device in chosen:
            architecture.model(device.backend)  # broken files are found before anything is timed
            for size in sizes:
                case = Case(
                    arch=arch, params=size, device=device.name, data=data, text_field=text_field
                )
                resolve(architecture, case.request, _VOCAB)
                found.append(case)
    if not found:
        raise ValueError("; ".join(left_out))
    return found, left_out


def _listed(option: str, given: str) -> list[str]:
    names = [name.strip() for name in given.split(",") if name.strip()]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"{option} {given}: give different names, separated by commas")
    return names


def _devices(architecture: Architecture, devices: str) -> Iterator[Device]:
    """auto: the candidates of a race; all: every device here; else those that are named."""
    if devices == "auto":
        best = registry.device("auto", architecture)
        yield from autotune_device.candidates(best, architecture)
    elif devices == "all":
        registry.device("auto", architecture)  # raises where there is none
        written = architecture.backends()
        yield from (d for d in registry.devices() if d.available and d.backend in written)
    else:
        named = [registry.device(name, architecture) for name in _listed("--device", devices)]
        yield from {device.name: device for device in named}.values()
