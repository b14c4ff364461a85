"""A record of a run that ended well, and small changes to it."""

import copy
from typing import Any

import pytest

from leaderboard.record import seal

CONTENT: dict[str, Any] = {
    "created": "2026-01-02T03:04:05+00:00",
    "status": "complete",
    "arch": "transformer",
    "backend": "torch",
    "device": "cpu",
    "seed": 0,
    "num_params": 2_004_288,
    "num_params_non_embedding": 1_217_856,
    "budget_s": 300.0,
    "config": {"arch": "transformer", "recipe": {"lr": 0.003, "compile": True}, "name": "für"},
    "code": {"commit": "0" * 40, "dirty": False, "version": "0.1.0"},
    "data": {
        "name": "tinystories",
        "source": "local",
        "train_fingerprint": "a" * 64,
        "heldout_fingerprint": "b" * 64,
        "num_dropped_duplicates": 3,
    },
    "tokenizer": {"vocab": 4096, "fingerprint": "c" * 64},
    "hardware": {
        "class": "cpu-x86_64-2c-amx",
        "cpu": "A processor",
        "cores": 2,
        "memory_bytes": 8 << 30,
        "accelerator": None,
        "matmul_gflops": {"fp32": 100.5, "bf16": None},
    },
    "versions": {"python": "3.11.7", "torch": "2.13.0"},
    "clock": {
        "startup_s": 1.0, "tokenizer_s": 0.0, "build_s": 0.1, "compile_s": 10.0, "warmup_s": 1.0,
        "train_s": 299.0, "data_wait_s": 1.0, "checkpoint_s": 0.1, "evaluate_s": 9.0,
        "sample_s": 1.0, "overshoot_s": 0.01, "suspended_s": 0.0,
    },
    "train": {
        "num_tokens": 1_000_000,
        "num_steps": 500,
        "epochs": None,
        "tokens_per_s": 3333.3,
        "micro_batch_rows": 8,
        "peak_bytes": 1 << 30,
        "loss_curve": [[0.0, 8.3], [0.5, None], [1.0, 2.1]],
        "engine": {"precision": "bf16", "threads": 2},
        "events": [{"share": 0.5, "what": "a stall"}],
    },
    "score": {
        "bits_per_byte": 0.75,
        "bits_per_byte_se": 0.001,
        "perplexity": 8.1,
        "perplexity_se": 0.05,
        "nats": 123456.7,
        "nats_per_token": 2.09,
        "likelihood": "exact",
        "window": 256,
        "stride": 128,
        "num_docs": 2000,
        "num_bytes": 1_600_000,
        "num_tokens": 400_000,
    },
    "sample": {"prompt": "Once", "text": "Once, a fox 🦊", "temperature": 0.8, "seed": 0},
    "weights_sha256": "d" * 64,
}  # fmt: skip


@pytest.fixture
def content() -> dict[str, Any]:
    """The content of a record, to be changed freely."""
    return copy.deepcopy(CONTENT)


@pytest.fixture
def make_record():
    """`make_record({"score.bits_per_byte": 0.7})` seals a record with these changes."""

    def made(changes=None):
        content = copy.deepcopy(CONTENT)
        for path, value in (changes or {}).items():
            *sections, name = path.split(".")
            inner = content
            for section in sections:
                inner = inner[section]
            inner[name] = value
        return seal(content)

    return made
