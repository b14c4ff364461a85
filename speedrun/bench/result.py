"""Saved results of a bench: one versioned schema, in which nothing is derived."""

import itertools
import statistics
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from speedrun import text
from speedrun.records.sanitize import sanitize
from speedrun.records.sections import Code, MatmulGflops
from speedrun.records.strict_json import Count, Finite, Section, first_error, strict_json

SCHEMA = 1
MAX_BYTES = 1 << 24
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Samples = Annotated[list[Positive], Field(min_length=1)]  # one per repeat
Kind = Literal["train", "score", "sample"]
KINDS: dict[Kind, str] = {"train": "training", "score": "scoring", "sample": "sampling"}
# Limits of a quiet machine.
LOAD_PER_CORE = 0.5  # as `doctor` warns
OTHER_CORES_SHARE = 0.1
STEAL_SHARE = 0.02
SPREAD = 0.10


class Data(Section):
    """The data set that was trained on and scored."""

    name: str
    train_fingerprint: str
    heldout_fingerprint: str


class Settings(Section):
    """Settings of the bench; two agree but for the repeats where they are comparable."""

    repeats: Annotated[int, Field(ge=1)]
    burst_s: Finite  # of training per repeat, about
    num_docs: Count  # scored per repeat
    story_tokens: Count


class Load(Section):
    """Other work of the processors during the bench."""

    load_per_core: Finite | None  # one-minute average before the bench began
    other_cores: Finite | None  # used by other processes while it measured
    steal_share: Finite | None  # of the processors' time that the host gave to others


class Profile(Section):
    """Seconds of a training step by part; they add up to it."""

    parts_s: dict[str, Finite]
    note: str | None


class Flop(Section):
    """FLOP of training per token."""

    train_6n: Positive
    train_exact: Positive
    formula: str


class Row(Section):
    """Results of one case; rates in tokens per second, one per repeat."""

    arch: str
    params: Count  # as requested
    device: str
    backend: str
    hardware_class: str
    accelerator: str | None
    versions: dict[str, str]
    num_params: Count
    context: Count
    batch_rows: Count
    engine: dict[str, Any]  # the backend's choices: precision, micro-batch, compiled, threads
    matmul_gflops: MatmulGflops
    flop: Flop | None  # None for an architecture that is counted, not multiplied
    train: Samples
    wait_share: Finite  # of that time was spent waiting for data
    score: Samples
    num_draws: Count | None  # of a bound
    sample: Samples
    peak_bytes: Count
    profile: Profile | None

    @property
    def key(self) -> tuple[str, int, str]:
        """Identity of the case."""
        return self.arch, self.params, self.device

    @property
    def name(self) -> str:
        """The case in a line, safe to print."""
        return f"{sanitize(self.arch)} {text.format_size(self.params)} {sanitize(self.device)}"

    def samples(self, kind: Kind) -> list[float]:
        """Rates of all repeats."""
        return getattr(self, kind)

    def median(self, kind: Kind) -> float:
        """Median rate of the repeats."""
        return statistics.median(self.samples(kind))

    def spread(self, kind: Kind) -> float:
        """Half of the range of the repeats, as a share of their median."""
        samples = self.samples(kind)
        return (max(samples) - min(samples)) / 2 / self.median(kind)

    @property
    def matmul_flop_s(self) -> float | None:
        """Measured rate of matrix products in the precision of training; None if unknown."""
        gflops = getattr(self.matmul_gflops, str(self.engine.get("precision")), None)
        return None if not gflops else gflops * 1e9

    def shares(self) -> tuple[float | None, float | None]:
        """Share of that rate that training reaches, by 6·N and by the exact count."""
        limit = self.matmul_flop_s
        if self.flop is None or limit is None:
            return None, None
        reached = self.median("train") / limit
        return reached * self.flop.train_6n, reached * self.flop.train_exact


class Failure(Section):
    """A case that could not be measured."""

    variant: str
    error: str


class Bench(Section):
    """All cases of one bench on one machine."""

    version: Annotated[Literal[1], Field(alias="schema")]
    created: str
    code: Code
    cpu: str
    cores: Count
    data: Data
    settings: Settings
    load: Load
    rows: Annotated[list[Row], Field(min_length=1)]
    failed: list[Failure]

    def busy_reasons(self) -> list[str]:
        """Reasons why the machine counts as busy, a line each; none where it was quiet."""
        load, allowed, of_cores = self.load, OTHER_CORES_SHARE * self.cores, f"{self.cores} cores"
        limits = (
            (load.load_per_core, LOAD_PER_CORE, "load average {:.2f} per core before the start"),
            (load.other_cores, allowed, f"other processes took {{:.2f}} of {of_cores}"),
            (
                load.steal_share,
                STEAL_SHARE,
                "the host gave {:.1%} of the processors' time to others",
            ),
        )
        found = [text.format(value) for value, limit, text in limits if (value or 0.0) > limit]
        for row, kind in itertools.product(self.rows, KINDS):
            if (spread := row.spread(kind)) > SPREAD:
                repeats = f"±{spread:.0%} over {len(row.samples(kind))} repeats"
                found.append(f"{KINDS[kind]} of {row.name} varies by {repeats}")
        return found


def load(path: Path) -> Bench:
    """A saved bench; ValueError in one line for anything else."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"larger than {MAX_BYTES >> 20} MiB")
        raw = path.read_bytes()
        found = strict_json(raw).get("schema")
        if found != SCHEMA:
            raise ValueError(f"its schema is {str(found)[:20]!r}, known is {SCHEMA}")
        return Bench.model_validate_json(raw)
    except OSError as error:
        why = f"cannot be read ({error.strerror})"
    except (ValueError, RecursionError) as error:
        reason = first_error(error) if isinstance(error, ValidationError) else error
        why = f"not a bench ({reason})"
    raise ValueError(f"--against {path}: {why}; give a file that bench --save wrote")
