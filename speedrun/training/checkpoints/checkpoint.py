"""A checkpoint: one safetensors file with everything that a race goes on with.

It is written by this program for this program on the same machine: it holds paths of the machine
and is never published. What is read is checked all the same, and nothing in it is executed.
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from speedrun import __version__
from speedrun.config import Data
from speedrun.protocols import EngineState
from speedrun.records.sections import Event
from speedrun.records.strict_json import (
    Count,
    Fingerprint,
    Finite,
    Seconds,
    Section,
    parse_section,
    plain,
    strict_json,
)
from speedrun.text import clock
from speedrun.training.request import RunRequest
from speedrun.training.validation import Validation

FORMAT = 1
_FACTS = "speedrun"  # key of the metadata
_MAX_FACTS_BYTES = 64 << 20


class Identity(Section):
    """The race that a checkpoint belongs to: it goes on with the same code, data and machine."""

    program: Fingerprint  # digest of the harness and the architecture
    config: dict[str, Any]
    train_fingerprint: Fingerprint
    heldout_fingerprint: Fingerprint
    tokenizer: Fingerprint
    hardware_class: str
    device: str
    num_ranks: Count


class Progress(Section):
    """The state of the race beside its engine."""

    spent_s: Seconds  # of the budget
    accounts: dict[str, Finite]  # seconds, of the clock
    suspended_s: Seconds
    num_tokens: Count
    num_steps: Count
    events: list[Event]
    resumes: list[Seconds]  # of the budget that was spent at each
    losses: dict[str, float]  # state of the watch over them
    num_consumed: Count  # targets
    consumed_sha256: Fingerprint
    host: dict[str, float | None]
    energy: dict[str, float | str | None]
    validation: dict[str, Any] | None  # of `--keep best`


class Facts(Section):
    """All but the arrays."""

    format: Literal[1]
    version: str
    request: dict[str, Any]
    identity: Identity
    progress: Progress
    engine: dict[str, Any]
    random_states: list[dict[str, Any]]  # of each rank


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """Facts and arrays of a checkpoint."""

    facts: Facts
    arrays: Mapping[str, NDArray[Any]]  # `engine/…`, `validation/…` and `loss_curve` [N, 2]

    def to_bytes(self) -> bytes:
        """The content of its file."""
        facts = json.dumps(self.facts.content(), allow_nan=False)
        arrays = {name: np.ascontiguousarray(array) for name, array in self.arrays.items()}
        return safetensors.numpy.save(arrays, metadata={_FACTS: facts})

    def part(self, name: str) -> dict[str, NDArray[Any]]:
        """Arrays whose names begin with `name/`, without that."""
        start = f"{name}/"
        return {
            path.removeprefix(start): array
            for path, array in self.arrays.items()
            if path.startswith(start)
        }

    def engine_state(self) -> EngineState:
        """The state of the engine."""
        return EngineState(arrays=self.part("engine"), facts=self.facts.engine)

    def request(self, out: Path) -> RunRequest:
        """The request of the race, in its folder of runs."""
        given: dict[str, Any] = dict(self.facts.request)
        given["data"], given["settings"] = Data(**given["data"]), tuple(given["settings"])
        return RunRequest(**given, out=out)


@dataclass(frozen=True)
class Resumption:
    """The folder of a run and the checkpoint in it."""

    folder: Path
    checkpoint: Checkpoint

    @property
    def progress(self) -> Progress:
        """The state of the race beside its engine."""
        return self.checkpoint.facts.progress

    def request(self) -> RunRequest:
        """The request of the race."""
        return self.checkpoint.request(self.folder.parent)

    def describe(self) -> str:
        """The state of the race, in a sentence."""
        spent_s, budget_s = self.progress.spent_s, self.request().budget_s
        return (
            f"Going on at {spent_s / budget_s:.0%} of the budget, after"
            f" {self.progress.num_steps:,} steps; {clock(budget_s - spent_s)} are left."
        )

    def restore_validation(self, validation: Validation) -> None:
        """Put the validation of `--keep best` where the checkpoint left it."""
        assert self.progress.validation is not None, "the request asks for it"
        validation.restore(self.progress.validation, self.checkpoint.part("validation"))


def request_content(request: RunRequest) -> dict[str, Any]:
    """A request as plain values; the folders in it do not depend on where the process is."""
    content = dataclasses.asdict(request)
    del content["again"], content["out"]
    path = content["data"]["path"]
    if path is not None and Path(path).exists():
        content["data"]["path"] = str(Path(path).resolve())
    if "/" in request.arch or "\\" in request.arch:
        content["arch"] = str(Path(request.arch).resolve())
    return plain(content)


def facts(**sections: Any) -> Facts:
    """Facts of this version."""
    return Facts(format=FORMAT, version=__version__, **sections)


def load(path: Path) -> Checkpoint:
    """The checkpoint in a file; ValueError where it is none, or of another version."""
    try:
        with safetensors.safe_open(path, "numpy") as file:
            raw = (file.metadata() or {}).get(_FACTS)
            if raw is None:
                raise ValueError("it has no facts of a race")
            _check_format(raw, path)
            where, limit = str(path), _MAX_FACTS_BYTES
            _, found = parse_section(Facts, raw.encode(), where, limit=limit, name="checkpoint")
            _check_request(found, path)
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except safetensors.SafetensorError as error:
        raise ValueError(f"{path}: not a whole checkpoint ({error})") from None
    return Checkpoint(facts=found, arrays=arrays)


def _check_format(raw: str, path: Path) -> None:
    try:
        version = strict_json(raw.encode()).get("format")
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not a checkpoint ({error})") from None
    if version != FORMAT:
        raise ValueError(
            f"{path}: a checkpoint of format {version!a:.20}, this is {__version__} and reads"
            f" format {FORMAT}: resume with the version that wrote it"
        )


def _check_request(found: Facts, path: Path) -> None:
    for kind, content in ((RunRequest, found.request), (Data, found.request.get("data"))):
        names = {field.name for field in dataclasses.fields(kind)} - {"again", "out"}
        if not isinstance(content, dict) or set(content) != names:
            raise ValueError(
                f"{path}: its race has other options than those of this program: resume with the"
                " version that wrote it"
            )
