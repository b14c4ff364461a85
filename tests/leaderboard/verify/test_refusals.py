"""`verify` through the command line: one line for what cannot be verified."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from helpers import folders, forged
from helpers.command_line import command, refused

from leaderboard.submit import VERIFICATION
from speedrun.records.schema import load

pytestmark = pytest.mark.slow


def test_a_folder_that_cannot_be_written_is_one_line(run, stories, monkeypatch):
    def full(self, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    assert "cannot write the verification" in refused("verify", run, "--data", stories)


def test_other_held_out_documents_are_one_line(run, tmp_path):
    other = folders.write_stories(tmp_path / "other.jsonl")
    assert "not those of the record" in refused("verify", run, "--data", other)
    assert not list(run.glob(VERIFICATION))


def test_changed_weights_are_refused(run, stories):
    raw = bytearray((run / forged.WEIGHTS).read_bytes())
    raw[-1] ^= 1
    (run / forged.WEIGHTS).write_bytes(raw)
    for verb in (("verify", run, "--data", stories), ("sample", run)):
        assert "SHA-256 differs" in refused(*verb)


def test_a_changed_record_is_refused(run, stories):
    text = (run / forged.RECORD).read_text()
    (run / forged.RECORD).write_text(text.replace('"seed": 0', '"seed": 1', 1))
    assert "its id does not match" in refused("verify", run, "--data", stories)


def test_another_tokenizer_is_refused(run, stories):
    raw = json.loads((run / forged.TOKENIZER).read_text())
    raw["normalizer"] = {"type": "Lowercase"}
    (run / forged.TOKENIZER).write_text(json.dumps(raw))
    assert "not plain byte-level BPE" in refused("verify", run, "--data", stories)
    (run / forged.TOKENIZER).write_text("[" * 10**6)
    assert "no tokenizer of a race" in refused("sample", run)


HOSTILE_WEIGHTS = {
    "pickle": (b"\x80\x04\x95" + b"c" * 1000, "not a whole safetensors file"),
    "huge header": (forged.safetensors_bytes({}, length=2**62), "not a whole safetensors file"),
    "truncated": (None, "not a whole safetensors file"),
}


@pytest.mark.parametrize("case", HOSTILE_WEIGHTS)
def test_weights_that_are_none_are_one_line(run, stories, case):
    raw, says = HOSTILE_WEIGHTS[case]
    path = run / forged.WEIGHTS
    path.write_bytes(path.read_bytes()[:-4] if raw is None else raw)
    forged.resealed(run)
    assert says in refused("verify", run, "--data", stories)
    assert says in refused("sample", run)


def rearranged(run: Path, change) -> None:
    path = run / forged.WEIGHTS
    arrays = change(safetensors.numpy.load_file(path))
    path.write_bytes(safetensors.numpy.save(arrays))
    forged.resealed(run)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda a: {f"x{n}": w for n, w in a.items()}, "weights do not fit the model"),
        (lambda a: {n: w.ravel() for n, w in a.items()}, "has shape"),
        (lambda a: {n: w * np.float32("nan") for n, w in a.items()}, "not finite"),
        (lambda a: {n: w.astype(np.float16) for n, w in a.items()}, "float16"),
    ],
    ids=["names", "shapes", "NaN", "type"],
)
def test_weights_of_another_model_are_one_line(run, stories, change, says):
    rearranged(run, change)
    assert says in refused("verify", run, "--data", stories)


def test_counts_made_to_come_round_are_one_line(raced, stories, tmp_path):
    """Numbers of n-grams whose sum overflows to the right one."""
    run = forged.copied(raced("ngram"), tmp_path / "run")

    def overflowing(arrays):
        runs = arrays["counts.2"]
        most = np.iinfo(np.int64).max
        runs[1, :3] = most, most, runs[1, :3].sum() + 2
        return arrays

    rearranged(run, overflowing)
    assert "does not share out" in refused("verify", run, "--data", stories)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"arch": "../../evil"}, "is not installed"),
        ({"arch": "./evil"}, "is not installed"),
        ({"arch": "mamba"}, "is not installed"),
        ({"arch": "lstm"}, "another architecture"),
        ({"config.model": None}, "its config has no model"),
        ({"config.model.width": "16"}, "config.model.width"),
        ({"config.model.context": 2**30}, "GiB"),
        ({"config.model.depth": ...}, "another architecture"),
        ({"score": None, "status": "diverged"}, "has no score to verify"),
        ({"score.num_docs": 10**15}, "allowed are 2 to"),
        ({"score.stride": 0}, "with a stride of 0"),
        ({"score.window": 10**9}, "a window of"),
        ({"tokenizer.vocab": 301}, "the tokenizer's ids must be"),
        ({"tokenizer.fingerprint": "0" * 64}, "not the tokenizer that the record names"),
        ({"num_params": 10}, "holds"),
    ],
    ids=str,
)
def test_a_record_that_cannot_be_is_one_line(run, stories, tmp_path, monkeypatch, change, says):
    evil = tmp_path / "here" / "evil"
    evil.mkdir(parents=True)
    (evil / "__init__.py").write_text("raise SystemExit('it was executed')")
    monkeypatch.chdir(evil.parent)
    forged.resealed(run, change)
    assert says in refused("verify", run, "--data", stories)
    assert not list(run.glob(VERIFICATION))


@pytest.mark.parametrize(
    ("path", "number"),
    [
        ("num_params", 2**52),
        ("seed", 10**400),
        ("train.num_tokens", 2**52),
        ("score.num_bytes", 2**52),
        ("score.num_docs", 2**52),
        ("score.window", 2**52),
        ("score.stride", 2**52),
        ("config.data.stride", 10**400),
        ("config.model.width", 2**63),
        ("num_params_non_embedding", 2**63),
    ],
)
def test_huge_numbers_end_well(run, stories, path, number):
    try:
        forged.resealed(run, {path: number})
    except ValueError:
        return  # not a record
    assert command("verify", run, "--data", stories).code in (0, 1, 2)


def test_what_is_no_run_and_no_id_is_one_line(run, stories, tmp_path):
    assert "neither a folder nor an id" in refused("verify", "nowhere")
    assert "neither a folder nor an id" in refused("verify", "abc")
    assert "no record.json in it" in refused("verify", tmp_path)
    assert "--by" in refused("verify", run, "--data", stories, "--by", "two\nlines")
    assert "unknown device" in refused("verify", run, "--data", stories, "--backend", "abacus")


@pytest.fixture
def stored(run, tmp_path) -> tuple[Path, Path]:
    """A store with the run's record and weights, and the weights' file."""
    store, record = tmp_path / "store", load(run / "record.json")
    for folder in ("weights", "tokenizers"):
        (store / folder).mkdir(parents=True)
    (store / f"{record.id}.json").write_bytes((run / forged.RECORD).read_bytes())
    kept = store / "weights" / f"{record.weights_sha256}.safetensors"
    kept.write_bytes((run / forged.WEIGHTS).read_bytes())
    named = store / "tokenizers" / f"{record.tokenizer.fingerprint}.json"
    named.write_bytes((run / forged.TOKENIZER).read_bytes())
    return store, kept


def test_links_and_pipes_in_a_store_are_not_followed(stored, stories, run):
    store, kept = stored
    (name,) = (path.stem for path in store.glob("*.json"))
    said = ("verify", name, "--from", store, "--data", stories)
    kept.unlink()
    assert "ask its author" in refused(*said)
    kept.symlink_to(run / forged.WEIGHTS)
    assert "cannot be read" in refused(*said)
    kept.unlink()
    os.mkfifo(kept)
    assert "not a plain file" in refused(*said)
    kept.unlink()
    elsewhere = kept.parent.rename(run / "weights")
    (elsewhere / kept.name).write_bytes((run / forged.WEIGHTS).read_bytes())
    kept.parent.symlink_to(elsewhere)
    assert "a link" in refused(*said)


def test_oversized_weights_in_a_store_are_not_read_whole(stored, stories):
    store, kept = stored
    (name,) = (path.stem for path in store.glob("*.json"))
    with kept.open("wb") as file:
        file.truncate(1 << 40)
    said = ("verify", name[:6], "--from", store, "--data", stories)
    assert "too large" in refused(*said)
