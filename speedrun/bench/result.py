"""What a bench found, as it is saved: one versioned schema; nothing in it is derived."""

import statistics
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from speedrun.records.schema import Code, MatmulGflops
from speedrun.records.strict_json import Count, Finite, Section, first_error, strict_json

SCHEMA = 1
MAX_BYTES = 1 << 24
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Samples = Annotated[list[Positive], Field(min_length=1)]  # one a repeat
Kind = Literal["train", "score", "sample"]
KINDS: tuple[Kind, ...] = ("train", "score", "sample")


class Data(Section):
    name: str
    train_fingerprint: str
    heldout_fingerprint: str


class ExecutionConfig(Section):
    """What makes two benches comparable besides the code and the machine."""

    repeats: Annotated[int, Field(ge=1)]
    burst_s: Finite  # about as long trains a repeat
    num_docs: Count  # are scored in a repeat
    story_tokens: Count


class Load(Section):
    """What else kept the processors busy."""

    load_per_core: Finite | None  # one-minute average before the bench began
    other_cores: Finite | None  # that other processes took while it measured
    steal_share: Finite | None  # of the processors' time that the host gave to others


class Profile(Section):
    parts_s: dict[str, Finite]  # seconds of a step; they add up to it
    note: str | None


class Flop(Section):
    """Of one token."""

    train_6n: Positive
    train_exact: Positive
    formula: str


class Row(Section):
    """One variant; rates in tokens per second, one for each repeat."""

    arch: str
    params: Count  # as asked for
    device: str
    backend: str
    hardware_class: str
    accelerator: str | None
    versions: dict[str, str]
    num_params: Count
    context: Count
    batch_rows: Count
    engine: dict[str, Any]  # what the backend chose: precision, micro-batch, compiled, threads
    matmul_gflops: MatmulGflops
    flop: Flop | None  # None for what is counted, not multiplied
    train: Samples
    wait_share: Finite  # of that time was waited for data
    score: Samples
    num_draws: Count | None  # of a bound
    sample: Samples
    peak_bytes: Count
    profile: Profile | None

    @property
    def key(self) -> tuple[str, int, str]:
        return self.arch, self.params, self.device

    def samples(self, kind: Kind) -> list[float]:
        return {"train": self.train, "score": self.score, "sample": self.sample}[kind]

    def median(self, kind: Kind) -> float:
        return statistics.median(self.samples(kind))

    def spread(self, kind: Kind) -> float:
        """Half of the range of the repeats, as a share of their median."""
        samples = self.samples(kind)
        return (max(samples) - min(samples)) / 2 / self.median(kind)

    @property
    def matmul_flop_s(self) -> float | None:
        """The measured limit, in the precision that it trains in."""
        gflops = getattr(self.matmul_gflops, str(self.engine.get("precision")), None)
        return None if not gflops else gflops * 1e9


class Failure(Section):
    variant: str
    error: str


class Bench(Section):
    version: Annotated[Literal[1], Field(alias="schema")]
    created: str
    code: Code
    cpu: str
    cores: Count
    data: Data
    settings: ExecutionConfig
    load: Load
    rows: Annotated[list[Row], Field(min_length=1)]
    failed: list[Failure]

    def to_json(self) -> str:
        return self.model_dump_json(by_alias=True, indent=1) + "\n"


def load(path: Path) -> Bench:
    """A saved bench; ValueError in one line for anything else."""
    hint = "give a file that bench --save wrote"
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"larger than {MAX_BYTES >> 20} MiB")
        raw = path.read_bytes()
        found = strict_json(raw).get("schema")
        if found != SCHEMA:
            raise ValueError(f"its schema is {str(found)[:20]!r}, known is {SCHEMA}")
        return Bench.model_validate_json(raw)
    except OSError as error:
        raise ValueError(f"--against {path}: cannot be read ({error.strerror}); {hint}") from None
    except ValidationError as error:
        raise ValueError(f"--against {path}: not a bench ({first_error(error)}); {hint}") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"--against {path}: not a bench ({error}); {hint}") from None
