"""The table of architectures/README.md: every architecture, the same budget, several seeds.

    python tests/benchmarks/architecture_numbers.py --data PATH [--minutes 5] [--seeds 3]

Seeds are the outer loop, so that a machine that slows down slows all rows. Records in DIR are
kept: what is there is not raced again. Needs a quiet machine and about 75 minutes.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from helpers.racing import race, spread

ROWS = {
    "d3pm, uniform": ["--arch", "d3pm", "--set", "model.transition=uniform"],
    "lstm": ["--arch", "lstm"],
    "d3pm, absorbing": ["--arch", "d3pm"],
    "ngram, 2M counts": ["--arch", "ngram"],
    "ngram, 20M counts": ["--arch", "ngram", "--params", "20M"],
    "transformer": ["--arch", "transformer"],
}


def kept_or_raced(name: str, seed: int, args: argparse.Namespace) -> dict[str, Any]:
    """The record of this row and seed, from an earlier call of this script or from a race."""
    kept = args.out / "records" / f"{name.replace(', ', '-').replace(' ', '-')}-{seed}.json"
    if not kept.is_file():
        common = ["--minutes", str(args.minutes), "--seed", str(seed)]
        size = [] if "--params" in ROWS[name] else ["--params", "2M"]
        record = race([*ROWS[name], *size, *common], args.data, args.out)
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(record))
    return json.loads(kept.read_text())


def row(name: str, records: list[dict[str, Any]]) -> str:
    """A line of the table."""
    scores = [record["score"] for record in records]
    sign = "≤ " if scores[0]["likelihood"] == "bound" else ""
    trains = [record["train"] for record in records]
    clocks = [record["clock"] for record in records]
    cells = [
        name,
        f"{records[0]['num_params'] / 1e6:.2f}M",
        sign + spread([score["bits_per_byte"] for score in scores]),
        sign + spread([score["perplexity"] for score in scores], 2),
        f"{sum(train['num_tokens'] for train in trains) / len(trains) / 1e6:.2f}M",
        spread([train["tokens_per_s"] for train in trains], 0),
        f"{sum(c['train_s'] + c['data_wait_s'] for c in clocks) / len(clocks):.0f} s",
        str(len(records)),
    ]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--minutes", default=5.0, type=float)
    parser.add_argument("--seeds", default=3, type=int)
    parser.add_argument("--out", default=Path("runs/architecture_numbers"), type=Path)
    args = parser.parse_args()
    records: dict[str, list[dict[str, Any]]] = {name: [] for name in ROWS}
    for seed in range(args.seeds):
        for name in ROWS:
            records[name].append(kept_or_raced(name, seed, args))
            print(row(f"{name}, seed {seed}", records[name][-1:]), flush=True)
    print(
        "\n| architecture | parameters | bits per byte | perplexity | tokens | tokens/s | budget"
        " spent | n |\n" + "|---" * 8 + "|"
    )
    ranked = sorted(ROWS, key=lambda name: records[name][0]["score"]["bits_per_byte"])
    for name in ranked:
        print(row(name, records[name]))
    for name in ranked:
        print(f"\n**{name}** (seed 0): {records[name][0]['sample']['text']}")


if __name__ == "__main__":
    main()
