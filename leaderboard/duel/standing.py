"""The record holder of the track that a duel would be raced in."""

from collections.abc import Callable
from dataclasses import replace

from leaderboard import index
from leaderboard.duel.sides import DEFAULTS, OF_RECIPES, Given, Shared
from leaderboard.standing.boards import boards
from leaderboard.store import Store
from speedrun.backends import registry
from speedrun.data import heldout, open
from speedrun.models import loader
from speedrun.records.summary import data_id
from speedrun.records.track import Track
from speedrun.system import hardware
from speedrun.system.paths import cache_dir
from speedrun.text import parse_eval_docs, parse_minutes


def holder(side: Given, shared: Shared, store: Store, notice: Callable[[str], None]) -> Given:
    """The side with the record holder of this track; ValueError where there is none."""
    track = _track(shared, notice)
    found = index.read(store, cache_dir())
    for board in boards(found.runs, found.submissions, found.verifications, found.duels):
        if board.track == track:
            for entry in board.records:
                if not entry.is_bound:
                    return replace(side, name=entry.first.id)
    raise ValueError(
        f"--standing: no entry of {store.url} holds the record of this track ({track.label});"
        " name A with --a, or make the first record: three seeds and `submit`"
    )


def _track(shared: Shared, notice: Callable[[str], None]) -> Track:
    """The track of a race with these options on this machine."""
    words = {**DEFAULTS, **OF_RECIPES, **shared.words}
    architecture = loader.architecture(words["--arch"])
    device = registry.device(words["--backend"], architecture)
    limit = parse_eval_docs(words["--eval-docs"])
    source = open.open_source(replace(shared.data, eval_docs=limit), notice)
    split = heldout.pin(source, limit)
    return Track(
        data_name=source.name,
        train_fingerprint=data_id(source.train_fingerprint),
        heldout_fingerprint=split.fingerprint,
        num_docs=len(split.documents),
        budget_s=parse_minutes(words["--minutes"]),
        hardware_class=hardware.hardware_class(hardware.machine(), device.name, device.accelerator),
    )
