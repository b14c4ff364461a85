"""Stores for the page's tests: records that hold together, under names that do not behave."""

import math
import random
from pathlib import Path
from typing import Any

from helpers.made_records import BOUND, add, add_note, changed, rescore, verification

from speedrun.records.schema import Record, seal

REAL = Path(__file__).resolve().parents[2] / "leaderboard" / "records"
# Shown, all of them must be text: markup, mathematics, quotes, formulas, long words, scripts.
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
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
]


def content(**changes: Any) -> dict[str, Any]:
    """A record's content that a review has nothing against."""
    bits = changes.pop("bits", 0.75)
    seed, rng = changes.get("seed", 0), random.Random(str(sorted(changes.items(), key=str)))
    is_bound = changes.pop("bound", False)
    width, tokens = changes.pop("width", 128), changes.pop("tokens", 6_000_000)
    config = changes.pop("config", None) or {
        "arch": changes.get("arch", "transformer"),
        "recipe_name": "default",
        "budget_s": 300.0,
        "seed": seed,
        "model": {"vocab": 4096, "context": 256, "width": width, "depth": 3},
        "recipe": {"lr": 0.003, "batch_rows": 16, "compile": True},
        "data": {"vocab": 4096, "tokenizer": "auto", "eval_docs": 2000, "stride": 128},
    }
    curve = [
        [(k + 0.5) / 200, bits * 2.2 + 5 * math.exp(-(k + 1) / 6) + rng.gauss(0, 0.03)]
        for k in range(200)
    ]
    made = changed(
        {
            "config": config,
            "code.commit": f"{rng.getrandbits(160):040x}",
            "train.num_tokens": tokens,
            "train.num_steps": tokens // 1000,
            "train.tokens_per_s": tokens / 300,
            "train.loss_curve": curve,
            "sample.text": "Once, a fox 🦊\n\n<b>ran</b>.",
            "weights_sha256": f"{rng.getrandbits(256):064x}",
            **(BOUND if is_bound else {}),
        }
    )
    rescore(made, bits)
    return made | changes


def verified(store: Path, record: Record, *, agrees: bool) -> None:
    rescored = {"agrees": agrees, "difference": 1e-7}
    add_note(store, verification(record.id, rescored=rescored, by="<b>somebody</b>"))


def fill(store: Path, num_entries: int) -> None:
    """Entries of four architectures and two tracks, the later ones better."""
    rng = random.Random(num_entries)
    for n in range(num_entries):
        arch = ("transformer", "lstm", "d3pm", "<i>mine</i>")[n % 4]
        name = HOSTILE[n % len(HOSTILE)]
        tokens = rng.randrange(1_000_000, 12_000_000)
        for seed in range(1 + (n * 7) % 3 if n % 5 == 4 else 3):
            changes: dict[str, Any] = {
                "arch": arch,
                "seed": seed,
                "width": 64 + 8 * n,
                "tokens": tokens,
                "bits": 1.1 - 0.35 * (n / num_entries) ** 0.5 + rng.gauss(0, 0.004) + 0.1 * (n % 4),
                "bound": arch == "d3pm",
                "num_params": round(2e6 * math.exp(rng.gauss(0, 0.8))),
                "num_params_non_embedding": 1000,
                "created": f"2026-{1 + n % 9:02d}-{1 + n % 28:02d}T03:{seed:02d}:05+00:00",
            }
            made = content(**changes)
            if n % 11 == 10:
                made["hardware"]["class"] = "cuda-h200"
            record = seal(made)
            author = f"author {n % 5} {HOSTILE[(n + 3) % 13][:20]}".strip()
            add(store, record, name=name, author=author)
            if n % 6 == 0 and seed == 0:
                verified(store, record, agrees=n % 12 == 0)
