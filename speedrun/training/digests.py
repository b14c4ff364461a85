"""Digests of what is about to train: its code, the architecture's folder, and the recipe."""

from speedrun.models import code
from speedrun.models.loader import LoadedArchitecture
from speedrun.records.sections import Source
from speedrun.training import recipe_digest
from speedrun.training.request import CheckedRequest


def of_race(checked: CheckedRequest, architecture: LoadedArchitecture) -> Source:
    """The source of a record: the code as it was before it was imported."""
    found = code.at_import(architecture)
    return Source(
        digest=found.whole,
        architecture=found.folder,
        recipe=recipe_digest.of_request(checked),
        is_outside=code.is_outside(architecture),
    )
