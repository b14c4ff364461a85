"""Addresses of models on the hub."""

import pytest

from speedrun.data.hub import repos
from speedrun.records.sanitize import is_sanitized

GOOD = [
    ("hf://ada/model", ("ada/model", None)),
    ("hf://ada/model@main", ("ada/model", "main")),
    ("hf://Ada-1/my.model_2@refs/pr/1", ("Ada-1/my.model_2", "refs/pr/1")),
]


@pytest.mark.parametrize(("text", "parts"), GOOD)
def test_an_address_has_a_name_and_perhaps_a_revision(text, parts):
    found = repos.parse(text)
    assert (found.id, found.revision) == parts and str(found) == text


@pytest.mark.parametrize(
    "text",
    [
        *("hf:", "hf://", "hf://model", "hf://ada/", "hf:/ada/model", "hf://datasets/ada/model"),
        *("hf://ada/model@", "hf://ada/model@a..b", "hf://ada/model@-x", "hf://ada/mo del"),
        *(
            "hf://ada/model.git",
            "hf://ada/a--b",
            "hf://../x",
            "hf://ada/\u202e",
            "hf://ada/e\u0301",
        ),
    ],
)
def test_anything_else_is_refused_in_one_line(text):
    assert repos.is_address(text)
    with pytest.raises(
        ValueError, match=r"give hf://user/name or hf://user/name@revision"
    ) as error:
        repos.parse(text)
    assert "\n" not in str(error.value) and is_sanitized(str(error.value))


@pytest.mark.parametrize("text", ["runs/RUN", "0123abcd", "s3://a/b", "/hf:/x"])
def test_folders_and_ids_are_no_addresses(text):
    assert not repos.is_address(text)
