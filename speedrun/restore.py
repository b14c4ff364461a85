"""A finished run, brought back to score and to tell stories."""

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


def load_run(folder: Path, backend: str) -> Restored:
    """A finished run's model, ready to score and to tell stories."""
    for name in ("record.json", "model.safetensors", "tokenizer.json"):
        if not (folder / name).is_file():
            raise ValueError(f"{folder}: no {name} there; give the folder of a finished run")
    record = records.load(folder / "record.json")
    raw = (folder / "model.safetensors").read_bytes()
    if hashlib.sha256(raw).hexdigest() != record.weights_sha256:
        raise ValueError(f"{folder}: model.safetensors is not the one its record names")
    architecture = discover.architecture(record.arch)
    device = discover.device(backend, architecture)
    model = architecture.Config(**record.config["model"])
    recipe = Recipe(**{**record.config["recipe"], "compile": False, "precision": "fp32"})
    engine = discover.backend(device.backend).engine(
        architecture, model, recipe, record.seed, device
    )
    engine.load(safetensors.numpy.load(raw))
    tokenizer = Tokenizer.load(folder / "tokenizer.json")
    return Restored(engine, architecture, model, tokenizer, record)
