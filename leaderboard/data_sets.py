"""Data sets that a leaderboard knows: those of the project, and those that a first run opened.

No two tracks have one title: it is all that most readers see.
"""

import functools
import json
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from leaderboard.attestations import DataSet, one_line
from leaderboard.checks import validate
from speedrun.data.hub import tinystories
from speedrun.records.sanitize import brief
from speedrun.records.summary import Summary

_KNOWN = Path(__file__).with_name("known_data.json")


@functools.cache
def of_project() -> list[DataSet]:
    """The data sets that every leaderboard knows."""
    return [DataSet.model_validate(d) for d in json.loads(_KNOWN.read_text(encoding="utf-8"))]


def agreed(opened: Sequence[DataSet]) -> tuple[list[DataSet], list[DataSet]]:
    """The valid data sets, the project's first, and those that contradict others.

    Held-out documents have one size, and a title one held-out text. Where two notes of a store
    say different things nobody can tell which is right without the documents, so neither counts;
    the project's own always do.
    """
    own = of_project()
    said: dict[object, set[object]] = defaultdict(set)
    for note in opened:
        for about, what in _claims(note):
            said[about].add(what)
    said.update({about: {what} for note in own for about, what in _claims(note)})
    good = [note for note in opened if _is_named(note) and _is_alone(note, said)]
    return own + good, [note for note in opened if note not in good]


def opened_by(
    run: Summary, known: Sequence[DataSet], where: str, *, new_data: bool
) -> DataSet | None:
    """The data set that this run would be the first of, None where it is known.

    Raises ValueError for unknown data, unless `new_data` is set. The hub's is known by its name
    and revision: the first run of a number of held-out documents opens it, and `verify` confirms
    which documents these are.
    """
    if is_pinned := run.train_fingerprint == tinystories.FINGERPRINT:
        run = run._replace(data_name=tinystories.TinyStories.name)
    if not (problems := validate.data_problems(run, known)):
        return None
    try:
        one_line(run.data_name)
    except ValueError as error:
        raise ValueError(f"{where}: its data is called {brief(run.data_name)}: {error}") from None
    opened = DataSet(
        name=run.data_name,
        train_fingerprint=run.train_fingerprint,
        heldout_fingerprint=run.heldout_fingerprint,
        num_docs=run.num_docs,
        num_bytes=run.num_bytes,
    )
    said = {about: {what} for note in known for about, what in _claims(note)}
    hint = ""
    if not _is_alone(opened, said):
        if opened.heldout not in {data.heldout for data in known} and not is_pinned:
            hint = (
                f"; a track of {brief(run.data_name)} has this title: give the folder another name"
            )
    elif new_data or is_pinned:
        return opened
    else:
        hint = "; --new-data opens a track for it"
    raise ValueError(f"{where}: not accepted: {'; '.join(problems)}{hint}")


def _claims(note: DataSet) -> list[tuple[object, object]]:
    """Facts that may have one value only, with this note's: a size, and a title's documents."""
    name = " ".join(unicodedata.normalize("NFKC", note.name).casefold().split())
    title = name, note.train_fingerprint[:4], note.num_docs
    return [(note.heldout, note.size), (title, note.heldout)]


def _is_alone(note: DataSet, said: dict) -> bool:
    return all(said.get(about, {what}) == {what} for about, what in _claims(note))


def _is_named(note: DataSet) -> bool:
    """Whether the data of the hub has its name."""
    is_pinned = note.train_fingerprint == tinystories.FINGERPRINT
    return not is_pinned or note.name == tinystories.TinyStories.name
