"""A whole, valid record to change."""

from typing import Any

import pytest

from leaderboard.record import Record, seal

CLOCK = (
    *("startup", "tokenizer", "build", "compile", "warmup", "train", "data_wait"),
    *("checkpoint", "evaluate", "sample", "overshoot", "suspended"),
)


def content(**change: Any) -> dict[str, Any]:
    score = {
        "bits_per_byte": 0.9, "bits_per_byte_se": 0.01, "perplexity": 12.0, "perplexity_se": 0.2,
        "nats": 1000.0, "nats_per_token": 2.48, "likelihood": "exact", "window": 256,
        "stride": 128, "num_docs": 10, "num_bytes": 1603, "num_tokens": 403,
    }  # fmt: skip
    plain = {
        "created": "2026-01-01T00:00:00+00:00", "status": "complete", "arch": "transformer",
        "backend": "torch", "device": "cpu", "seed": 0, "num_params": 10,
        "num_params_non_embedding": 5, "budget_s": 300.0, "config": {"recipe_name": "default"},
        "code": {"commit": None, "dirty": None, "version": "0"},
        "data": {
            "name": "tiny", "source": "local", "train_fingerprint": "a" * 64,
            "heldout_fingerprint": "b" * 64, "num_dropped_duplicates": 0,
        },
        "tokenizer": {"vocab": 300, "fingerprint": "c" * 64},
        "hardware": {
            "class": "cpu-x86_64-2c", "cpu": "x", "cores": 2, "memory_bytes": 1,
            "accelerator": None, "matmul_gflops": {"fp32": 100.0, "bf16": None},
        },
        "versions": {"python": "3"},
        "clock": {f"{name}_s": 0.0 for name in CLOCK},
        "train": {
            "num_tokens": 1, "num_steps": 1, "epochs": None, "tokens_per_s": 1.0,
            "micro_batch_rows": 1, "peak_bytes": 1, "loss_curve": [(0.5, 3.0), (1.0, None)],
            "engine": {"precision": "fp32"}, "events": [],
        },
        "score": score,
        "sample": {"prompt": "a", "text": "a b", "temperature": 0.8, "seed": 0},
        "weights_sha256": "d" * 64,
    }  # fmt: skip
    for key, value in change.items():
        section, _, name = key.partition("__")
        if name:
            plain[section] = {**plain[section], name: value}
        else:
            plain[section] = value
    return plain


@pytest.fixture
def record_of():
    def make(**change: Any) -> Record:
        return seal(content(**change))

    return make
