"""`verify` through the command line: what is not as its record says does not hold."""

from pathlib import Path

import pytest
import safetensors.numpy
from helpers import folders, forged
from helpers.command_line import command
from helpers.forged import note_in

from leaderboard.attestations import Verification


def finding(run: Path, stories: Path) -> tuple[Verification, str]:
    code, shown, errors = command("verify", run, "--data", stories)
    assert code == 1, shown + errors
    assert "The record does not hold." in shown
    note = note_in(run)
    assert not note.agrees
    return note, " ".join(shown.split())


@pytest.mark.parametrize("by", [0.9, 0.999, 1.001])
def test_a_forged_score_does_not_hold(run, stories, by):
    forged.resealed(run, forged.scaled_score(run, by))
    note, shown = finding(run, stories)
    assert note.rescored is not None and note.rescored.difference == pytest.approx(1 / by - 1)
    assert "the nats differ" in shown


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"score.num_bytes": 10**6}, "num_bytes is"),
        ({"score.bits_per_byte": 0.1}, "bits per byte, not 0.1"),
        ({"score.num_tokens": 5}, "tokens, the record says 5"),
        ({"score.likelihood": "bound"}, "likelihood is exact"),
        ({"score.nats": 1e-300}, "the nats differ"),
        ({"data.num_dropped_duplicates": 0}, "the record says that 0 were dropped"),
    ],
    ids=str,
)
def test_a_forged_part_does_not_hold(run, stories, change, says):
    forged.resealed(run, change)
    assert says in finding(run, stories)[1]


def test_weights_that_were_exchanged_do_not_hold(run, stories):
    """Other weights under a record that names them: whole, plain, and not so good."""
    path = run / forged.WEIGHTS
    arrays = safetensors.numpy.load_file(path)
    path.write_bytes(safetensors.numpy.save({n: a * 0.5 for n, a in arrays.items()}))
    forged.resealed(run)
    assert "the nats differ" in finding(run, stories)[1]


def test_a_model_that_looks_ahead_does_not_hold(run, stories, tmp_path):
    folder = folders.write(tmp_path / "transformer", folders.looking_ahead())
    code, shown, _ = command("verify", run, "--data", stories, "--arch", folder)
    assert code == 1 and "not causal" in shown


def test_a_tokenizer_that_loses_text_does_not_hold(run, stories, monkeypatch):
    from speedrun.data.tokenizer import Tokenizer

    encode = Tokenizer.encode
    monkeypatch.setattr(Tokenizer, "encode", lambda self, text: encode(self, text.lower()))
    assert "does not give back" in finding(run, stories)[1]
