"""Checks of a record's origin: commit, source, and what it says of the text that it read."""

import re
from collections.abc import Iterator

from leaderboard.checks.model import is_of_this_project
from speedrun.data.heldout import NONE_DROPPED
from speedrun.records.sanitize import brief
from speedrun.records.schema import Record

_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


def problems(record: Record) -> Iterator[str]:
    """A commit that is none, and facts of schema 4 that are missing or exclude each other."""
    if record.code.commit is not None and not _COMMIT.fullmatch(record.code.commit):
        yield f"its commit {brief(record.code.commit)} is no commit: those have 40 or 64 hex digits"
    if record.schema_version < 4:
        return
    assert record.source is not None and record.host is not None  # held by the schema
    if record.source.digest == record.source.architecture:
        yield "the digest of all its code is that of its architecture alone"
    if not record.source.is_outside and not is_of_this_project(record.arch):
        yield f"{brief(record.arch)} is no architecture of the project, but its code is not outside"
    yield from _data(record)
    host = record.host
    for name, share in (("stolen", host.stolen_share), ("others'", host.others_share)):
        if share is not None and not 0 <= share <= 1:
            yield f"the {name} share of processor time is {share:g}; shares are from 0 to 1"


def _data(record: Record) -> Iterator[str]:
    data, score = record.data, record.score
    if data.consumed_sha256 is None:
        yield "the hash of the tokens that it was trained on is missing"
    if (data.dropped_sha256 == NONE_DROPPED) != (data.num_dropped_duplicates == 0):
        num = data.num_dropped_duplicates
        yield f"{num} documents were dropped, which the hash of their text contradicts"
    if score is not None and data.num_round_trips != score.num_docs:
        yield (
            f"its tokenizer gave back {data.num_round_trips} of {score.num_docs} held-out"
            " documents; all are needed"
        )
