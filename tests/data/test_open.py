"""Which source a run gets: the path asked for, else the hub, else what is cached, else our own."""

import pytest

from speedrun.data import hub
from speedrun.data.open import open_source
from speedrun.system.paths import CACHE_VARIABLE, cache_dir


@pytest.fixture
def opened(monkeypatch):
    """`opened(why)` is the source where the hub does not answer because of `why`, and notices."""

    def source(why, path=None):
        said: list[str] = []
        monkeypatch.setattr(hub, "unreachable", lambda: why)
        return open_source(path, said.append), said

    return source


def test_a_path_is_opened_without_asking_the_hub(write_file, tmp_path, monkeypatch):
    monkeypatch.setattr(hub, "unreachable", lambda: pytest.fail("asked"))
    source = open_source(str(write_file("jsonl", tmp_path / "stories", ["a", "b"])), pytest.fail)
    assert (source.origin, source.name) == ("local", "stories")


def test_the_hub_is_taken_where_it_answers_else_the_storybook_is_announced(opened):
    tinystories, said = opened(None)
    assert (tinystories.origin, tinystories.name, said) == ("hub", "tinystories", [])
    storybook, (notice,) = opened("no route to host")
    assert (storybook.origin, storybook.name) == ("storybook", "storybook")
    assert "no route to host" in notice and "never ranked with TinyStories" in notice
    assert storybook.train_fingerprint != tinystories.train_fingerprint


def test_cached_tinystories_are_taken_before_the_storybook(opened):
    kept = cache_dir() / "hub" / f"heldout-{hub.REVISION[:8]}-2.json"
    kept.parent.mkdir(parents=True)
    kept.write_text('["one", "two"]')
    source, said = opened("no route to host")
    assert source.origin == "hub" and source.heldout(2) == ["one", "two"] and len(said) == 1
    # What was kept of another revision is another data set.
    kept.rename(kept.with_name("heldout-00000000-2.json"))
    assert opened("no route to host")[0].origin == "storybook"


def test_the_cache_lies_where_the_variable_says(monkeypatch, tmp_path):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    assert cache_dir() == tmp_path
    monkeypatch.delenv(CACHE_VARIABLE)
    assert cache_dir().is_absolute() and cache_dir().name == "speedrun"
