"""The records that come with the project: whole, untouched, named by their content."""

from pathlib import Path

import pytest

from leaderboard import index, validate
from leaderboard.store import Store
from speedrun.records import schema
from speedrun.records.summary import summarize, unranked_because

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / "leaderboard" / "records"
RECORDS = sorted(path for path in FOLDER.glob("*.json") if len(path.stem) == 64)


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem[:8])
def test_a_record_is_whole_clean_and_ranks(path):
    found = schema.load(path)
    assert found.id == path.stem
    assert found.code.dirty is False
    assert unranked_because(found) is None
    assert not validate.problems(found)
    assert not validate.data_problems(summarize(found), index.known_data(Store(str(path.parent))))


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem[:8])
def test_its_headline_follows_from_its_parts(path):
    found = schema.load(path)
    assert found.score is not None
    per_byte = found.score.nats / found.score.num_bytes
    assert found.score.bits_per_byte == pytest.approx(per_byte / 0.6931471805599453)
    per_token = found.score.nats / found.score.num_tokens
    assert found.score.nats_per_token == pytest.approx(per_token)
    spent_s = found.clock.train_s + found.clock.data_wait_s
    assert found.train.tokens_per_s == pytest.approx(found.train.num_tokens / spent_s, rel=1e-3)


def test_there_are_some():
    assert len(RECORDS) >= 10
