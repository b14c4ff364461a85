"""Choice of the data source of a run."""

from collections.abc import Callable
from pathlib import Path

from speedrun.data.source import Source
from speedrun.system.paths import cache_dir


def open_source(path: str | None, notice: Callable[[str], None]) -> Source:
    """Local files of `path`, else TinyStories from the hub or the cache, else the storybook."""
    if path is not None:
        from speedrun.data.local import LocalFiles

        return LocalFiles(Path(path))
    from speedrun.data import hub

    why = hub.unreachable()
    if why is None:
        return hub.TinyStories(cache_dir() / "hub")
    if (cached := hub.TinyStories(cache_dir() / "hub", offline=why)).is_cached():
        notice(f"The hub does not answer ({why}): using the TinyStories cached here.")
        return cached
    notice(
        f"The hub does not answer ({why}): using the built-in storybook, another data set,"
        " never ranked with TinyStories. --data PATH takes a local copy."
    )
    from speedrun.data.storybook.source import Storybook

    return Storybook()
