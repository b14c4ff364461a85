"""Stores for the page's tests: records that hold together, under names that do not behave."""

import json
import math
import random
from pathlib import Path
from typing import Any

from leaderboard.notes import Rescored, Submission, Verification
from leaderboard.record import Record, seal

KNOWN = json.loads(
    (Path(__file__).resolve().parent.parent / "leaderboard" / "known_data.json").read_bytes()
)[0]
REAL = Path(__file__).resolve().parent.parent / "leaderboard" / "records"
# Shown, all of them must be text: markup, mathematics, quotes, formulas, long words, scripts.
HOSTILE = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "$\\frac{1}{0$ \\mathbf{x}",
    "{{ 7 * 7 }}{% raw %}",
    "</script><svg onload=alert(1)>",
    "javascript:alert(1)",
    "&lt;b&gt; & &amp;",
    "a" * 100,
    "مرحبا بالعالم שלום",
    "日本語の名前 🦊",
    "=cmd|' /C calc'!A0",
    "]]><!-- -->",
]  # fmt: skip


def content(**changes: Any) -> dict[str, Any]:
    """A record's content that a review has nothing against."""
    bits = changes.pop("bits", 0.75)
    seed, rng = changes.get("seed", 0), random.Random(str(sorted(changes.items(), key=str)))
    bound = changes.pop("bound", False)
    width, tokens = changes.pop("width", 128), changes.pop("tokens", 6_000_000)
    config = changes.pop("config", None)
    arch = changes.get("arch", "transformer")
    nats = bits * math.log(2) * KNOWN["num_bytes"]
    num_tokens = 400_000
    curve = [
        [(k + 0.5) / 200, bits * 2.2 + 5 * math.exp(-(k + 1) / 6) + rng.gauss(0, 0.03)]
        for k in range(200)
    ]
    score = {
        "bits_per_byte": nats / math.log(2) / KNOWN["num_bytes"],
        "bits_per_byte_se": 0.005,
        "perplexity": math.exp(nats / num_tokens),
        "perplexity_se": 0.1,
        "nats": nats,
        "nats_per_token": nats / num_tokens,
        "likelihood": "bound" if bound else "exact",
        "window": 256,
        "stride": 128,
        "num_docs": KNOWN["num_docs"],
        "num_bytes": KNOWN["num_bytes"],
        "num_tokens": num_tokens,
    }
    if bound:
        score |= {"num_draws": 16, "bits_per_byte_mc_se": 0.001, "length_nats": 10.0}
    spent_s = 300.0
    return {
        "created": "2026-03-02T03:04:05+00:00",
        "status": "complete",
        "arch": "transformer",
        "backend": "torch",
        "device": "cpu",
        "seed": 0,
        "num_params": 2_004_288,
        "num_params_non_embedding": 1_217_856,
        "budget_s": 300.0,
        "config": config
        or {
            "arch": arch,
            "recipe_name": "default",
            "budget_s": 300.0,
            "seed": seed,
            "model": {"vocab": 4096, "context": 256, "width": width, "depth": 3},
            "recipe": {"lr": 0.003, "batch_rows": 16, "compile": True},
            "data": {"vocab": 4096, "tokenizer": "auto", "eval_docs": 2000, "stride": 128},
        },
        "code": {"commit": f"{rng.getrandbits(160):040x}", "dirty": False, "version": "0.1.0"},
        "data": {
            "name": "tinystories",
            "source": "local",
            "train_fingerprint": KNOWN["train_fingerprint"],
            "heldout_fingerprint": KNOWN["heldout_fingerprint"],
            "num_dropped_duplicates": 0,
        },
        "tokenizer": {"vocab": 4096, "fingerprint": "c" * 64},
        "hardware": {
            "class": "cpu-x86_64-2c-amx", "cpu": "A processor", "cores": 2,
            "memory_bytes": 8 << 30, "accelerator": None,
            "matmul_gflops": {"fp32": 100.5, "bf16": None},
        },
        "versions": {"python": "3.11.7", "torch": "2.13.0"},
        "clock": {
            "startup_s": 1.0, "tokenizer_s": 0.0, "build_s": 0.1, "compile_s": 10.0,
            "warmup_s": 1.0, "train_s": spent_s - 1, "data_wait_s": 1.0, "checkpoint_s": 0.1,
            "evaluate_s": 9.0, "sample_s": 1.0, "overshoot_s": 0.0, "suspended_s": 0.0,
        },
        "train": {
            "num_tokens": tokens, "num_steps": tokens // 1000, "epochs": None,
            "tokens_per_s": tokens / spent_s, "micro_batch_rows": 16, "peak_bytes": 1 << 30,
            "loss_curve": curve, "engine": {"precision": "bf16", "threads": 2}, "events": [],
        },
        "score": score,
        "sample": {"prompt": "Once", "text": "Once, a fox 🦊\n\n<b>ran</b>.", "temperature": 0.8,
                   "seed": 0},
        "weights_sha256": f"{rng.getrandbits(256):064x}",
        **changes,
    }  # fmt: skip


def add(store: Path, record: Record, name: str | None = None, author: str | None = None) -> None:
    store.mkdir(parents=True, exist_ok=True)
    (store / f"{record.id}.json").write_text(record.to_json(), encoding="utf-8")
    if name is not None or author is not None:
        note = Submission(
            record=record.id, name=name, author=author, submitted="2026-03-03T00:00:00+00:00"
        )
        (store / f"{record.id}.submission.json").write_text(note.to_json(), encoding="utf-8")


def verified(store: Path, record: Record, *, agrees: bool) -> None:
    note = Verification(
        record=record.id, by="<b>somebody</b>", verified="2026-03-04T00:00:00+00:00",
        hardware_class="cpu-x86_64-2c-amx", versions={}, code="0" * 40,
        rescored=Rescored(
            agrees=agrees, backend="torch", device="cpu", claimed_nats=1.0, found_nats=1.0,
            difference=1e-7, allowed=1e-5, checks=["causal"], failed=[],
        ),
        leaks=None, rerun=None,
    )  # fmt: skip
    name = f"{record.id}.verification.{note.digest()}.json"
    (store / name).write_text(note.to_json(), encoding="utf-8")


def fill(store: Path, num_entries: int, *, seeds: int = 3, hostile: bool = True) -> None:
    """Entries of four architectures and two tracks, the later ones better."""
    rng = random.Random(num_entries)
    for n in range(num_entries):
        arch = ("transformer", "lstm", "d3pm", "<i>mine</i>")[n % 4 if n < 8 or hostile else n % 3]
        name = HOSTILE[n % len(HOSTILE)] if hostile else f"idea {n}"
        tokens = rng.randrange(1_000_000, 12_000_000)
        for seed in range(1 + (n * 7) % seeds if n % 5 == 4 else seeds):
            changes: dict[str, Any] = {
                "arch": arch, "seed": seed, "width": 64 + 8 * n, "tokens": tokens,
                "bits": 1.1 - 0.35 * (n / num_entries) ** 0.5 + rng.gauss(0, 0.004)
                + 0.1 * (n % 4),
                "bound": arch == "d3pm",
                "num_params": round(2e6 * math.exp(rng.gauss(0, 0.8))),
                "num_params_non_embedding": 1000,
                "created": f"2026-{1 + n % 9:02d}-{1 + n % 28:02d}T03:{seed:02d}:05+00:00",
            }  # fmt: skip
            if n % 11 == 10:
                made = content(**changes)
                made["hardware"]["class"] = "cuda-h200"
            else:
                made = content(**changes)
            record = seal(made)
            add(store, record, name, f"author {n % 5} {HOSTILE[(n + 3) % 13][:20]}".strip())
            if n % 6 == 0 and seed == 0:
                verified(store, record, agrees=n % 12 == 0)
