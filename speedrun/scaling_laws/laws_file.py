"""`laws.json`: the fitted laws of a sweep, as it writes them and as other commands read them.

It lies in the sweep's directory beside `sweep.json`, which holds the settings that its runs share.
"""

import contextlib
import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from speedrun.protocols import Architecture
from speedrun.records.sanitize import sanitize
from speedrun.records.strict_json import first_error, strict_json
from speedrun.scaling_laws.law import LossLaw, Optimum, SpeedLaw
from speedrun.system.files import write_atomic
from speedrun.system.paths import cache_dir
from speedrun.training.recipe_digest import recipe_digest

LAWS = "laws.json"
MANIFEST = "sweep.json"
UNIT = (
    "loss: bits per byte = E + A / N^alpha + B / D^beta, N parameters, D training tokens;"
    " speed: seconds per token = fixed + scale * N^power"
)


class Track(BaseModel):
    """The data and the hardware class that the laws hold for."""

    data_name: str
    train_fingerprint: str
    heldout_fingerprint: str
    num_docs: int
    hardware_class: str


class FittedLaws(BaseModel):
    """Loss in bits per byte, speed in seconds per token, and what follows for some budgets."""

    loss: LossLaw
    speed: SpeedLaw
    optimum: Annotated[list[Optimum], Field(min_length=1)]


class LawsFile(BaseModel):
    """The content of a `laws.json`; fields that later versions add are ignored."""

    model_config = ConfigDict(populate_by_name=True)

    schema_: Annotated[Literal[1], Field(alias="schema")] = 1
    hardware_class: str
    track: Track
    arch: str
    recipe: str
    recipe_digest: str | None = None  # of what the recipe said then; laws of before have none
    tables: int = 0  # parameters in tables beside N
    variant: str = ""  # settings that varied in the sweep
    unsupported_minutes: list[float] = []  # budgets whose runs do not support the laws
    unit: str = UNIT
    laws: FittedLaws
    num_runs: int
    created_from: list[str]  # ids of the records

    @property
    def sizes(self) -> tuple[float, float]:
        """The smallest and the largest size that its optima and their intervals name."""
        optima = self.laws.optimum
        return min(one.low for one in optima), max(one.high for one in optima)

    def to_json(self) -> str:
        """The file's text."""
        # Laws of old have none of these.
        later = ("tables", "variant", "unsupported_minutes")
        left_out = {name for name in later if not getattr(self, name)}
        return self.model_dump_json(indent=1, by_alias=True, exclude=left_out) + "\n"


def load(path: Path) -> LawsFile:
    """Read a `laws.json`; raises ValueError in one line for a file that is none."""
    try:
        found = LawsFile.model_validate(strict_json(path.read_bytes()))
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        why = first_error(error) if isinstance(error, ValidationError) else error
        raise ValueError(f"{path}: is not the laws.json of a sweep ({why})") from None
    if not _has_optimum(found.laws.loss):
        raise ValueError(f"{path}: these constants have no optimum; sweep more sizes and fit again")
    return found


def misfit(laws: LawsFile, architecture: Architecture, settings: Iterable[str] = ()) -> str:
    """A line if laws are not of an architecture's recipe now, or runs do not support them."""
    name = architecture.NAME
    if laws.arch != name:
        return f"the law is of {sanitize(laws.arch)}, not of {name}: loss and sizes may be off"
    try:
        now = recipe_digest(architecture, laws.recipe, settings)
    except (ValueError, LookupError):  # there is no such recipe any more
        now = None
    if laws.recipe_digest is not None and laws.recipe_digest == now:
        if not laws.unsupported_minutes:
            return ""
        minutes = ", ".join(f"{one:g}" for one in laws.unsupported_minutes)
        return f"runs of its own sweep, at {minutes} min, do not support this law: see its report"
    of = f"digest {laws.recipe_digest[:12]}…" if laws.recipe_digest else "digest unknown"
    return (
        f"the law of {name} was fitted on another recipe ({of}): sizes may be off;"
        f" `python run.py sweep --arch {name}` fits a new one"
    )


def _has_optimum(law: LossLaw) -> bool:
    """Whether sizes and losses are finite numbers, from tiny to enormous compute."""
    try:
        values = [law.critical(), law.limit()]
        for flop in (1e10, 1e28):
            values += [*law.optimum(flop), float(law(*law.optimum(flop)))]
    except (OverflowError, ZeroDivisionError):
        return False
    return all(0 < value < math.inf for value in values)


def shared_settings(sweep_dir: Path) -> Mapping[str, Any] | None:
    """The settings that all runs of a sweep share; None without a manifest.

    Raises ValueError for a manifest that no sweep wrote.
    """
    path = sweep_dir / MANIFEST
    return read_manifest(path)["shared"] if path.exists() else None


def settings_beside(path: Path) -> list[str]:
    """The `--set` options of the sweep that a laws.json lies in; none where nothing tells."""
    with contextlib.suppress(ValueError):
        found = (shared_settings(path.parent) or {}).get("--set")
        if isinstance(found, list):
            return [str(one) for one in found]
    return []


def read_manifest(path: Path) -> dict[str, Any]:
    """The content of a `sweep.json`; raises ValueError for a file that no sweep wrote."""
    try:
        content = strict_json(path.read_bytes())
        if not isinstance(content["shared"], dict) or not isinstance(content["grids"], list):
            raise ValueError("'shared' must be an object and 'grids' a list")
        if not isinstance(content.get("code", {}), dict):
            raise ValueError("'code' must be an object")
    except (KeyError, ValueError) as error:
        raise ValueError(
            f"{path}: is not the manifest of a sweep ({error}); choose another directory"
        ) from None
    return content


def cached_laws() -> Path:
    """The directory in the cache where sweeps leave copies of their laws for later races."""
    return cache_dir() / "laws"


def cache(sweep_dir: Path, laws: LawsFile) -> None:
    """Keep one copy per hardware class, architecture, tables and settings, that of most runs."""
    if laws.variant:  # no race asks for its settings so
        return
    settings = json.dumps(shared_settings(sweep_dir), sort_keys=True)
    digest = hashlib.sha256(settings.encode()).hexdigest()[:12]
    tables = f"-{laws.tables}" if laws.tables else ""
    place = cached_laws() / f"{laws.hardware_class}-{laws.arch}{tables}-{digest}"
    with contextlib.suppress(ValueError):  # none yet, or a broken one
        if load(place / LAWS).num_runs > laws.num_runs:
            return
    write_atomic(place / LAWS, laws.to_json())
    write_atomic(place / MANIFEST, (sweep_dir / MANIFEST).read_bytes())
