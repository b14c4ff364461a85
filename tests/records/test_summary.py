"""Summaries: every fact is the record's; configs that differ in the seed have one key."""

import json

import pytest
from helpers.made_records import BOUND, NUM_BYTES, made

from speedrun.records.summary import Summary, config_key, summarize


def test_a_summary_has_the_facts_of_its_record_and_survives_json():
    record = made(0.7, 5, {"hardware.class": "cuda-h100", "budget_s": 60.0})
    found = summarize(record)
    assert record.score is not None
    assert (found.id, found.seed, found.budget_s) == (record.id, 5, 60.0)
    assert (found.bits_per_byte, found.perplexity) == (0.7, record.score.perplexity)
    assert (found.num_docs, found.num_bytes, found.vocab) == (2000, NUM_BYTES, 4096)
    assert (found.hardware_class, found.recipe_name) == ("cuda-h100", "default")
    assert found.unranked_because is None and found.dirty is False
    assert summarize(made(0.7, changes=BOUND)).likelihood == "bound"
    assert Summary(*json.loads(json.dumps(list(found)))) == found
    without = summarize(made(changes={"score": None, "status": "diverged"}))
    assert (without.bits_per_byte, without.num_docs) == (0.0, 0)


@pytest.mark.parametrize(
    ("created", "shown"),
    [
        ("2026-01-02T03:04:05+02:00", "2026-01-02T01:04:05+00:00"),
        ("soon", "soon"),
        ("9999-12-31T23:59:59-23:00", "9999-12-31T23:59:59-23:00"),
    ],
)
def test_dates_are_brought_to_one_offset(created, shown):
    assert summarize(made(changes={"created": created})).created == shown


def test_the_config_without_its_seed_is_the_key():
    key = config_key(made())
    assert key == config_key(made(0.6, 9))
    for path, value in (("config.recipe.lr", 0.1), ("config.model.width", 64), ("config.x", 1)):
        assert config_key(made(changes={path: value})) != key
