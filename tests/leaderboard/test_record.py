"""A record is whole, untouched and finite, or it is refused."""

import copy
import json

import pytest

from leaderboard import record as records
from leaderboard.record import content_id, load


@pytest.fixture
def path(record_of, tmp_path):
    path = tmp_path / "record.json"
    path.write_text(record_of().to_json(), encoding="utf-8")
    return path


def test_a_record_survives_the_way_to_disk(record_of, path):
    assert load(path) == record_of()
    assert content_id(json.loads(path.read_text())) == record_of().id


def leaves(value, at=()):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*at, key))
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from leaves(inner, (*at, i))
    else:
        yield at, value


def test_changing_any_field_is_noticed(path):
    whole = json.loads(path.read_text())
    for at, value in list(leaves(whole)):
        changed = copy.deepcopy(whole)
        inner = changed
        for key in at[:-1]:
            inner = inner[key]
        inner[at[-1]] = {str: "e" * 64, int: 77, float: 77.5, type(None): 7}[type(value)]
        if inner[at[-1]] == value:
            continue
        path.write_text(json.dumps(changed))
        with pytest.raises(ValueError, match=r"record\.json"):
            load(path)


@pytest.mark.parametrize("section", [None, "score", "clock", "train", "data"])
def test_unknown_and_missing_fields_are_refused(path, section):
    whole = json.loads(path.read_text())
    for change in ("add", "drop"):
        broken = copy.deepcopy(whole)
        inner = broken if section is None else broken[section]
        if change == "add":
            inner["stranger"] = 1
        else:
            inner.pop(sorted(inner)[-1])
        path.write_text(json.dumps(broken))
        with pytest.raises(ValueError, match=r"not a record|does not match"):
            load(path)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_not_finite_are_refused(path, number):
    path.write_text(path.read_text().replace('"bits_per_byte": 0.9', f'"bits_per_byte": {number}'))
    with pytest.raises(ValueError, match="not a record"):
        load(path)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"', "\x00"])
def test_what_is_no_record_is_refused_in_one_line(path, text):
    path.write_text(text)
    with pytest.raises(ValueError, match="not a record") as caught:
        load(path)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_too_large_is_not_read(path):
    path.write_text(" " * (records.MAX_RECORD_BYTES + 1))
    with pytest.raises(ValueError, match="larger than"):
        load(path)
