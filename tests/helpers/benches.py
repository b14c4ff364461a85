"""Saved benches with known numbers, and what is printed of them."""

import os
from pathlib import Path
from typing import Any

from rich.console import Console

from speedrun.bench import report
from speedrun.bench.result import Bench

QUIET = {"load_per_core": 0.1, "other_cores": 0.0, "steal_share": 0.0}


def row_of(arch: str = "lstm", speed: float = 100.0, **changes: Any) -> dict[str, Any]:
    """A case whose three repeats lie 1 % apart."""
    samples = [speed * factor for factor in (0.99, 1.0, 1.01)]
    return {
        "arch": arch,
        "params": 2_000_000,
        "device": "cpu",
        "backend": "torch",
        "hardware_class": "cpu-x86_64-2c",
        "accelerator": None,
        "versions": {"torch": "2.13.0"},
        "num_params": 2_000_000,
        "context": 256,
        "batch_rows": 16,
        "engine": {"precision": "fp32", "micro_batch_rows": 16, "compiled": True},
        "matmul_gflops": {"fp32": 100.0, "bf16": None},
        "flop": {"train_6n": 12e6, "train_exact": 15e6, "formula": "2 per weight"},
        "train": samples,
        "wait_share": 0.0,
        "score": [3 * s for s in samples],
        "num_draws": None,
        "sample": samples,
        "peak_bytes": 500_000_000,
        "profile": None,
        **changes,
    }


def bench_of(*rows: dict[str, Any], **changes: Any) -> Bench:
    """A bench of these cases, or of one, on a quiet machine; `changes` are of its fields."""
    return Bench.model_validate(
        {
            "schema": 1,
            "created": "2026-11-22T00:00:00+00:00",
            "code": {"commit": "a" * 40, "dirty": False, "version": "0.1.0"},
            "cpu": "a processor",
            "cores": 2,
            "data": {"name": "d", "train_fingerprint": "t", "heldout_fingerprint": "h"},
            "settings": {"repeats": 3, "burst_s": 1.0, "num_docs": 64, "story_tokens": 200},
            "load": QUIET,
            "rows": list(rows) or [row_of()],
            "failed": [],
            **changes,
        }
    )


def saved(bench: Bench, folder: Path) -> Path:
    """The file that a bench was saved in."""
    path = folder / "bench.json"
    path.write_text(bench.model_dump_json(by_alias=True), encoding="utf-8")
    return path


def printed(bench: Bench, comparison: Any = None, width: int = 400) -> str:
    """The text that a bench is shown as in a terminal of this width."""
    console = Console(width=width, record=True, file=open(os.devnull, "w"))  # noqa: SIM115, PTH123
    report.show(console, bench, comparison)
    return console.export_text()
