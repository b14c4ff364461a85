"""Facts about the data of a run that its card states: licence, language, place on the hub.

The data are told by the fingerprint of their documents, never by their name.
"""

from dataclasses import dataclass

from leaderboard import data_sets
from speedrun.data.hub import failures, tinystories
from speedrun.records.schema import Record
from speedrun.records.summary import data_id

UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class DataFacts:
    """Licence of a data set, and its repository on the hub where the run's documents are known."""

    licence: str  # an identifier of the hub or SPDX, as far as there is one
    repo: str | None = None
    revision: str | None = None
    language: str | None = None


def facts(record: Record, licence: str | None) -> DataFacts:
    """Facts about the data of a record; `licence` is stated by whoever publishes it.

    Raises ValueError where it contradicts the licence of data that are known.
    """
    known = _known(record)
    if known is None:
        return DataFacts(licence=licence or UNKNOWN)
    if licence is not None and licence.lower() != known.licence.lower():
        raise ValueError(
            f"--data-license {licence}: the data of this run have the licence {known.licence};"
            " leave the option out"
        )
    return known


def _known(record: Record) -> DataFacts | None:
    train = data_id(record.data.train_fingerprint)
    named = {note.name for note in data_sets.of_project() if note.train_fingerprint == train}
    is_pinned = train == tinystories.FINGERPRINT
    if is_pinned or tinystories.TinyStories.name in named:
        return DataFacts(
            licence="cdla-sharing-1.0",
            repo=failures.REPO,
            revision=failures.REVISION if is_pinned else None,
            language="en",
        )
    if named:  # the storybook is the project's own, and under its licence
        return DataFacts(licence="apache-2.0", language="en")
    return None
