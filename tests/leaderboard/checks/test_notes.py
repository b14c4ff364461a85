"""Verification notes whose words and numbers do not go together are problems, honest ones none."""

import math

import pytest
from helpers.made_records import BOUND, add, add_note, made, verification, write_run

from leaderboard import index
from leaderboard.checks import notes
from leaderboard.store import Store
from speedrun.records.summary import summarize

RECORD = made()
RUN = summarize(RECORD)
assert RECORD.score is not None
NATS = RECORD.score.nats
SAME = {"claimed_nats": NATS, "found_nats": NATS, "allowed": 1e-4}
AGAIN = {"claimed_bits_per_byte": 0.75, "found_bits_per_byte": 0.75, "p_value": 0.5}
OFF = {**SAME, "found_nats": NATS * 1.5, "difference": 0.5}
WORSE = {**AGAIN, "found_bits_per_byte": 0.9, "difference": 0.2}
UNFOUND = {**SAME, "found_nats": None, "difference": None}
LEAKS = {"num_documents": 100, "num_equal": 3, "num_near": 0, "agrees": True}


def note(rescored=None, rerun=None, leaks=None, record=RECORD.id):
    found = verification(record, rescored=rescored, rerun=rerun)
    return found.model_copy(update={"leaks": leaks and notes.Leaks(**leaks)})


HONEST = [
    note(SAME),
    note({**SAME, "found_nats": NATS * (1 + 5e-5), "difference": 5e-5}),
    note({**OFF, "agrees": False, "failed": ["the nats differ"]}),
    note({**UNFOUND, "agrees": False, "failed": ["no finite score"]}),
    note({**SAME, "agrees": False, "failed": ["the model is not causal"]}),
    note(rerun=AGAIN),
    note(rerun={**WORSE, "agrees": False, "p_value": 0.001}),
    note(rerun={**WORSE, "hardware_class": "cuda-h100", "p_value": None}),
    note(leaks=LEAKS),
    note(leaks={**LEAKS, "num_equal": 9, "agrees": False}),
    note(leaks={**LEAKS, "num_equal": 2, "agrees": False}),
]
FORGED = {
    "a failed check that agrees": (note({**SAME, "failed": ["x"]}), "rescored agrees, but its"),
    "a large difference that agrees": (note(OFF), "rescored agrees, but its numbers do not"),
    "no score that agrees": (note(UNFOUND), "rescored agrees, but its numbers do not"),
    "a good score that does not": (note({**SAME, "agrees": False}), "does not agree, but its"),
    "any difference allowed": (note({**OFF, "allowed": 1.0}), "the most is 0.001"),
    "less than nothing allowed": (note({**SAME, "allowed": -1.0}), "the most is 0.001"),
    "the nats of another record": (
        note({**SAME, "claimed_nats": 1.0, "found_nats": 1.0}),
        "1 nats, which the record does not claim",
    ),
    "a difference made up": (note({**OFF, "difference": 0.0}), "not that of the nats"),
    "a difference left out": (note({**OFF, "difference": None}), "not that of the nats"),
    "a difference from nothing": (note({**UNFOUND, "difference": 0.0}), "it did not find"),
    "a rerun of another claim": (
        note(rerun={**AGAIN, "claimed_bits_per_byte": 0.5, "found_bits_per_byte": 0.5}),
        "which nobody claims",
    ),
    "a rerun that is the record": (note(rerun={**AGAIN, "record": RECORD.id}), "record itself"),
    "a rerun made better": (note(rerun={**WORSE, "difference": 0.0}), "not that of the bits"),
    "a bad rerun that agrees": (note(rerun=WORSE), "rerun agrees, but its numbers do not"),
    "an improbable rerun that agrees": (
        note(rerun={**AGAIN, "p_value": 0.001}),
        "rerun agrees, but its numbers do not",
    ),
    "a good rerun that does not": (note(rerun={**AGAIN, "agrees": False}), "does not agree"),
    "a probability above one": (note(rerun={**AGAIN, "p_value": 3.0}), "its p-value is 3"),
    "more found than searched": (note(leaks={**LEAKS, "num_near": 101}), "more documents than"),
    "text that was not dropped": (note(leaks={**LEAKS, "num_equal": 4}), "leaks agrees, but its"),
    "other tokens that agree": (
        note(leaks={**LEAKS, "consumed_agrees": False}),
        "leaks agrees, but its",
    ),
    "another record": (note(SAME, record="f" * 64), "a note on another record"),
}


@pytest.mark.parametrize("found", HONEST, ids=range(len(HONEST)))
def test_an_honest_note_has_nothing_against_it(found):
    assert notes.problems(found, RUN) == []


@pytest.mark.parametrize("kind", FORGED)
def test_a_forged_note_is_a_problem_and_counts_nowhere(command, refused, tmp_path, kind):
    found, says = FORGED[kind]
    assert says in "; ".join(notes.problems(found, RUN))
    if found.record != RECORD.id:
        return
    run = write_run(tmp_path / "run", RECORD)
    (run / "verification-x.json").write_text(found.to_json())
    refused(says, "submit", run, "--to", tmp_path / "store")
    add(tmp_path / "store", RECORD)
    add_note(tmp_path / "store", found)
    stored = index.read(Store(str(tmp_path / "store")), None)
    assert stored.verifications == {} and says in stored.problems[0]
    done = command("leaderboard", "--from", tmp_path / "store", "--check", "--format", "json")
    assert done.code == 2 and says in done.err


def test_the_draws_of_a_bound_may_differ_more():
    bound = summarize(made(0.75, 0, BOUND))
    part = {**SAME, "allowed": 0.02, "found_nats": NATS * 1.01, "difference": 0.01}
    assert notes.problems(note(part, record=bound.id), bound) == []
    assert notes.problems(note({**part, "allowed": math.pi}, record=bound.id), bound)


@pytest.mark.parametrize("format_", ["table", "markdown", "json", "html"])
def test_a_score_that_was_not_found_breaks_no_page(command, tmp_path, format_):
    add(tmp_path / "store", RECORD, author="Ann")
    add_note(tmp_path / "store", HONEST[3])
    to = ("--to", tmp_path / "page") if format_ == "html" else ()
    done = command("leaderboard", "--from", tmp_path / "store", "--format", format_, *to)
    assert done.code == 0, done.err
    pages = [page.read_text(encoding="utf-8") for page in (tmp_path / "page").rglob("*.html")]
    assert format_ != "html" or any("no finite score" in page for page in pages)
