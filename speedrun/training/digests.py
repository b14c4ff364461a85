"""Digests of what is about to train: its code, the architecture's folder, and the recipe."""

from speedrun.models import code
from speedrun.models.loader import LoadedArchitecture
from speedrun.records.sections import Source
from speedrun.training import recipe_digest
from speedrun.training.request import CheckedRequest


def of_race(checked: CheckedRequest, architecture: LoadedArchitecture) -> Source:
    """The source of a record, read before anything is trained."""
    return Source(
        digest=code.code_digest(architecture),
        architecture=code.folder_digest(architecture),
        recipe=recipe_digest.of_request(checked),
        is_outside=code.is_outside(architecture),
    )
