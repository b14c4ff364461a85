"""TODO."""

from collections.abc import Callable
from pathlib import Path

from speedrun.data.source import Source
from speedrun.system.paths import cache_dir


def open_source(path: str | None, notice: Callable[[str], None]) -> Source:
    """`path` if given, else TinyStories from the hub, else the storybook with a notice."""
    if path is not None:
        from speedrun.data.local import LocalFiles

        return LocalFiles(Path(path))
    from speedrun.data import hub

    why = hub.unreachable()
    if why is None:
        return hub.TinyStories(cache_dir() / "hub")
    if (cached := hub.TinyStories(cache_dir() / "hub", offline=why)).is_cached():
        notice(f"The hub does not answer ({why}): racing on the TinyStories cached here.")
        return cached
    notice(
        f"The hub does not answer ({why}): racing on the built-in storybook, a data set of its"
        " own that is never ranked with TinyStories. --data PATH takes a local copy."
    )
    from speedrun.data.storybook.source import Storybook

    return Storybook()
