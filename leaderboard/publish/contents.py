"""Files of a published run: a run's folder again, with a card, without facts of this machine."""

import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leaderboard import submit
from leaderboard.publish import card, data
from leaderboard.publish.data import DataFacts
from speedrun.records.artifacts import read_limited, tokenizer_name, weights_name
from speedrun.records.files import RECORD, TOKENIZER, WEIGHTS
from speedrun.records.sanitize import brief
from speedrun.records.schema import Record
from speedrun.training.runs.run_dir import LOG, SAMPLES

CARD, CURVE, CONFIG = "README.md", "curve.png", "config.json"
RESULTS = ".eval_results/tinystories.yaml"
NAMES = (RECORD, WEIGHTS, TOKENIZER, LOG, SAMPLES, CARD, CURVE, CONFIG, RESULTS)
_MAX_LOG_BYTES = 64 << 20
_MAX_LISTED = 3
# A path of two names or more from the root, or with a drive letter; no URL and no fraction.
_PATH = re.compile(r"(?<![\w./:~-])(?:/[\w.@+~-]+){2,}|(?<!\w)[A-Za-z]:\\[\w\\.-]+|~/[\w./-]+")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Choices of whoever publishes a run."""

    address: str  # as the commands of the card name it
    licence: str | None = None  # of the weights
    data_licence: str | None = None
    with_paths: bool = False


def build(run: Path, wanted: Wanted) -> tuple[Record, dict[str, bytes]]:
    """The record of a run and all files of its publication; ValueError where it cannot be."""
    found = submit.candidate(run, with_weights=True, must_rank=False)
    record = found.record
    if record.score is None:
        raise ValueError(f"{run}: the run is {record.status} and has no score; it is not published")
    log = found.folder / LOG
    rows = read_limited(log, _MAX_LOG_BYTES) if log.is_file() else None
    if not wanted.with_paths and (told := list(_paths(record, rows))):
        more = f" and {len(told) - _MAX_LISTED} more" if len(told) > _MAX_LISTED else ""
        raise ValueError(
            f"{run}: paths of this machine would be published: {'; '.join(told[:_MAX_LISTED])}"
            f"{more}; --with-paths publishes them all the same"
        )
    about = data.facts(record, wanted.data_licence)
    files = {
        RECORD: found.raw,
        CONFIG: f"{json.dumps(record.config, indent=1, ensure_ascii=False)}\n".encode(),
        TOKENIZER: found.artifacts[tokenizer_name(record)],
        SAMPLES: f"{record.sample.text}\n".encode() if record.sample else b"",
        CURVE: _curve(record),
        CARD: card.render(record, about, wanted.address, wanted.licence).encode(),
    }
    files |= {} if rows is None else {LOG: rows}
    files |= {} if about.repo is None else {RESULTS: _results(record, about, about.repo)}
    return record, files | {WEIGHTS: found.artifacts[weights_name(record)]}


def _paths(record: Record, rows: bytes | None) -> Iterator[str]:
    """Places in a record and a log that hold a path, with the path."""
    content = record.content()
    content.pop("sample")  # made up by the model
    for place, text in _texts(content, "record"):
        yield from (f"{place} has {brief(found)}" for found in _PATH.findall(text))
    found = _PATH.search((rows or b"").decode("utf-8", "replace"))
    yield from () if found is None else (f"{LOG} has {brief(found[0])}",)


def _texts(value: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(key, str):
                yield f"a key of {place}", key
            yield from _texts(inner, f"{place}.{key}")
    elif isinstance(value, str):
        yield place, value


def _results(record: Record, about: DataFacts, repo: str) -> bytes:
    """The hub's file of evaluation results, which its model page shows."""
    from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml
    from huggingface_hub.utils import yaml_dump

    score = record.score
    assert score is not None
    bound = ", an upper bound" if score.likelihood == "bound" else ""
    vocab = f"{record.tokenizer.vocab:,} tokens"
    text = f"{score.num_docs:,} held-out documents (SHA-256 {record.data.heldout_fingerprint[:12]})"
    copy = " of a local copy" if record.data.source == "local" else ""
    on = f"{text}{copy}, {record.budget_s / 60:g} min of training{bound}"
    values = {
        "bits_per_byte": (score.bits_per_byte, f"lower is better; {on}"),
        "perplexity": (score.perplexity, f"per token of a vocabulary of {vocab}; {on}"),
    }
    entries = [
        EvalResultEntry(
            dataset_id=repo,
            task_id=task,
            value=value,
            dataset_revision=about.revision,
            date=record.created,
            notes=notes,
        )
        for task, (value, notes) in values.items()
    ]
    return yaml_dump(eval_result_entries_to_yaml(entries)).encode()


def _curve(record: Record) -> bytes:
    """The smoothed training loss over the seconds of the budget, as a PNG image."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    from speedrun.records.curves import curve

    smooth, image = curve([record]), io.BytesIO()
    points = [(s, n) for s, n in record.train.loss_curve if n is not None]
    with rc_context({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(7.2, 3.6), layout="constrained")
        axes = figure.subplots()
        seconds = [share * record.budget_s for share, _ in points]
        axes.plot(seconds, [nats for _, nats in points], color="#9db8d9", lw=0.8)
        axes.plot(smooth.seconds, smooth.nats, color="#1f4e8c", lw=1.8)
        axes.set_xlabel("seconds of training")
        axes.set_ylabel("training loss, nats per token")
        axes.grid(alpha=0.3)
        figure.savefig(image, format="png", dpi=150, metadata={"Software": None})
    return image.getvalue()
