"""Records: whole, untouched and finite, or refused in one line with the file's name."""

import copy
import json
import math

import pytest
from helpers.made_records import leaves, put, resealed

from speedrun.records.schema import MAX_RECORD_BYTES, content_id, load, seal


@pytest.fixture
def write(tmp_path):
    """`write(content or text)` makes a record file and returns its path."""

    def written(content):
        path = tmp_path / "record.json"
        text = content if isinstance(content, str) else json.dumps(content)
        path.write_text(text, encoding="utf-8")
        return path

    return written


@pytest.fixture
def whole(make_record):
    """The content of a valid record."""
    return make_record().content()


@pytest.fixture
def refusal(write):
    """`refusal(content or text)` is the line that refuses it."""

    def refused(content) -> str:
        path = write(content)
        with pytest.raises(ValueError) as caught:
            load(path)
        line = str(caught.value)
        assert line.startswith(f"{path}: ") and line.isprintable()
        return line

    return refused


def get(content, path):
    for key in path.split("."):
        content = content[int(key) if key.isdecimal() else key]
    return content


def without(content, path):
    changed = copy.deepcopy(content)
    section, _, name = path.rpartition(".")
    del (get(changed, section) if section else changed)[name]
    return changed


def test_a_record_comes_back_as_it_was(make_record, write):
    for changes in ({}, {"status": "diverged", "score": None, "sample": None, "code.commit": None}):
        record = make_record(changes)
        loaded = load(write(record.to_json()))
        assert loaded == record and len(record.id) == 64
        assert loaded.to_json() == record.to_json()
        assert seal(loaded.content()).id == record.id


def test_the_id_depends_on_content_alone(content):
    shuffled = json.loads(json.dumps(dict(reversed(content.items()))))
    assert seal(shuffled).id == seal(content).id
    assert seal({**content, "seed": 1}).id != seal(content).id


def other_value(value):
    """A value near by, of the same type, which the schema allows."""
    if value is None:
        return 1.5
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return value[:-1] + ("0" if value[-1] != "0" else "1")
    return value + 1 if isinstance(value, int) else math.nextafter(value, math.inf)


def test_any_changed_value_is_noticed(whole, refusal):
    paths = list(leaves(whole))
    assert len(paths) > 70
    for path in paths:
        changed = copy.deepcopy(whole)
        put(changed, path, other_value(get(whole, path)))
        assert "record.json: its id" in (line := refusal(changed)) or "not a record" in line


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("seed", "0"),  # the same number, as text
        ("seed", False),
        ("num_params", 2_004_288.0),
        ("budget_s", 300),
        ("code.dirty", 0),
    ],
)
def test_the_same_value_of_another_type_is_noticed(whole, refusal, path, value):
    put(whole, path, value)
    refusal(whole)
    if path != "budget_s":  # a whole number of seconds may be written so, under its own id
        assert "not a record" in refusal(resealed(whole))


@pytest.mark.parametrize("section", ["", "score.", "train.events.0."])
def test_an_unknown_field_is_refused(whole, refusal, section):
    (get(whole, section[:-1]) if section else whole)["rank"] = 1
    assert f"{section}rank: Extra inputs are not permitted" in refusal(resealed(whole))


OPTIONAL = ("id", "schema", "num_draws", "bits_per_byte_mc_se", "length_nats")
FREE = ("config.", "versions.", "train.engine.", "argv.", "train.loss_curve.")


def test_a_missing_field_is_refused(whole, refusal):
    paths = [p for p in leaves(whole) if not p.startswith(FREE) and p not in OPTIONAL]
    assert len(paths) > 60
    for path in [*paths, "config", "versions", "train.engine", "argv", "clock", "train.loss_curve"]:
        line = refusal(resealed(without(whole, path)))
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


def old(content, schema, *whats):
    """Content as an older schema has it: no argv, and events without a kind."""
    events = [{"share": 0.5, "what": what} for what in whats]
    rest = {key: value for key, value in content.items() if key != "argv"}
    return {**rest, "schema": schema, "train": {**content["train"], "events": events}}


@pytest.mark.parametrize("schema", [1, 2])
def test_older_schemas_load_under_their_id_with_the_kinds_of_their_events(content, write, schema):
    text = resealed(old(content, schema, *EVENTS))
    record = load(write(text))
    assert (record.schema_version, record.argv, record.id) == (schema, [], json.loads(text)["id"])
    assert [event.kind for event in record.train.events] == list(EVENTS.values())
    assert content_id(record.content()) == record.id


def test_fields_of_schema_3_are_unknown_before_and_required_since(content, refusal):
    assert "unknown before schema 3" in refusal(resealed({**old(content, 2), "argv": []}))
    assert "argv is missing" in refusal(resealed(old(content, 3)))
    assert "kind of an event is missing" in refusal(
        resealed({**old(content, 3, "loss is nan"), "argv": []})
    )
    assert "schema: Input should be 1, 2 or 3" in refusal(resealed({**content, "schema": 4}))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_what_is_no_number_is_refused_wherever_it_stands(whole, refusal, number):
    numbers = [p for p in leaves(whole) if isinstance(get(whole, p), float | None)]
    # Also where anything may stand, and under the id of a null.
    for path in [*numbers, "config.x", "train.engine.x"]:
        changed = copy.deepcopy(whole)
        if path not in numbers:
            put(changed, path, None)
            changed["id"] = content_id(changed)
        put(changed, path, "HERE")
        refusal(json.dumps(changed).replace('"HERE"', number))


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
    ],
)
def test_values_outside_the_schema_are_never_sealed(make_record, path, value):
    with pytest.raises(ValueError):
        make_record({path: value})


def test_a_record_cannot_be_changed(make_record):
    record = make_record()
    with pytest.raises(ValueError):
        record.seed = 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        *((t, "not a record") for t in ("", "{", "[]", "null", '"x"', "[" * 100_000, "{}")),
        ('{"id": "\\ud800"}', "not a record"),
        (lambda whole: json.dumps({**whole, "a\nb\x1b[31m": 1}), "Extra"),
        (lambda whole: json.dumps(whole).replace('"seed": 0', '"seed": 9, "seed": 0'), "twice"),
        (lambda whole: json.dumps(whole).replace("2004288", "1" * 5000), "not a record"),
        (lambda whole: json.dumps(whole) + " " * MAX_RECORD_BYTES, "larger than a record may be"),
    ],
)
def test_what_is_no_record_is_refused(whole, refusal, text, says):
    assert says in refusal(text(whole) if callable(text) else text)


def test_a_file_that_is_not_utf8_is_refused(tmp_path):
    path = tmp_path / "record.json"
    path.write_bytes(b'{"id": "\xff"}')
    with pytest.raises(ValueError, match=r"not a record \(not UTF-8\)"):
        load(path)
