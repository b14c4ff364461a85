"""`verify` through the command line: one line for what cannot be verified.

Of weights, tokenizers and configs that cannot be, one each is here; the others are in the tests of
`records.artifacts`, `data.tokenizer` and `training.restore`.
"""

import json
import os
import shutil
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


def no_weights(run: Path) -> None:
    (run / forged.WEIGHTS).write_bytes(b"\x80\x04\x95" + b"c" * 1000)  # a pickle
    forged.forge(run)


def other_shapes(run: Path) -> None:
    path = run / forged.WEIGHTS
    arrays = safetensors.numpy.load_file(path)
    path.write_bytes(safetensors.numpy.save({n: array.ravel() for n, array in arrays.items()}))
    forged.forge(run)


def other_weights(run: Path) -> None:
    raw = (run / forged.WEIGHTS).read_bytes()
    (run / forged.WEIGHTS).write_bytes(raw[:-1] + bytes([raw[-1] ^ 1]))


def other_record(run: Path) -> None:
    text = (run / forged.RECORD).read_text()
    (run / forged.RECORD).write_text(text.replace('"seed": 0', '"seed": 1', 1))


def other_tokenizer(run: Path) -> None:
    raw = json.loads((run / forged.TOKENIZER).read_text()) | {"normalizer": {"type": "Lowercase"}}
    (run / forged.TOKENIZER).write_text(json.dumps(raw))


@pytest.mark.parametrize(
    ("tamper", "says"),
    [
        (no_weights, "not a whole safetensors file"),
        (other_shapes, "has shape"),
        (other_weights, "SHA-256 differs"),
        (other_record, "its id does not match"),
        (other_tokenizer, "not the tokenizer that the record names"),
    ],
)
def test_changed_files_are_one_line(run, stories, tamper, says):
    tamper(run)
    for verb in (("verify", run, "--data", stories), ("sample", run)):
        assert says in refused(*verb)


def test_counts_made_to_come_round_are_one_line(counted, stories):
    """Numbers of n-grams whose sum overflows to the right one."""
    path, most = counted / forged.WEIGHTS, np.iinfo(np.int64).max
    arrays = safetensors.numpy.load_file(path)
    runs = arrays["counts.2"]
    runs[1, :3] = most, most, runs[1, :3].sum() + 2
    path.write_bytes(safetensors.numpy.save(arrays))
    forged.forge(counted)
    assert "does not share out" in refused("verify", counted, "--data", stories)


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("arch", "./evil", "is not installed"),
        ("arch", "lstm", "another architecture"),
        ("config.model", None, "its config has no model"),
        ("config.model.width", 2**63, "error: "),
        ("score", None, "there is no score to verify"),
        ("score.num_docs", 10**15, "allowed are 2 to"),
        ("score.stride", 0, "with a stride of 0"),
        ("score.stride", 2**52, "error: "),
        ("score.window", 10**9, "a window of"),
        ("tokenizer.vocab", 301, "the tokenizer's ids must be"),
        ("tokenizer.fingerprint", "0" * 64, "not the tokenizer that the record names"),
        ("num_params", 10, "holds"),
        ("num_params", 2**52, "error: "),
    ],
)
def test_a_record_that_cannot_be_is_one_line(
    run, stories, tmp_path, monkeypatch, path, value, says
):
    evil = tmp_path / "here" / "evil"
    evil.mkdir(parents=True)
    (evil / "__init__.py").write_text("raise SystemExit('it was executed')")
    monkeypatch.chdir(evil.parent)
    status = {"status": "diverged"} if path == "score" else {}
    forged.forge(run, {path: value, **status})
    assert says in refused("verify", run, "--data", stories)
    assert not list(run.glob(VERIFICATION))


def test_a_huge_number_of_bytes_ends_well(run, stories):
    forged.forge(run, {"score.num_bytes": 2**52})
    assert command("verify", run, "--data", stories).code == 1


def test_what_is_no_run_and_no_id_is_one_line(run, stories, tmp_path):
    assert "neither a folder nor an id" in refused("verify", "nowhere")
    assert "no record.json in it" in refused("verify", tmp_path)
    assert "unknown device" in refused("verify", run, "--data", stories, "--backend", "abacus")


def test_links_pipes_and_vast_weights_in_a_store_are_not_followed(run, stories, tmp_path):
    store, record = tmp_path / "store", load(run / forged.RECORD)
    kept = store / "weights" / f"{record.weights_sha256}.safetensors"
    kept.parent.mkdir(parents=True)
    shutil.copy(run / forged.RECORD, store / f"{record.id}.json")
    said = ("verify", record.id[:6], "--from", store, "--data", stories)
    assert "ask its author" in refused(*said)
    with kept.open("wb") as file:
        file.truncate(1 << 40)
    assert "too large" in refused(*said)
    kept.unlink()
    kept.symlink_to(run / forged.WEIGHTS)
    assert "cannot be read" in refused(*said)
    kept.unlink()
    os.mkfifo(kept)
    assert "not a plain file" in refused(*said)
    kept.unlink()
    elsewhere = kept.parent.rename(run / "weights")
    shutil.copy(run / forged.WEIGHTS, elsewhere / kept.name)
    kept.parent.symlink_to(elsewhere)
    assert "a link" in refused(*said)
