"""Choice of the data source of a run."""

from collections.abc import Callable
from pathlib import Path

from speedrun.config import Data
from speedrun.data import token_cache
from speedrun.data.source import Source, SourceUnavailable
from speedrun.system.paths import cache_dir

STORYBOOK = "storybook"  # as --data has it; a folder of that name is ./storybook
_OTHERWISE = "--data PATH takes a local copy, --data storybook the built-in stories"


def open_source(wanted: Data, notice: Callable[[str], None], *, to_train: bool = True) -> Source:
    """The data asked for; without a path TinyStories from the hub or the cache.

    Where neither has it, the storybook, unless the data is not to be trained on: then, and where
    other settings would help, SourceUnavailable.
    """
    if wanted.path not in (None, STORYBOOK):
        from speedrun.data.local.source import LocalFiles

        source = LocalFiles(Path(wanted.path), wanted.text_field)
        source.announce(notice)
        return source
    if wanted.text_field is not None:
        raise ValueError(f"--text-field {wanted.text_field}: goes with --data PATH; leave it out")
    if wanted.path == STORYBOOK:
        return _storybook()
    from speedrun.data.hub import client, tinystories

    cache = cache_dir() / "hub"
    source = tinystories.TinyStories(cache)
    has_tokens = not to_train or token_cache.has_tokens(cache_dir() / "tokens", source.name)
    why = client.unreachable(notice) or source.look(wanted.eval_docs, train=not has_tokens)
    if why is None:
        return source
    source = tinystories.TinyStories(cache, offline=why)
    num = source.num_cached()
    if source.cached(wanted.eval_docs) is not None and has_tokens:
        notice(f"TinyStories cannot be read from the hub: {why}. Using what is cached here.")
        return source
    if num and has_tokens:
        raise SourceUnavailable(
            f"TinyStories cannot be read: {why}. Its first {num} held-out documents are cached:"
            f" --eval-docs {num} scores on them; {_OTHERWISE}"
        )
    if not to_train:
        raise SourceUnavailable(f"TinyStories cannot be read: {why}. {_OTHERWISE}")
    notice(
        f"TinyStories cannot be read: {why}. Using the built-in storybook, another data set, never"
        f" ranked with TinyStories; {_OTHERWISE}."
    )
    return _storybook()


def _storybook() -> Source:
    from speedrun.data.storybook.source import Storybook

    return Storybook()
