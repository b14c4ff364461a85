"""What is measured: every architecture at every size on every device that was asked for."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from speedrun import text
from speedrun.autotune import device as devices
from speedrun.backends import registry
from speedrun.config import Data
from speedrun.models import loader
from speedrun.protocols import Architecture, Device
from speedrun.training.request import RunRequest, resolve

_VOCAB = Data().vocab


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One architecture of one size on one device."""

    arch: str  # as asked for, which may be a folder
    params: int
    device: str
    data: str | None

    @property
    def name(self) -> str:
        return f"{Path(self.arch).name} {text.format_size(self.params)} {self.device}"

    @property
    def request(self) -> RunRequest:
        return RunRequest(
            arch=self.arch, params=str(self.params), backend=self.device, data=Data(path=self.data)
        )


def variants(
    archs: str | None, params: str, backends: str, data: str | None
) -> tuple[list[Variant], list[str]]:
    """What the options mean, and a line for each architecture that they leave out.

    Raises ValueError or LookupError for what cannot be meant or cannot run here.
    """
    sizes = text.parse_sizes(params)
    left_out = []
    chosen: list[Variant] = []
    for arch in _names(archs):
        architecture = loader.architecture(arch)
        try:
            found = list(_devices(architecture, backends))
        except ValueError as error:
            if archs is not None:  # asked for by name: that it cannot run is a mistake
                raise
            left_out.append(f"{arch} is left out: {error}")
            continue
        for device in found:
            architecture.model(device.backend)  # broken files are found before anything is timed
            for size in sizes:
                variant = Variant(arch=arch, params=size, device=device.name, data=data)
                resolve(architecture, variant.request, _VOCAB)
                chosen.append(variant)
    if not chosen:
        raise ValueError("; ".join(left_out))
    return chosen, left_out


def _names(archs: str | None) -> list[str]:
    if archs is None:
        return loader.architecture_names()
    names = [name.strip() for name in archs.split(",") if name.strip()]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"--arch {archs}: give different architectures, parted by commas")
    return names


def _devices(architecture: Architecture, backends: str) -> Iterator[Device]:
    """Those that a race would choose among (auto), all there are (all), or the named ones."""
    if backends == "auto":
        yield from devices.candidates(registry.device("auto", architecture), architecture)
    elif backends == "all":
        registry.device("auto", architecture)  # raises where there is none
        written = architecture.backends()
        yield from (d for d in registry.devices() if d.available and d.backend in written)
    else:
        names = [name.strip() for name in backends.split(",") if name.strip()]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"--backend {backends}: give different ones, parted by commas")
        found = {registry.device(name, architecture).name: name for name in names}
        yield from (registry.device(name, architecture) for name in found)
