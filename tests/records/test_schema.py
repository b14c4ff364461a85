"""Records: whole, untouched and finite, or refused in one line with the file's name."""

import copy
import json
import math
from typing import Any

import pytest
from helpers.made_records import leaves, made, older, put, resealed

from speedrun.records.schema import (
    MAX_RECORD_BYTES,
    NEW_FIELDS,
    SCHEMA,
    content_id,
    load,
    parse,
    seal,
)


@pytest.fixture
def whole():
    """The content of a valid record, of a run that was resumed once."""
    return made(changes={"resumes": [60.5]}).content()


def refusal(content: dict | str) -> str:
    """The line that refuses a content or text."""
    text = content if isinstance(content, str) else json.dumps(content)
    with pytest.raises(ValueError) as caught:
        parse(text.encode(), "there")
    line = str(caught.value)
    assert line.startswith("there: ") and line.isprintable()
    return line


def get(content, path):
    for key in path.split("."):
        content = content[int(key) if key.isdecimal() else key]
    return content


def changed(content, path, value):
    other = copy.deepcopy(content)
    put(other, path, value)
    return other


def test_a_record_comes_back_as_it_was(tmp_path):
    for changes in ({}, {"status": "diverged", "score": None, "sample": None, "code.commit": None}):
        record = made(changes=changes)
        (tmp_path / "record.json").write_text(record.to_json(), encoding="utf-8")
        loaded = load(tmp_path / "record.json")
        assert loaded == record and len(record.id) == 64
        assert loaded.to_json() == record.to_json()
        assert seal(loaded.content()).id == record.id


def test_the_id_depends_on_content_alone(whole):
    shuffled = json.loads(json.dumps(dict(reversed(whole.items()))))
    assert seal(shuffled).id == whole["id"] != seal({**whole, "seed": 1}).id


def test_a_record_of_an_older_schema_is_sealed_again_under_its_own(whole):
    old = seal(older(whole, 4))
    assert (old.schema_version, old.energy, old.resumes) == (4, None, [])
    assert seal(old.content()).id == old.id != seal(whole).id


def other_value(value):
    """A value near by, of the same type, which the schema allows."""
    if value is None:
        return 1.5
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return value[:-1] + ("0" if value[-1] != "0" else "1")
    return value + 1 if isinstance(value, int) else math.nextafter(value, math.inf)


def test_any_changed_value_is_noticed(whole):
    paths = list(leaves(whole))
    assert len(paths) > 70
    for path in paths:
        line = refusal(changed(whole, path, other_value(get(whole, path))))
        assert "there: its id" in line or "not a record" in line


@pytest.mark.parametrize(
    ("path", "value"),
    [("seed", "0"), ("seed", False), ("num_params", 2e6), ("budget_s", 300), ("code.dirty", 0)],
)
def test_the_same_value_of_another_type_is_noticed(whole, path, value):
    put(whole, path, value)
    refusal(whole)
    if path != "budget_s":  # a whole number of seconds may be written so, under its own id
        assert "not a record" in refusal(resealed(whole))


@pytest.mark.parametrize("section", ["", "score.", "train.events.0."])
def test_an_unknown_field_is_refused(whole, section):
    line = refusal(resealed(changed(whole, f"{section}rank", 1)))
    assert f"{section}rank: Extra inputs are not permitted" in line


OPTIONAL = ("id", "schema", "num_draws", "bits_per_byte_mc_se", "length_nats")
LISTS = ("config.", "versions.", "train.engine.", "argv.", "train.loss_curve.")
FREE = (*LISTS, "hardware.features.", "resumes.")


def test_a_missing_field_is_refused(whole):
    paths = [p for p in leaves(whole) if not p.startswith(FREE) and p not in OPTIONAL]
    assert len(paths) > 60
    parts = ("config", "versions", "train.engine", "argv", "clock", "train.loss_curve", "resumes")
    for path in [*paths, *parts]:
        line = refusal(resealed(changed(whole, path, ...)))
        assert f"{path}: Field required" in line or "is missing" in line, path


EVENTS = {
    "out of memory (2 GiB); micro-batch now 4 rows": "out_of_memory",
    "the data ended: no more of it came within the budget": "data_ended",
    "the data did not come before the budget's end": "data_ended",
    "the documents ended early: the network is gone": "documents_ended",
    "every document was read once: ended at 3.3% of the budget": "epochs_done",
    "the machine slept or stood still for 4.2 s": "suspended",
    "loss is nan": "diverged",
    "something else": "other",
}


@pytest.mark.parametrize("schema", [1, 2])
def test_older_schemas_load_under_their_id_with_the_kinds_of_their_events(whole, schema):
    put(whole, "train.events", [{"share": 0.5, "kind": "other", "what": what} for what in EVENTS])
    text = resealed(older(whole, schema))
    record = parse(text.encode(), "there")
    assert (record.schema_version, record.argv, record.id) == (schema, [], json.loads(text)["id"])
    assert [event.kind for event in record.train.events] == list(EVENTS.values())
    assert content_id(record.content()) == record.id


@pytest.mark.parametrize("schema", [1, 2, 3, 4, 5])
def test_fields_are_unknown_before_their_schema_and_required_since(whole, schema):
    own = older(whole, schema) if schema < SCHEMA else whole
    assert parse(resealed(own).encode(), "there").content() == json.loads(resealed(own))
    for since, sections in NEW_FIELDS.items():
        paths = [f"{s}.{n}".removeprefix(".") for s, names in sections.items() for n in names]
        for path in paths:
            if schema < since:
                line = refusal(resealed(changed(own, path, get(whole, path))))
                assert f"{path} is unknown before schema {since}" in line
            else:
                assert f"{path} is missing" in refusal(resealed(changed(own, path, ...)))
    kind = "train.events.0.kind"
    value, says = (..., "missing") if schema >= 3 else ("other", "unknown before schema 3")
    assert f"the kind of an event is {says}" in refusal(resealed(changed(own, kind, value)))


def test_no_section_of_a_schema_is_null_and_no_schema_is_to_come(whole):
    for section in ("source", "host", "energy"):
        assert f"{section} is null" in refusal(resealed(changed(whole, section, None)))
    assert "schema: Input should be 1, 2, 3, 4 or 5" in refusal(resealed({**whole, "schema": 6}))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_what_is_no_number_is_refused_wherever_it_stands(number):
    # Also where anything may stand, and under the id of a null.
    whole = made(changes={"config.x": None, "train.engine.x": None}).content()
    for path in leaves(whole):
        if isinstance(get(whole, path), float | None):
            refusal(json.dumps(changed(whole, path, "HERE")).replace('"HERE"', number))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        *((path, math.nan) for path in ("score.nats", "train.engine.x", "config.x", "budget_s")),
        ("score.nats", math.inf),
        ("budget_s", -1.0),
        ("num_params", -1),
        ("clock.train_s", -0.1),
        ("status", "won"),
        ("weights_sha256", "d" * 63),
        ("data.train_fingerprint", "A" * 64),
        ("data.source", "somewhere"),
        ("score.likelihood", "guess"),
        ("train.events.0.kind", "a stall"),
        ("argv", "--seed 0"),
        ("energy.source", "a guess"),
        ("energy.joules", -1.0),
        ("energy.throttled_share", 1.5),
        ("resumes", [-1.0]),
    ],
)
def test_values_outside_the_schema_are_never_sealed(path, value):
    with pytest.raises(ValueError):
        made(changes={path: value})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        *((t, "not a record") for t in ("", "{", "[]", "null", '"x"', "[" * 100_000, "{}")),
        ('{"id": "\\ud800"}', "not a record"),
        (lambda whole: json.dumps({**whole, "a\nb\x1b[31m": 1}), "Extra"),
        (lambda whole: json.dumps(whole).replace('"seed": 0', '"seed": 9, "seed": 0'), "twice"),
        (lambda whole: json.dumps(whole).replace("1997830", "1" * 5000), "not a record"),
        (lambda whole: json.dumps(whole) + " " * MAX_RECORD_BYTES, "larger than a record may be"),
    ],
)
def test_what_is_no_record_is_refused(whole, text, says):
    given: Any = text(whole) if callable(text) else text
    assert says in refusal(given)


def test_a_file_that_is_not_utf8_is_refused():
    with pytest.raises(ValueError, match=r"not a record \(not UTF-8\)"):
        parse(b'{"id": "\xff"}', "there")
