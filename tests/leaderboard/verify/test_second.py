"""The second held-out set: it finds a model fitted to the first, and accuses no honest one."""

import json
import shutil

import numpy as np
import pytest
import safetensors.numpy
from helpers import forged
from helpers.command_line import command
from helpers.forged import note_in
from helpers.made_records import add, add_note, made, verification

from leaderboard import index
from leaderboard.attestations import Verification
from leaderboard.checks import notes
from leaderboard.render import columns
from leaderboard.standing.boards import boards
from leaderboard.store import Store
from leaderboard.verify import second
from speedrun.data.heldout import HeldOut
from speedrun.data.local.source import LocalFiles
from speedrun.evaluation import score
from speedrun.evaluation.score import Documents, Measured, ScoringConfig
from speedrun.records.schema import Record
from speedrun.records.summary import summarize
from speedrun.training import validation
from speedrun.training.runs import restore

SECOND = {
    "num_docs": 2000,
    "bits_per_byte": 0.8,
    "difference": 0.05,
    "adjusted": 0.05,
    "adjusted_se": 0.004,
    "p_value": 1e-9,
    "is_explained": False,
}


def drawn(rng: np.random.Generator, num_docs: int, bias: float = 0.0, rare: float = 0.0):
    """Documents and their nats under a model; `bias` is its gain, `rare` that of rare words."""
    tokens, nats, num_bytes = [], [], []
    for _ in range(num_docs):
        length = int(rng.integers(60, 400))
        share = rng.beta(2, 8) + rare
        ids = np.where(rng.random(length) < share, rng.integers(100, 4000, length), 7)
        tokens.append(np.concatenate([[0], ids, [0]]).astype(np.int32))
        num_bytes.append(4.0 * length)
        difficulty = 1.0 + 6.0 * (ids >= 100).mean() + rng.normal(0, 0.1)
        nats.append(length * difficulty - bias * 4.0 * length)
    documents = Documents(tokens=tokens, num_bytes=np.array(num_bytes))
    return documents, Measured(nats=np.array(nats), of_a_bound={})


def test_the_honest_are_not_doubted_and_the_overfitted_are():
    """At p < 0.001, of 300 honest ones more than three are doubted once in 10,000 times."""
    rng = np.random.default_rng(0)
    honest = [second.compare(drawn(rng, 60), drawn(rng, 60)) for _ in range(300)]
    assert sum(not found.is_explained for found in honest) <= 3
    p_values = np.array([found.p_value for found in honest])
    assert 0.02 <= (p_values < 0.1).mean() <= 0.2 and 0.4 < np.median(p_values) < 0.6
    fitted = second.compare(drawn(rng, 200, bias=0.03), drawn(rng, 200))
    assert not fitted.is_explained
    assert fitted.adjusted == pytest.approx(0.03 / np.log(2), abs=4 * fitted.adjusted_se)


def test_rarer_words_in_the_second_set_are_not_overfitting():
    rng = np.random.default_rng(1)
    found = second.compare(drawn(rng, 300), drawn(rng, 300, rare=0.02))
    assert found.difference > 0.02 and abs(found.adjusted) < found.difference / 3
    assert found.is_explained


class _Stories:
    """A source with so many held-out documents, the 21st like the first."""

    def __init__(self, num_docs: int) -> None:
        self.documents = [f"Story {n if n != 20 else 0} of a fox." for n in range(num_docs)]

    def heldout(self, limit):
        return self.documents[:limit]


@pytest.mark.parametrize(
    ("scored", "there", "num"), [(20, 100, 19), (20, 35, 14), (20, 28, None), (20, 20, None)]
)
def test_its_documents_follow_the_scored_ones_and_equal_none(scored, there, num):
    source = _Stories(there)
    first = HeldOut(source.heldout(scored))
    later = second.documents_after(source, first, "exact")  # pyright: ignore[reportArgumentType]
    assert (later and len(later.documents)) == num
    assert later is None or not any(map(first.has, later.documents))


@pytest.mark.slow
def test_an_honest_run_is_within_what_sampling_explains(raced, stories, tmp_path):
    run = shutil.copytree(raced("transformer"), tmp_path / "run")
    done = command("verify", run, "--data", stories)
    shown = " ".join(done.out.split())
    assert done.code == 0 and "held-out documents from number 21 on" in shown, done
    assert "within what sampling explains" in shown
    note = note_in(run)
    assert note.schema_version == 2 and note.second is not None and note.second.is_explained
    assert note.second.num_docs == 20


@pytest.mark.slow
def test_a_model_trained_on_the_first_set_is_found(run, stories):
    """Its score is reproduced, so its record is confirmed, and doubted."""
    found = restore.load_run(run, "cpu")
    claim, heldout = found.record.score, HeldOut(LocalFiles(stories).heldout(20))
    assert claim is not None
    rows = validation.rows_of(heldout, found.tokenizer, found.model.context)
    config = ScoringConfig(context=claim.window, stride=claim.stride)
    documents, fitted = score.encode(heldout, found.tokenizer), claim
    for _ in range(10):  # a machine that trained it well leaves less to learn
        for _ in range(40):
            found.engine.step(rows, 0.2)
        fitted = score.score(found.checks().scorer(), documents, config)
        if fitted.bits_per_byte < 0.85 * claim.bits_per_byte:
            break
    assert fitted.bits_per_byte < 0.9 * claim.bits_per_byte
    (run / forged.WEIGHTS).write_bytes(safetensors.numpy.save(found.engine.weights()))
    forged.forge(run, scale=fitted.bits_per_byte / claim.bits_per_byte)
    done = command("verify", run, "--data", stories)
    shown = " ".join(done.out.split())
    assert done.code == 0 and "beyond what sampling explains" in shown, done
    note = note_in(run)
    assert note.agrees and note.second is not None
    assert note.second.difference > 0 and not note.second.is_explained


@pytest.mark.slow
def test_data_without_more_documents_are_said_to_have_none(run, stories, tmp_path):
    short = shutil.copytree(stories, tmp_path / "tales")
    lines = (short / "validation.jsonl").read_text().splitlines()
    (short / "validation.jsonl").write_text("\n".join(lines[:22]))
    done = command("verify", run, "--data", short)
    assert "too few documents after the 20 scored" in " ".join(done.out.split())
    note = note_in(run)
    assert note.second is None and note.schema_version == 1 and "second" not in note.content()


def noted(record: Record, changes: dict) -> Verification:
    """A note that confirms the record, with a second held-out set."""
    assert record.score is not None
    nats = {"claimed_nats": record.score.nats, "found_nats": record.score.nats}
    plain = verification(record.id, rescored=nats | {"allowed": 1e-4}, by="Bob")
    return Verification.model_validate(plain.content() | {"schema": 2, "second": SECOND | changes})


def test_a_note_says_which_schema_it_has_and_keeps_it():
    note = noted(made(), {})
    assert Verification.parse(note.to_json().encode(), "it") == note
    for schema, part in ((1, SECOND), (2, None)):
        content = note.content() | {"schema": schema, "second": part}
        with pytest.raises(ValueError, match="schema 2 is that of notes with a second"):
            Verification.parse(json.dumps(content).encode(), "it")
    older = verification("a" * 64, rescored={})
    assert older.content()["schema"] == 1 and "second" not in older.content()


@pytest.mark.parametrize(
    "changes", [{"is_explained": True}, {"p_value": 1e-90}, {"p_value": 1.5}, {"adjusted_se": -1.0}]
)
def test_a_note_whose_second_set_contradicts_itself_is_none(changes):
    record = made()

    def problems(changes):
        return notes.problems(noted(record, changes), summarize(record))

    assert problems({"p_value": 1e-30}) == []
    assert any("second held-out set" in line for line in problems(changes))


def test_a_doubt_moves_no_rank_and_is_shown(tmp_path):
    """The standing is the same with the note and without it, but for the sign."""
    records = [made(0.75 + 0.001 * seed, seed) for seed in range(3)]
    for record in records:
        add(tmp_path / "store", record)
    store = Store(str(tmp_path / "store"))

    def standing():
        found = index.read(store, None)
        assert not found.problems
        (board,) = boards(found.runs, found.submissions, found.verifications)
        return board.entries[0]

    before = standing()
    note = noted(records[0], {"p_value": 1e-30})
    add_note(tmp_path / "store", note)
    after = standing()
    assert (after.status, after.bits_per_byte) == (before.status, before.bits_per_byte)
    assert after.is_doubted and not before.is_doubted and after.mark == "rescored"
    assert "¶" in columns.label(after) and "¶" not in columns.label(before)
