"""A race of seconds to be tracked, and its log."""

import json
from pathlib import Path
from typing import Any

QUICK: dict[str, Any] = {
    "arch": "ngram",
    "params": "60K",
    "minutes": 0.05,
    "vocab": 300,
    "eval_docs": 20,
    "show": False,
}
WORDS = ["--arch", "ngram", "--params", "60K", "--minutes", "0.05", "--vocab", "300"]
WORDS += ["--eval-docs", "20"]


def log_of(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "log.jsonl").read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines if line.strip()]
