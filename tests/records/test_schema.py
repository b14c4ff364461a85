"""Records: whole, untouched and finite, or refused with the file's name."""

import copy
import json
import math

import pytest

from speedrun.records.files import read_runs
from speedrun.records.schema import MAX_RECORD_BYTES, Record, content_id, load, seal


@pytest.fixture
def write(tmp_path):
    """`write(content or text)` makes a record file and returns its path."""

    def written(content):
        path = tmp_path / "record.json"
        text = content if isinstance(content, str) else json.dumps(content)
        path.write_text(text, encoding="utf-8")
        return path

    return written


def refusal(path) -> str:
    with pytest.raises(ValueError) as caught:
        load(path)
    line = str(caught.value)
    assert line.startswith(f"{path}: ")
    assert "\n" not in line
    return line


def leaves(value, path=()):
    """Paths of all plain values, list items included."""
    if isinstance(value, dict | list) and value:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in items:
            yield from leaves(inner, (*path, key))
    else:
        yield path


def put(content, path, value) -> None:
    for key in path[:-1]:
        content = content[key]
    content[path[-1]] = value


def get(content, path):
    for key in path:
        content = content[key]
    return content


def resealed(content):
    return {**content, "id": content_id(content)}


def test_a_record_comes_back_as_it_was(make_record, write):
    record = make_record()
    assert len(record.id) == 64
    loaded = load(write(record.to_json()))
    assert loaded == record
    assert loaded.to_json() == record.to_json()
    assert seal(loaded.content()).id == record.id


def test_the_id_depends_on_content_alone(content):
    shuffled = json.loads(json.dumps(dict(reversed(content.items()))))
    assert seal(shuffled).id == seal(content).id
    assert seal({**content, "seed": 1}).id != seal(content).id


def test_a_record_without_score_or_commit_is_a_record(make_record, write):
    record = make_record({"status": "diverged", "score": None, "sample": None, "code.commit": None})
    assert load(write(record.to_json())) == record


def other_value(value):
    """Something near, of the same kind, so that the schema has nothing against it."""
    if value is None:
        return 1.5
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return value[:-1] + ("0" if value[-1] != "0" else "1")
    return value + 1 if isinstance(value, int) else math.nextafter(value, math.inf)


def test_any_changed_value_is_noticed(make_record, write):
    whole = make_record().content()
    paths = list(leaves(whole))
    assert len(paths) > 70
    for path in paths:
        changed = copy.deepcopy(whole)
        put(changed, path, other_value(get(whole, path)))
        with pytest.raises(ValueError, match=r"record\.json: (its id|not a record)"):
            load(write(changed))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("seed",), "0"),  # the same number, as text
        (("seed",), False),
        (("num_params",), 2_004_288.0),
        (("budget_s",), 300),
        (("code", "dirty"), 0),
    ],
)
def test_the_same_value_of_another_type_is_noticed(make_record, write, path, value):
    changed = make_record().content()
    put(changed, path, value)
    refusal(write(changed))
    if path != ("budget_s",):  # a whole number of seconds may be written so, under its own id
        assert "not a record" in refusal(write(resealed(changed)))


def test_a_key_that_stands_twice_is_refused(make_record, write):
    text = make_record().to_json().replace('"seed": 0,', '"seed": 9, "seed": 0,', 1)
    assert "twice" in refusal(write(text))


def test_an_unknown_field_is_refused(make_record, write):
    whole = make_record().content()
    for section in ((), ("score",), ("train", "events", 0)):
        changed = copy.deepcopy(whole)
        get(changed, section)["rank"] = 1
        assert "rank: Extra inputs are not permitted" in refusal(write(resealed(changed)))


def test_an_unknown_field_cannot_write_on_the_terminal(make_record, write):
    changed = {**make_record().content(), "a\nb\x1b[31m": 1}
    assert "\x1b" not in refusal(write(resealed(changed)))


def test_a_missing_field_is_refused(make_record, write):
    whole = make_record().content()
    del whole["config"]  # free inside
    del whole["versions"]
    for path in leaves(whole):
        if "engine" in path or isinstance(path[-1], int):
            continue
        changed = copy.deepcopy(make_record().content())
        del get(changed, path[:-1])[path[-1]]
        refusal(write(changed))


@pytest.fixture
def old(content):
    """`old(2)` is content as schema 2 has it: no argv, and events without a kind."""

    def made(schema, *whats):
        events = [{"share": 0.5, "what": what} for what in whats]
        rest = {key: value for key, value in content.items() if key != "argv"}
        return {"schema": schema, **rest, "train": {**content["train"], "events": events}}

    return made


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
def test_older_schemas_load_under_their_id_with_the_kinds_of_their_events(old, write, schema):
    saved = resealed(old(schema, *EVENTS))
    record = load(write(saved))
    assert (record.schema_version, record.argv, record.id) == (schema, [], saved["id"])
    assert [event.kind for event in record.train.events] == list(EVENTS.values())
    assert content_id(record.content()) == record.id


def test_fields_of_schema_3_are_unknown_before_and_required_since(old, write):
    assert "unknown before schema 3" in refusal(write(resealed({**old(2), "argv": []})))
    assert "argv is missing" in refusal(write(resealed(old(3))))
    assert "kind of an event is missing" in refusal(
        write(resealed({**old(3, "loss is nan"), "argv": []}))
    )


def test_another_schema_is_refused(make_record, write):
    changed = {**make_record().content(), "schema": 4}
    assert "schema: Input should be 1, 2 or 3" in refusal(write(resealed(changed)))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_what_is_no_number_is_refused_wherever_it_stands(make_record, write, number):
    whole = make_record().content()
    for path in leaves(whole):
        if not isinstance(get(whole, path), float | None):
            continue
        changed = copy.deepcopy(whole)
        put(changed, path, "HERE")
        refusal(write(json.dumps(changed).replace('"HERE"', number)))
    # Nor where anything may stand, and not under the id of a null either.
    for path in (("config", "x"), ("train", "engine", "x")):
        changed = copy.deepcopy(whole)
        put(changed, path, None)
        put(changed := resealed(changed), path, "HERE")
        refusal(write(json.dumps(changed).replace('"HERE"', number)))


@pytest.mark.parametrize("path", ["score.nats", "train.engine.x", "config.x", "budget_s"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_number_is_never_sealed(make_record, path, value):
    with pytest.raises(ValueError):
        make_record({path: value})


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("budget_s", -1.0),
        ("num_params", -1),
        ("clock.train_s", -0.1),
        ("status", "won"),
        ("weights_sha256", "d" * 63),
        ("data.train_fingerprint", "A" * 64),
        ("data.source", "somewhere"),
        ("score.likelihood", "guess"),
    ],
)
def test_values_outside_the_schema_are_never_sealed(make_record, path, value):
    with pytest.raises(ValueError):
        make_record({path: value})


def test_a_record_cannot_be_changed(make_record):
    record = make_record()
    with pytest.raises(ValueError):
        record.seed = 1


def test_an_oversized_file_is_refused_unread(make_record, write):
    changed = make_record().content()
    changed["sample"]["text"] = "x" * MAX_RECORD_BYTES
    assert "larger than a record may be" in refusal(write(resealed(changed)))


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '"record"', "[" * 100_000, '{"id": "\\ud800"}', "{}"]
)
def test_what_is_no_record_is_refused(write, text):
    assert "not a record" in refusal(write(text))


def test_a_file_that_is_not_utf8_is_refused(tmp_path):
    path = tmp_path / "record.json"
    path.write_bytes(b'{"id": "\xff"}')
    assert refusal(path) == f"{path}: not a record (not UTF-8)"


def test_broken_records_are_passed_by_when_runs_are_listed(make_record, tmp_path):
    records = [make_record({"seed": seed}) for seed in range(3)]
    texts = [records[0].to_json(), records[1].to_json().replace("0.75", "0.57"), "{"]
    for name, text in zip(("good", "forged", "torn"), texts, strict=True):
        (tmp_path / name).mkdir()
        (tmp_path / name / "record.json").write_text(text)
    inner = tmp_path / "sweep" / "seed-2"
    inner.mkdir(parents=True)
    (inner / "record.json").write_text(records[2].to_json())
    found = list(read_runs(tmp_path))
    assert found == [(tmp_path / "good", records[0]), (inner, records[2])]
    assert all(isinstance(record, Record) for _, record in found)
    assert list(read_runs(tmp_path / "nowhere")) == []
