"""Valid records made up for tests, changes to them, and runs and stores on disk."""

import copy
import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from leaderboard.attestations import Note, Submission, Verification
from speedrun.models.loader import own_names
from speedrun.records.schema import NEW_FIELDS, SCHEMA, Record, content_id, seal

NUM_BYTES, NUM_TOKENS = 1_602_449, 400_000
WEIGHTS = save({"weights": np.zeros(1, np.float32)})  # of a model
TOKENIZER = b'{"a": "tokenizer"}'

CONTENT: dict[str, Any] = {
    "created": "2026-01-02T03:04:05+00:00",
    "status": "complete",
    "arch": "transformer",
    "backend": "torch",
    "device": "cpu",
    "seed": 0,
    "num_params": 1_997_830,
    "num_params_non_embedding": 424_966,
    "budget_s": 300.0,
    "config": {
        "arch": "transformer",
        "recipe_name": "default",
        "budget_s": 300.0,
        "seed": 0,
        "model": {"vocab": 4096, "context": 256, "width": 128},
        "recipe": {"lr": 0.003, "batch_rows": 8, "compile": True},
        "data": {"vocab": 4096, "stride": 128},
        "name": "für",
    },
    "argv": ["--minutes", "5", "--arch", "transformer", "--params", "2M", "--seed", "0"],
    "code": {"commit": "0" * 40, "dirty": False, "version": "0.1.0"},
    "source": {
        "digest": "a" * 64,
        "architecture": "b" * 64,
        "recipe": "e" * 64,
        "is_outside": False,
    },
    "data": {
        "name": "tinystories",
        "source": "local",
        "train_fingerprint": "ff162777879ac30bc67d8a7838bb9c795315452fd08522734319b4c0e8f5927b",
        "heldout_fingerprint": "2ef0107d4687d76d8b1d96da8f3a9bdf5d1f7d99adb03bb85a2a42b08ceceabc",
        "num_dropped_duplicates": 3,
        "consumed_sha256": "1" * 64,
        "dropped_sha256": "2" * 64,
        "num_round_trips": 2000,
        "cache": "cold",
    },
    "tokenizer": {"vocab": 4096, "fingerprint": hashlib.sha256(TOKENIZER).hexdigest()},
    "hardware": {
        "class": "cpu-x86_64-2c-amx",
        "cpu": "A processor",
        "cores": 2,
        "memory_bytes": 8 << 30,
        "accelerator": None,
        "matmul_gflops": {"fp32": 100.5, "bf16": None},
        "features": ["amx", "avx512_bf16", "avx512", "avx2"],
        "physical_cores": 2,
        "cpu_quota": None,
        "memory_limit": None,
    },
    "host": {
        "matmul_before": 95.5,
        "matmul_after": 93.5,
        "stolen_share": 0.01,
        "others_share": 0.02,
    },
    "energy": {
        "source": "rapl",
        "joules": 7500.0,
        "mean_watts": 25.0,
        "peak_watts": 31.5,
        "temperature_max_c": 71.0,
        "throttled_share": 0.0,
    },
    "resumes": [],
    "versions": {"python": "3.11.7", "torch": "2.13.0"},
    "clock": {
        "startup_s": 1.0,
        "tokenizer_s": 0.0,
        "build_s": 0.1,
        "compile_s": 10.0,
        "warmup_s": 1.0,
        "train_s": 299.0,
        "data_wait_s": 1.0,
        "checkpoint_s": 0.1,
        "evaluate_s": 9.0,
        "sample_s": 1.0,
        "overshoot_s": 0.01,
        "suspended_s": 0.0,
    },
    "train": {
        "num_tokens": 1_000_000,
        "num_steps": 500,
        "epochs": None,
        "tokens_per_s": 1_000_000 / 300,
        "micro_batch_rows": 8,
        "peak_bytes": 1 << 30,
        "loss_curve": [[0.0, 8.3], [0.5, None], [1.0, 2.1]],
        "engine": {"precision": "bf16", "threads": 2},
        "events": [{"share": 0.5, "kind": "suspended", "what": "a stall"}],
    },
    "score": {
        "bits_per_byte": 0.75,
        "bits_per_byte_se": 0.001,
        "likelihood": "exact",
        "window": 256,
        "stride": 128,
        "num_docs": 2000,
        "num_bytes": NUM_BYTES,
        "num_tokens": NUM_TOKENS,
    },
    "sample": {"prompt": "Once", "text": "Once, a fox 🦊", "temperature": 0.8, "seed": 0},
    "weights_sha256": hashlib.sha256(WEIGHTS).hexdigest(),
}
BOUND = {
    "score.likelihood": "bound",
    "score.num_draws": 16,
    "score.bits_per_byte_mc_se": 0.001,
    "score.length_nats": 15_000.0,
}


def rescore(content: dict[str, Any], bits_per_byte: float) -> None:
    """Give a content this score, with all its parts."""
    score = content["score"]
    score["bits_per_byte"] = bits_per_byte
    score["nats"] = bits_per_byte * math.log(2) * score["num_bytes"]
    score["nats_per_token"] = score["nats"] / score["num_tokens"]
    score["perplexity"] = math.exp(score["nats_per_token"])
    error = score["bits_per_byte_se"] / bits_per_byte  # relative, of one spread over documents
    score["perplexity_se"] = error * score["nats_per_token"] * score["perplexity"]
    content["train"]["loss_curve"][-1][1] = 1.02 * score["nats_per_token"]


rescore(CONTENT, 0.75)


def put(content: Any, path: str, value: object) -> None:
    """Set `"train.loss_curve.0.1"` of plain values; `...` takes it away."""
    *sections, name = (int(part) if part.isdecimal() else part for part in path.split("."))
    for section in sections:
        content = content[section]
    if value is ...:
        del content[name]
    else:
        content[name] = value


def made(
    bits_per_byte: float = 0.75, seed: int = 0, changes: Mapping[str, object] | None = None
) -> Record:
    """`CONTENT` under this score and seed with weights of its own, then changes by path."""
    content = copy.deepcopy(CONTENT)
    rescore(content, bits_per_byte)
    content["seed"] = content["config"]["seed"] = seed
    if (given := repr((bits_per_byte, seed, changes))) != "(0.75, 0, None)":
        content["weights_sha256"] = hashlib.sha256(given.encode()).hexdigest()
    for path, value in (changes or {}).items():
        put(content, path, value)
    if content["score"] and "data.num_round_trips" not in (changes or {}):
        content["data"]["num_round_trips"] = content["score"]["num_docs"]
    if not any(path.startswith("energy") for path in changes or {}):
        fit_energy(content)
    if content["arch"] not in own_names() and "source.is_outside" not in (changes or {}):
        content["source"]["is_outside"] = True
    return seal(content)


def fit_energy(content: dict[str, Any]) -> None:
    """Give a content the energy that its time and device make."""
    energy, clock = content["energy"], content["clock"]
    energy["joules"] = energy["mean_watts"] * (clock["train_s"] + clock["data_wait_s"])
    energy["source"] = "rapl" if content["hardware"]["accelerator"] is None else "nvml"


def older(content: dict[str, Any], schema: int) -> dict[str, Any]:
    """The content as an older schema has it, without what is new since; to be resealed."""
    content = copy.deepcopy(content) | {"schema": schema}
    for since, sections in NEW_FIELDS.items():
        for section, names in sections.items() if schema < since else ():
            for name in names:
                del (content[section] if section else content)[name]
    for event in content["train"]["events"] if schema < 3 else ():
        del event["kind"]
    return content


def resealed(content: dict[str, Any]) -> str:
    """The text of a record file of any content, under the id that belongs to it."""
    rest = {key: value for key, value in content.items() if key != "id"}
    rest.setdefault("schema", SCHEMA)
    return json.dumps({**rest, "id": content_id(rest)})


def write_run(folder: Path, record: Record | str) -> Path:
    """The folder of a finished run, as `race` leaves it, with the weights of `CONTENT`."""
    folder.mkdir(parents=True, exist_ok=True)
    text = record if isinstance(record, str) else record.to_json()
    (folder / "record.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    (folder / "model.safetensors").write_bytes(WEIGHTS)
    (folder / "tokenizer.json").write_bytes(TOKENIZER)
    return folder


def add(store: Path, record: Record, **note: Any) -> None:
    """Put a record and, if it has a name or an author, its note into a local store."""
    store.mkdir(parents=True, exist_ok=True)
    (store / f"{record.id}.json").write_text(record.to_json(), encoding="utf-8")
    if note:
        add_note(store, submission(record.id, **note))


def add_note(store: Path, note: Note) -> None:
    """Put a note into a local store."""
    (store / note.file_name).write_text(note.to_json(), encoding="utf-8")


def submission(record: str, name: str | None = None, author: str | None = None) -> Submission:
    """A note on who entered a record."""
    submitted = "2026-01-03T00:00:00+00:00"
    return Submission(record=record, name=name, author=author, submitted=submitted)


BOTH = {"agrees": True, "difference": 0.0}
RESCORED = BOTH | {"backend": "torch", "device": "cpu", "checks": ["causal"], "failed": []}
RESCORED |= {"claimed_nats": 1.0, "found_nats": 1.0, "allowed": 0.1}
RERUN = BOTH | {"record": "b" * 64, "hardware_class": CONTENT["hardware"]["class"]}
RERUN |= {"claimed_bits_per_byte": 1.0, "found_bits_per_byte": 1.0}
RERUN |= {"noise": None, "num_seeds": 1, "p_value": None}


def verification(
    record: str, *, rescored: dict | None = None, rerun: dict | None = None, by: str = "Ann"
) -> Verification:
    """A verification with the parts that are given, as changes to `RESCORED` and `RERUN`."""
    return Verification.model_validate(
        {
            "record": record,
            "by": by,
            "verified": "2026-01-03T00:00:00+00:00",
            "hardware_class": "cpu-x86_64-2c-amx",
            "versions": {},
            "code": "0" * 40,
            "rescored": None if rescored is None else RESCORED | rescored,
            "leaks": None,
            "rerun": None if rerun is None else RERUN | rerun,
        }
    )


def snapshot(folder: Path) -> dict[str, bytes | str]:
    """Everything in a folder, to tell whether anything changed."""

    def content(path: Path) -> bytes | str:
        if path.is_symlink():
            return str(path.readlink())
        return path.read_bytes() if path.is_file() else "folder"

    return {str(path.relative_to(folder)): content(path) for path in sorted(folder.rglob("*"))}


def at(content: Any, path: str) -> Any:
    """The value at `"train.loss_curve.0.1"` of plain values."""
    for part in path.split("."):
        content = content[int(part) if part.isdecimal() else part]
    return content


def leaves(value: Any, path: str = "") -> Iterator[str]:
    """Paths of all plain values, list items included."""
    if isinstance(value, dict | list) and value:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in items:
            yield from leaves(inner, f"{path}.{key}" if path else str(key))
    else:
        yield path
