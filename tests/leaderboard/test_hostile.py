"""Hostile and broken runs and stores: one clear line, exit code 2, nothing changed."""

import copy
import json
import math
from typing import Any

import pytest
from helpers.made_records import (
    CONTENT,
    add,
    changed,
    leaves,
    made,
    put,
    rescore,
    resealed,
    snapshot,
    write_run,
)

from speedrun.records.sanitize import is_sanitized
from speedrun.records.schema import MAX_RECORD_BYTES, content_id, parse, seal

VALID = seal(CONTENT).content()
HEADLINE = [
    "score.bits_per_byte",
    "score.perplexity",
    "score.nats",
    "score.nats_per_token",
    "score.num_bytes",
    "score.num_docs",
    "score.num_tokens",
    "score.window",
    "score.stride",
    "score.likelihood",
    "budget_s",
    "seed",
    "arch",
    "train.num_tokens",
    "train.tokens_per_s",
    "clock.train_s",
    "clock.overshoot_s",
    "clock.suspended_s",
    "tokenizer.vocab",
    "data.train_fingerprint",
    "data.heldout_fingerprint",
    "num_params",
]


def forged(path: str):
    """A valid content with one number that makes it look better."""
    content = copy.deepcopy(VALID)
    inner = content
    for section in path.split(".")[:-1]:
        inner = inner[section]
    value = inner[path.split(".")[-1]]
    better = {
        "likelihood": "bound",
        "arch": "lstm",
        "num_docs": 1999,
        "suspended_s": 5.0,
        "overshoot_s": 2.0,
        "num_params": 1000,
        "train_s": 250.0,
        "num_tokens": 1_100_000,
    }
    name = path.split(".")[-1]
    if name in better:
        inner[name] = better[name]
    elif isinstance(value, str):
        inner[name] = "e" * 64
    else:
        inner[name] = value * 2 + 1 if name in ("seed", "num_bytes") else value * 0.99
        if isinstance(value, int):
            inner[name] = int(inner[name])
    return content


@pytest.mark.parametrize("is_resealed", [False, True], ids=["its old id", "an id made to match"])
@pytest.mark.parametrize("path", HEADLINE)
def test_a_tampered_number_is_refused(refused, tmp_path, path, is_resealed):
    content = forged(path)
    says = "" if is_resealed else "its id does not match"
    text = resealed(content) if is_resealed else json.dumps(content)
    run = write_run(tmp_path / "run", text)
    refused(says, "submit", run, "--to", tmp_path / "store")


NEST = {"x": json.loads("[" * 300 + "]" * 300)}
BROKEN = {
    "truncated": (seal(CONTENT).to_json()[:-40], "not a record"),
    "empty": ("", "not a record"),
    "oversized": (" " * MAX_RECORD_BYTES + seal(CONTENT).to_json(), str(MAX_RECORD_BYTES)),
    "nested": ("[" * 100_000, "not a record"),
    "nested in a record": (resealed({**VALID, "config": NEST}), "not a record"),
    "a key twice": (seal(CONTENT).to_json().replace('"seed": 0', '"seed": 9, "seed": 0'), "twice"),
    "NaN": (json.dumps(VALID).replace("0.75", "NaN"), "NaN is not a number"),
    "infinite": (json.dumps(VALID).replace("0.75", "1e999"), "not a record"),
    "lone surrogate": (json.dumps(VALID).replace("Once", "\\ud800"), "not a record"),
    "raw surrogate": (json.dumps(VALID).replace("Once", "\ud800"), "not UTF-8"),
    "many digits": (json.dumps(VALID).replace("2004288", "1" * 5000), "not a record"),
}


@pytest.mark.parametrize(("text", "says"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_refused(refused, tmp_path, text, says):
    run = write_run(tmp_path / "run", text)
    refused(says, "submit", run, "--to", tmp_path / "store")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("seed", 10**400),
        ("num_params", 10**400),
        ("train.num_tokens", 10**400),
        ("score.num_bytes", 10**400),
        ("score.num_tokens", 10**30),
        ("tokenizer.vocab", 1 << 64),
        ("clock.train_s", 1e308),
        ("budget_s", 1e308),
        ("train.tokens_per_s", 1e308),
        ("score.nats", 1e308),
        ("score.nats", 5e-324),
        ("score.perplexity", 1e308),
        ("clock.train_s", 5e-324),
        ("train.epochs", -1e308),
    ],
)
def test_enormous_numbers_are_refused(refused, tmp_path, path, value):
    content = copy.deepcopy(VALID)
    put(content, path, value)
    if path in ("seed", "budget_s"):
        content["config"][path] = value
    run = write_run(tmp_path / "run", resealed(content))
    refused("not a", "submit", run, "--to", tmp_path / "store")


def test_perfect_and_hopeless_scores_can_be_shown(command, refused, tmp_path):
    """No model does so well, but every number follows: `verify` is what such a record fears."""
    for seed in range(3):
        for place, bits in enumerate((1e-90 * (seed + 1), 1e-200, 35.0)):
            add(tmp_path / "store", made(bits, seed, {"config.x": place}))
    for format_ in ("table", "markdown", "json"):
        assert command("leaderboard", "--from", tmp_path / "store", "--format", format_).code == 0
    hopeless = made(40.0, 7)
    refused(
        "more than any guess",
        "submit",
        write_run(tmp_path / "run", hopeless),
        "--to",
        tmp_path / "store",
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"rank": 1}, "rank: Extra"),
        ({"x\x1b[31m\u202e" * 20_000: 1}, "Extra"),
        ({"id": "../../x"}, "(id."),
        ({"id": "0" * 64}, "its id does not match"),
        ({"versions": {"y" * 100_000: 1}}, "not a record"),
        ({"config": {"arch": ["z" * 900_000]}}, "its config has arch"),
        ({"created": "x" * 900_000}, "not a date"),
        ({"arch": "x" * 900_000}, "arch has 900000 characters"),
        ({"schema": 4}, "schema: "),
    ],
    ids=range(9),
)
def test_a_record_of_strange_shape_is_refused(refused, tmp_path, change, says):
    content = {**VALID, **change}
    text = json.dumps(content) if "id" in change else resealed(content)
    refused(says, "submit", write_run(tmp_path / "run", text), "--to", tmp_path / "store")


FREE = ("config", "argv", "kind", "versions", "engine", "loss_curve", "id", "schema")
SINCE_SCHEMA_2 = ("num_draws", "bits_per_byte_mc_se", "length_nats")
NEEDED = [path for path in leaves(VALID) if not {*FREE, *SINCE_SCHEMA_2} & {*path.split(".")}]


@pytest.mark.parametrize("path", NEEDED)
def test_nothing_may_be_missing(path):
    content = copy.deepcopy(VALID)
    *sections, name = path.split(".")
    inner: Any = content
    for section in sections:
        inner = inner[int(section)] if section.isdecimal() else inner[section]
    del inner[name]
    with pytest.raises(ValueError, match=f"{name}: Field required"):
        parse(resealed(content).encode(), "there")


HOSTILE = [
    "<script>alert(1)</script>",
    "\x1b[2J\x1b]0;x\a",
    "\u202egnp",
    "a\u200bb",
    "a\nb | c",
    "Z" + "\u0301" * 50,
    "`x`",
    "\u2028",
    "\x9b2J",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_strangers_wrote_is_shown_inert(command, tmp_path, text):
    changes = {
        "arch": text,
        "config.arch": text,
        "config.recipe_name": text,
        "sample.text": text,
        "backend": text,
        "device": text,
        "data.name": text,
        "versions": {text: text},
        "code.version": text,
        "hardware.cpu": text,
        "config.model.x": text,
    }
    store = tmp_path / "store"
    run = write_run(tmp_path / "run", made(0.7, 0, changes))
    done = command("submit", run, "--to", store)
    assert done.code == 0 and is_sanitized(done.out.replace("\n", ""))
    for args in (
        ["leaderboard"],
        ["leaderboard", "--format", "markdown"],
        ["leaderboard", "--format", "json"],
        ["leaderboard", "--check"],
    ):
        done = command(*args, "--from", store)
        assert done.code == 0 and is_sanitized((done.out + done.err).replace("\n", ""))
    other = write_run(tmp_path / "other", made(0.8, 1))
    done = command("compare", run, other)
    assert done.code == 0 and is_sanitized(done.out.replace("\n", ""))


def test_a_link_in_the_place_of_a_record_is_refused(command, refused, tmp_path):
    record = seal(CONTENT)
    store = tmp_path / "store"
    store.mkdir()
    (tmp_path / "elsewhere.json").write_text(record.to_json())
    (store / f"{record.id}.json").symlink_to(tmp_path / "elsewhere.json")
    run = write_run(tmp_path / "run", record)
    refused("cannot be read", "submit", run, "--to", store)
    assert command("leaderboard", "--from", store, "--check").code == 2


@pytest.mark.parametrize("folder", ["weights", "tokenizers"])
def test_a_link_in_the_place_of_a_folder_is_refused(refused, tmp_path, folder):
    store = tmp_path / "store"
    store.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (store / folder).symlink_to(tmp_path / "elsewhere")
    for number, changes in enumerate(({}, {"data.train_fingerprint": "e" * 64})):
        run = write_run(tmp_path / f"run-{number}", seal(changed(changes)))
        refused(
            "a link, which may lead out",
            "submit",
            run,
            "--to",
            store,
            "--with-weights",
            "--new-data",
        )


def test_a_record_changed_in_the_store_is_refused(command, refused, tmp_path):
    run = write_run(tmp_path / "run", seal(CONTENT))
    store = tmp_path / "store"
    command("submit", run, "--to", store)
    path = store / f"{seal(CONTENT).id}.json"
    path.write_text(path.read_text().replace('"bits_per_byte": 0.75', '"bits_per_byte": 0.55'))
    refused("its id does not match", "submit", run, "--to", store, "--name", "x", "--with-weights")


def test_a_record_under_another_name_is_refused(refused, tmp_path):
    store = tmp_path / "store"
    store.mkdir()
    (store / f"{seal(CONTENT).id}.json").write_text(made(0.6).to_json())
    run = write_run(tmp_path / "run", seal(CONTENT))
    refused("holds the record", "submit", run, "--to", store)


@pytest.mark.parametrize("text", ["{}", "[" * 60_000, None])
def test_a_note_that_does_not_hold_stops_a_submission(refused, tmp_path, text):
    record, store = seal(CONTENT), tmp_path / "store"
    add(store, made(0.7, 1), name="of another")
    other = (store / f"{made(0.7, 1).id}.submission.json").read_text()
    (store / f"{record.id}.submission.json").write_text(other if text is None else text)
    run = write_run(tmp_path / "run", record)
    refused("another record" if text is None else "not a submission", "submit", run, "--to", store)


def test_a_lower_score_that_follows_from_its_parts_needs_other_bytes(refused, tmp_path):
    """The bytes that a score divides by are those of the known documents."""
    content = copy.deepcopy(VALID)
    content["score"]["num_bytes"] *= 2
    rescore(content, content["score"]["nats"] / math.log(2) / content["score"]["num_bytes"])
    run = write_run(tmp_path / "run", resealed(content))
    refused("it divides by", "submit", run, "--to", tmp_path / "store")
    assert content_id(content) != VALID["id"]


def test_what_was_refused_left_no_folder(refused, tmp_path):
    run = write_run(tmp_path / "run", "{")
    refused("not a record", "submit", run, "--to", tmp_path / "new" / "store")
    assert "new" not in snapshot(tmp_path)
