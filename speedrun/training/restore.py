"""A finished run, brought back to score and to tell stories.

The files may be a stranger's: what they claim is checked before it is built or believed, and
whatever fails ends in one line.
"""

import contextlib
import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from speedrun.backends import registry
from speedrun.config import ModelConfig, Recipe
from speedrun.data.tokenizer import Tokenizer, load_untrusted
from speedrun.models import loader
from speedrun.protocols import Architecture, Device, Engine, EngineSpec
from speedrun.records import artifacts as files
from speedrun.records import schema as records
from speedrun.records.schema import Record
from speedrun.training import recorded


@dataclass(frozen=True)
class Restored:
    """A finished run with its model in an engine."""

    engine: Engine
    architecture: Architecture
    model: ModelConfig
    tokenizer: Tokenizer
    record: Record
    device: Device


def load_run(folder: Path, backend: str, arch: str | None = None) -> Restored:
    """A finished run's model, ready to score and to tell stories.

    `arch` is where its architecture is found, a name or a folder; None: under the name that
    the record has, which is all that a record keeps of a folder.
    """
    for name in ("record.json", files.WEIGHTS, files.TOKENIZER):
        if not (folder / name).is_file():
            raise ValueError(f"{folder}: no {name} there; give the folder of a finished run")
    record = records.load(folder / "record.json")
    weights, tokenizer = files.read_weights(folder, record), files.read_tokenizer(folder)
    return restored(record, weights, tokenizer, str(folder), backend=backend, arch=arch)


def restored(
    record: Record,
    weights: bytes,
    tokenizer: bytes,
    where: str,
    *,
    backend: str,
    arch: str | None = None,
) -> Restored:
    """The model of a record and of the two files beside it; `where` names them in messages.

    Raises ValueError or LookupError where they are not what the record says.
    """
    files.check_weights(weights, record, where)
    files.check_tokenizer_size(tokenizer, where)
    named = record.tokenizer
    text = load_untrusted(tokenizer, where, vocab=named.vocab, fingerprint=named.fingerprint)
    architecture = architecture_of(record, arch, where)
    device = registry.device(backend, architecture)
    arrays = files.arrays(weights, record, where)
    model = recorded.model(architecture, record, where)
    with in_one_line(architecture, where):
        # Scoring has no use for the recipe, but every engine for one.
        recipe = Recipe(compile=False, precision="fp32")
        engine = registry.engine(
            EngineSpec(architecture=architecture, config=model, recipe=recipe, device=device)
        )
        engine.load(arrays)
    return Restored(engine, architecture, model, text, record, device)


@contextlib.contextmanager
def in_one_line(architecture: Architecture, where: str) -> Iterator[None]:
    """Inside it, whatever a model makes of a stranger's numbers becomes a ValueError.

    A framework and a counted model have a dozen exceptions for what does not fit: hence
    Exception.
    """
    try:
        with architecture.plugin_errors():
            yield
    except (KeyError, IndexError, MemoryError) as error:
        raise _unusable(error, where) from error
    except (ValueError, LookupError, OSError):
        raise
    except Exception as error:
        raise _unusable(error, where) from error


def _unusable(error: BaseException, where: str) -> ValueError:
    lines = str(error).strip().splitlines() or [""]
    return ValueError(
        f"{where}: its model cannot be used ({type(error).__name__}: {lines[0]:.200});"
        " SPEEDRUN_TRACEBACK=1 shows all of it"
    )


def architecture_of(record: Record, arch: str | None, where: str) -> loader.LoadedArchitecture:
    """The architecture of a record; its name is looked up among names, never as a folder."""
    if arch is None and record.arch not in loader.architecture_names():
        raise LookupError(
            f"{where} was run with the architecture {record.arch!a:.100}, which has no name here;"
            " give its folder: --arch path/to/folder"
        )
    architecture = loader.architecture(arch or record.arch)
    made_with = record.config.get("model")
    if not isinstance(made_with, dict):
        raise ValueError(f"{where}: its config has no model")
    fields = {field.name for field in dataclasses.fields(architecture.Config)}  # type: ignore
    if odd := sorted(made_with.keys() ^ fields):
        shown = ", ".join(f"{name!a:.60}".strip("'") for name in odd[:8])
        raise ValueError(
            f"{where} was run with another architecture than {arch or record.arch}:"
            f" only one of them has the settings {shown}"
        )
    return architecture
