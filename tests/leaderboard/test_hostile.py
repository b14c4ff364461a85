"""Hostile and broken runs and stores: one clear line, exit code 2, nothing changed."""

import copy
import json
import math

import pytest
from helpers.made_records import (
    CONTENT,
    add,
    changed,
    made,
    put,
    rescore,
    resealed,
    snapshot,
    write_run,
)

from speedrun.records.sanitize import is_sanitized
from speedrun.records.schema import MAX_RECORD_BYTES, seal

VALID = seal(CONTENT).content()
# Numbers that make a record look better; tests of `validate` have them all.
BETTER = {
    "score.bits_per_byte": 0.7425,
    "score.nats": 1_000.0,
    "seed": 1,
    "clock.train_s": 250.0,
    "data.heldout_fingerprint": "e" * 64,
}


@pytest.mark.parametrize("path", BETTER)
def test_a_tampered_number_is_refused(refused, tmp_path, path):
    content = copy.deepcopy(VALID)
    put(content, path, BETTER[path])
    for says, text in (("its id does not match", json.dumps(content)), ("", resealed(content))):
        run = write_run(tmp_path / "run", text)
        refused(says, "submit", run, "--to", tmp_path / "store")


def test_a_lower_score_that_follows_from_its_parts_needs_other_bytes(refused, tmp_path):
    """The bytes that a score divides by are those of the known documents."""
    content = copy.deepcopy(VALID)
    content["score"]["num_bytes"] *= 2
    rescore(content, content["score"]["nats"] / math.log(2) / content["score"]["num_bytes"])
    run = write_run(tmp_path / "run", resealed(content))
    refused("it divides by", "submit", run, "--to", tmp_path / "store")


NEST = {"x": json.loads("[" * 300 + "]" * 300)}
BROKEN = {
    "truncated": (seal(CONTENT).to_json()[:-40], "not a record"),
    "oversized": (" " * MAX_RECORD_BYTES + seal(CONTENT).to_json(), str(MAX_RECORD_BYTES)),
    "nested": (resealed({**VALID, "config": NEST}), "not a record"),
    "raw surrogate": (json.dumps(VALID).replace("Once", "\ud800"), "not UTF-8"),
    "long key": (resealed({**VALID, "x\x1b[31m\u202e" * 20_000: 1}), "Extra"),
    "a path for an id": (json.dumps({**VALID, "id": "../../x"}), "(id."),
    "long version": (resealed({**VALID, "versions": {"y" * 100_000: 1}}), "not a record"),
    "long config": (resealed({**VALID, "config": {"arch": ["z" * 900_000]}}), "its config has"),
    "long date": (resealed({**VALID, "created": "x" * 900_000}), "not a date"),
    "long name": (resealed({**VALID, "arch": "x" * 900_000}), "arch has 900000 characters"),
}
ENORMOUS = [
    ("seed", 10**400),
    ("score.num_tokens", 10**30),
    ("budget_s", 1e308),
    ("score.nats", 5e-324),
    ("train.epochs", -1e308),
]


def enormous(path, value) -> str:
    content = copy.deepcopy(VALID)
    put(content, path, value)
    if path in content["config"]:
        content["config"][path] = value
    return resealed(content)


@pytest.mark.parametrize(
    ("text", "says"),
    [*BROKEN.values(), *((enormous(*one), "not a") for one in ENORMOUS)],
    ids=[*BROKEN, *(path for path, _ in ENORMOUS)],
)
def test_a_broken_file_is_refused(refused, tmp_path, text, says):
    run = write_run(tmp_path / "run", text)
    refused(says, "submit", run, "--to", tmp_path / "new" / "store")
    assert not (tmp_path / "new").exists()


def test_perfect_and_hopeless_scores_can_be_shown(command, refused, tmp_path):
    """No model does so well, but every number follows: `verify` is what such a record fears."""
    store = tmp_path / "store"
    for seed in range(3):
        for place, bits in enumerate((1e-90 * (seed + 1), 1e-200, 35.0)):
            add(store, made(bits, seed, {"config.x": place}))
    for format_ in ("table", "markdown", "json"):
        assert command("leaderboard", "--from", store, "--format", format_).code == 0
    hopeless = write_run(tmp_path / "run", made(40.0, 7))
    refused("more than any guess", "submit", hopeless, "--to", store)


HOSTILE = ["<script>\x1b[2J\x1b]0;x\a", "\u202egnp a\u200bb", "a\nb | c\u2028", "Z" + "\u0301" * 50]
SHOWN = [
    "arch",
    "config.arch",
    "config.recipe_name",
    "sample.text",
    "backend",
    "device",
    "data.name",
    "code.version",
    "hardware.cpu",
    "config.model.x",
    "train.events.0.what",
    "argv.3",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_strangers_wrote_is_shown_inert(command, tmp_path, text):
    changes = dict.fromkeys(SHOWN, text) | {"versions": {text: text}}
    store = tmp_path / "store"
    run = write_run(tmp_path / "run", made(0.7, 0, changes))
    other = write_run(tmp_path / "other", made(0.8, 1))
    for args in (
        ["submit", run, "--to", store],
        ["leaderboard", "--from", store],
        ["leaderboard", "--from", store, "--format", "markdown"],
        ["leaderboard", "--from", store, "--format", "json"],
        ["leaderboard", "--from", store, "--check"],
        ["compare", run, other],
    ):
        done = command(*args)
        assert done.code == 0 and is_sanitized((done.out + done.err).replace("\n", "")), args


def test_a_link_in_the_place_of_a_record_is_refused(command, refused, tmp_path):
    record, store = seal(CONTENT), tmp_path / "store"
    store.mkdir()
    (tmp_path / "elsewhere.json").write_text(record.to_json())
    (store / f"{record.id}.json").symlink_to(tmp_path / "elsewhere.json")
    run = write_run(tmp_path / "run", record)
    refused("cannot be read", "submit", run, "--to", store)
    assert command("leaderboard", "--from", store, "--check").code == 2


@pytest.mark.parametrize("folder", ["weights", "tokenizers"])
@pytest.mark.parametrize("changes", [{}, {"data.train_fingerprint": "e" * 64}], ids=["", "new"])
def test_a_link_in_the_place_of_a_folder_is_refused(refused, tmp_path, folder, changes):
    store = tmp_path / "store"
    store.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (store / folder).symlink_to(tmp_path / "elsewhere")
    run = write_run(tmp_path / "run", seal(changed(changes)))
    options = ("--with-weights", "--new-data")
    refused("a link, which may lead out", "submit", run, "--to", store, *options)


def test_a_record_changed_in_the_store_is_refused(refused, tmp_path):
    record, store = seal(CONTENT), tmp_path / "store"
    run = write_run(tmp_path / "run", record)
    add(store, record)
    path = store / f"{record.id}.json"
    path.write_text(path.read_text().replace('"bits_per_byte": 0.75', '"bits_per_byte": 0.55'))
    refused("its id does not match", "submit", run, "--to", store, "--name", "x", "--with-weights")
    path.write_text(made(0.6).to_json())
    refused("holds the record", "submit", run, "--to", store)


@pytest.mark.parametrize("text", ["{}", "[" * 60_000, None])
def test_a_note_that_is_invalid_stops_a_submission(refused, tmp_path, text):
    record, store = seal(CONTENT), tmp_path / "store"
    add(store, made(0.7, 1), name="of another")
    other = (store / f"{made(0.7, 1).id}.submission.json").read_text()
    (store / f"{record.id}.submission.json").write_text(other if text is None else text)
    run = write_run(tmp_path / "run", record)
    refused("another record" if text is None else "not a submission", "submit", run, "--to", store)
    assert f"{record.id}.json" not in snapshot(store)
