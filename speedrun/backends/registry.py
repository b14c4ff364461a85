"""Backends by folder name, and the devices they drive."""

import functools
import importlib
import pkgutil
import platform
from collections.abc import Container
from importlib import metadata

from speedrun import backends
from speedrun.device import Device
from speedrun.protocols import Architecture, Backend, Engine, EngineSpec
from speedrun.text import nearest


@functools.cache
def backend(name: str) -> Backend:
    """The backend in the folder `speedrun/backends/<name>`."""
    return importlib.import_module(f"speedrun.backends.{name}.backend").BACKEND


def backend_names() -> list[str]:
    """Names of the backends, by their folders."""
    return sorted(m.name for m in pkgutil.iter_modules(backends.__path__) if m.ispkg)


def devices(of: Container[str] | None = None) -> list[Device]:
    """Every device of these backends or of all, the one `auto` prefers first."""
    names = [name for name in backend_names() if of is None or name in of]
    rows = [row for name in names for row in backend(name).devices()]
    return sorted(rows, key=lambda row: (-row.available, -row.priority))


def device(choice: str, architecture: Architecture | None = None) -> Device:
    """The device `--device` asks for; `auto` is the best that the architecture runs on."""
    written = backend_names() if architecture is None else architecture.backends()
    # To import a framework takes seconds: only those that may be asked for are.
    for row in devices([choice] if choice in written else written):
        if row.available and choice in ("auto", row.name, row.backend):
            return row
    rows = devices()
    if choice == "auto" and architecture is not None:
        raise ValueError(
            f"architecture {architecture.NAME!r} runs on {', '.join(written) or 'nothing yet'},"
            f" and there is only: {', '.join(row.name for row in rows if row.available)}"
        )
    named = [row for row in rows if choice in (row.name, row.backend)]
    if not named:
        raise nearest(choice, {"auto"} | {row.name for row in rows}, "device")
    if architecture is not None and named[0].backend not in written:
        fitting = ", ".join(row.name for row in rows if row.available and row.backend in written)
        raise ValueError(
            f"--device {choice}: architecture {architecture.NAME!r} has no"
            f" {named[0].backend}_model.py, only {' and '.join(f'{w}_model.py' for w in written)};"
            f" it runs here on: {fitting or 'nothing'}"
        )
    there = ", ".join(row.name for row in rows if row.available)
    raise ValueError(f"--device {choice} is not here: {named[0].detail}; there is: {there}")


def engine(spec: EngineSpec) -> Engine:
    """A new engine, made by the backend that drives the spec's device."""
    return backend(spec.device.backend).engine(spec)


def versions(driver: Backend) -> dict[str, str]:
    """Versions of Python, the operating system, the tokenizers and a backend's libraries."""
    system = {
        "python": platform.python_version(),
        "os": f"{platform.system()} {platform.release()}",
        "tokenizers": metadata.version("tokenizers"),
    }
    return system | driver.versions()
