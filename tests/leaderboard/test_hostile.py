"""Hostile and broken runs and stores: one clear line, exit code 2, nothing changed."""

import json

import pytest
from helpers.made_records import CONTENT, add, made, put, resealed, snapshot, write_run

from speedrun.records.sanitize import is_sanitized
from speedrun.records.schema import MAX_RECORD_BYTES

VALID = made()
TEXT = VALID.to_json()


def with_(path: str, value: object) -> str:
    """A record file with this value, under the id that belongs to it."""
    content = VALID.content()
    put(content, path, value)
    if path in content["config"]:
        content["config"][path] = value
    return resealed(content)


BROKEN = {
    "tampered": (TEXT.replace('"bits_per_byte": 0.75', '"bits_per_byte": 0.74'), "its id does not"),
    "resealed": (with_("score.bits_per_byte", 0.74), "its parts give"),
    "oversized": (" " * MAX_RECORD_BYTES + TEXT, str(MAX_RECORD_BYTES)),
    "nested": (with_("config.x", json.loads("[" * 300 + "]" * 300)), "not a record"),
    "raw surrogate": (TEXT.replace("Once", "\ud800"), "not UTF-8"),
    "long key": (with_("x\x1b[31m\u202e" * 20_000, 1), "Extra"),
    "a path for an id": (TEXT.replace(VALID.id, "../../x"), "(id."),
    "long config": (with_("config.arch", ["z" * 900_000]), "its config has"),
    "long name": (with_("arch", "x" * 400_000), "arch has 400000 characters"),
    "seed": (with_("seed", 10**400), "not within 0"),
    "nats": (with_("score.nats", 5e-324), "its parts give"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_is_refused(refused, tmp_path, case):
    text, says = BROKEN[case]
    run = write_run(tmp_path / "run", text)
    refused(says, "submit", run, "--to", tmp_path / "new" / "store")


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


SHOWN = "arch config.arch config.recipe_name sample.text backend device data.name code.version"
SHOWN += " hardware.cpu config.model.x train.events.0.what argv.3"


@pytest.mark.parametrize(
    "text", ["<script>\x1b[2J\x1b]0;x\a", "\u202egnp a\u200bb\na\nb | c\u2028", "Z" + "\u0301" * 50]
)
def test_what_strangers_wrote_is_shown_inert(command, tmp_path, text):
    changes = dict.fromkeys(SHOWN.split(), text) | {"versions": {text: text}}
    store = tmp_path / "store"
    run = write_run(tmp_path / "run", made(0.7, 0, changes))
    shown = ("leaderboard", "--from", store)
    for args in (
        ["submit", run, "--to", store],
        [*shown, "--check"],
        [*shown, "--format", "markdown"],
        [*shown, "--format", "json"],
        ["compare", run, write_run(tmp_path / "other", made(0.8, 1))],
    ):
        done = command(*args)
        assert done.code == 0 and is_sanitized((done.out + done.err).replace("\n", "")), args


def test_a_link_in_the_place_of_a_record_is_refused(command, refused, tmp_path):
    store = tmp_path / "store"
    store.mkdir()
    (tmp_path / "elsewhere.json").write_text(TEXT)
    (store / f"{VALID.id}.json").symlink_to(tmp_path / "elsewhere.json")
    refused("cannot be read", "submit", write_run(tmp_path / "run", VALID), "--to", store)
    assert command("leaderboard", "--from", store, "--check").code == 2


@pytest.mark.parametrize("folder", ["weights", "tokenizers"])
def test_a_link_in_the_place_of_a_folder_is_refused(refused, tmp_path, folder):
    store = tmp_path / "store"
    store.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (store / folder).symlink_to(tmp_path / "elsewhere")
    new = {"data.train_fingerprint": "e" * 64, "weights_sha256": CONTENT["weights_sha256"]}
    run = write_run(tmp_path / "run", made(changes=new))
    options = ("--with-weights", "--new-data")
    refused("a link, which may lead out", "submit", run, "--to", store, *options)


def test_a_record_changed_in_the_store_is_refused(refused, tmp_path):
    store, run = tmp_path / "store", write_run(tmp_path / "run", VALID)
    add(store, VALID)
    (store / f"{VALID.id}.json").write_text(BROKEN["tampered"][0])
    refused("its id does not match", "submit", run, "--to", store, "--name", "x", "--with-weights")
    (store / f"{VALID.id}.json").write_text(made(0.6).to_json())
    refused("holds the record", "submit", run, "--to", store)


@pytest.mark.parametrize("text", ["{}", "[" * 60_000, None])
def test_a_note_that_is_invalid_stops_a_submission(refused, tmp_path, text):
    store, other = tmp_path / "store", made(0.7, 1)
    add(store, other, name="of another")
    text_of_other = (store / f"{other.id}.submission.json").read_text()
    (store / f"{VALID.id}.submission.json").write_text(text_of_other if text is None else text)
    run = write_run(tmp_path / "run", VALID)
    refused("another record" if text is None else "not a submission", "submit", run, "--to", store)
    assert f"{VALID.id}.json" not in snapshot(store)
