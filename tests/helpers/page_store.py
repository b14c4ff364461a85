"""Stores for the page's tests: records that hold together, under names that do not behave."""

import math
import random
from pathlib import Path

from helpers.made_records import BOUND, add, add_note, made, verification

from leaderboard import index
from leaderboard.standing.boards import Board
from leaderboard.standing.boards import boards as boards_of
from leaderboard.store import Store

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


def opened(store: Path) -> tuple[list[Board], Store]:
    """The ranked entries of a local store without problems, and the store."""
    found = index.read(Store(str(store)), None)
    assert not found.problems
    boards = boards_of(found.runs, found.submissions, found.verifications, found.duels)
    return boards, Store(str(store))


def fill(store: Path, num_entries: int) -> None:
    """Entries of four architectures and two tracks, the later ones better."""
    rng = random.Random(num_entries)
    for n in range(num_entries):
        arch = ("transformer", "lstm", "d3pm", "<i>mine</i>")[n % 4]
        tokens = rng.randrange(1_000_000, 12_000_000)
        budget_s = 600.0 if n % 11 == 10 else 300.0
        for seed in range(1 + (n * 7) % 3 if n % 5 == 4 else 3):
            bits = 1.1 - 0.35 * (n / num_entries) ** 0.5 + rng.gauss(0, 0.004) + 0.1 * (n % 4)
            losses = [bits * 2.2 + 5 * math.exp(-k / 6) + rng.gauss(0, 0.03) for k in range(200)]
            changes = {
                "arch": arch,
                "source.is_outside": True,  # so that nobody here counts its parameters
                "config.arch": arch,
                "config.model.width": 64 + 8 * n,
                "code.commit": f"{rng.getrandbits(160):040x}",
                "train.num_tokens": tokens,
                "train.num_steps": tokens // 1000,
                "budget_s": budget_s,
                "config.budget_s": budget_s,
                "clock.train_s": budget_s - 1,
                "train.tokens_per_s": tokens / budget_s,
                "train.loss_curve": [[(k + 0.5) / 200, nats] for k, nats in enumerate(losses)],
                "sample.text": "Once, a fox 🦊\n\n<b>ran</b>.",
                "num_params": round(2e6 * math.exp(rng.gauss(0, 0.8))),
                "num_params_non_embedding": 1000,
                "created": f"2026-{1 + n % 9:02d}-{1 + n % 28:02d}T03:{seed:02d}:05+00:00",
            }
            record = made(bits, seed, changes | (BOUND if arch == "d3pm" else {}))
            author = f"author {n % 5} {HOSTILE[(n + 3) % 13][:20]}".strip()
            add(store, record, name=HOSTILE[n % len(HOSTILE)], author=author)
            if n % 6 == 0 and seed == 0:
                assert record.score is not None
                nats = record.score.nats
                gap = 0.0 if (agrees := n % 12 == 0) else 0.01
                rescored = {"agrees": agrees, "difference": gap, "allowed": 1e-4}
                rescored |= {"claimed_nats": nats, "found_nats": nats * (1 + gap)}
                add_note(store, verification(record.id, rescored=rescored, by="<b>somebody</b>"))
