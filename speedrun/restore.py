"""A finished run, brought back to score and to tell stories."""

import dataclasses
import hashlib
from dataclasses import dataclass
from pathlib import Path

import safetensors.numpy

from leaderboard import record as records
from leaderboard.record import Record
from speedrun import discover
from speedrun.config import ModelConfig, Recipe
from speedrun.data.tokenizer import Tokenizer
from speedrun.protocols import Architecture, Engine


@dataclass(frozen=True)
class Restored:
    """A finished run with its model in an engine."""

    engine: Engine
    architecture: Architecture
    model: ModelConfig
    tokenizer: Tokenizer
    record: Record


def load_run(folder: Path, backend: str, arch: str | None = None) -> Restored:
    """A finished run's model, ready to score and to tell stories.

    `arch` is where its architecture is found, a name or a folder; None: under the name that
    the record has, which is all that a record keeps of a folder.
    """
    for name in ("record.json", "model.safetensors", "tokenizer.json"):
        if not (folder / name).is_file():
            raise ValueError(f"{folder}: no {name} there; give the folder of a finished run")
    record = records.load(folder / "record.json")
    raw = (folder / "model.safetensors").read_bytes()
    if hashlib.sha256(raw).hexdigest() != record.weights_sha256:
        raise ValueError(f"{folder}: model.safetensors is not the one its record names")
    architecture = _architecture(folder, record, arch)
    device = discover.device(backend, architecture)
    model = architecture.Config(**record.config["model"])
    recipe = Recipe(**{**record.config["recipe"], "compile": False, "precision": "fp32"})
    with architecture.blamed():
        engine = discover.backend(device.backend).engine(
            architecture, model, recipe, record.seed, device
        )
    engine.load(safetensors.numpy.load(raw))
    tokenizer = Tokenizer.load(folder / "tokenizer.json")
    return Restored(engine, architecture, model, tokenizer, record)


def _architecture(folder: Path, record: Record, arch: str | None) -> discover.LoadedArchitecture:
    if arch is None and record.arch not in discover.architecture_names():
        raise LookupError(
            f"{folder} was run with the architecture {record.arch!r}, which has no name here;"
            " give its folder: --arch path/to/folder"
        )
    architecture = discover.architecture(arch or record.arch)
    made_with = record.config["model"].keys()
    fields = {field.name for field in dataclasses.fields(architecture.Config)}  # type: ignore
    if odd := sorted(made_with ^ fields):
        raise ValueError(
            f"{folder} was run with another architecture than {arch or record.arch}:"
            f" only one of them has the settings {', '.join(odd)}"
        )
    return architecture
