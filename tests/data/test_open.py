"""Which source a run gets: the path asked for, else the hub, else what is cached, else our own."""

from pathlib import Path

import pytest

from speedrun.data import hub
from speedrun.data.open import open_source
from speedrun.system.paths import CACHE_VARIABLE, cache_dir


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def reason(monkeypatch):
    """`reason("...")` makes the hub unreachable for that reason, `reason(None)` reachable."""

    def because(why):
        monkeypatch.setattr(hub, "unreachable", lambda: why)

    return because


def test_a_path_is_opened_without_asking_the_hub(reason, said, write_file, tmp_path, monkeypatch):
    monkeypatch.setattr(hub, "unreachable", lambda: pytest.fail("asked"))
    source = open_source(str(write_file("jsonl", tmp_path / "stories", ["a", "b"])), said.append)
    assert (source.origin, source.name, said) == ("local", "stories", [])


def test_the_hub_is_taken_where_it_answers(reason, said):
    reason(None)
    source = open_source(None, said.append)
    assert (source.origin, source.name, said) == ("hub", "tinystories", [])


def test_the_storybook_is_announced_as_another_data_set(reason, said):
    reason("no route to host")
    source = open_source(None, said.append)
    assert (source.origin, source.name) == ("storybook", "storybook")
    (notice,) = said
    assert "no route to host" in notice
    assert "never ranked with TinyStories" in notice
    reason(None)
    assert source.train_fingerprint != open_source(None, said.append).train_fingerprint


def test_cached_tinystories_are_taken_before_the_storybook(reason, said):
    reason("no route to host")
    kept = cache_dir() / "hub" / f"heldout-{hub.REVISION[:8]}-2.json"
    kept.parent.mkdir(parents=True)
    kept.write_text('["one", "two"]')
    source = open_source(None, said.append)
    assert source.origin == "hub"
    assert source.heldout(2) == ["one", "two"]
    assert len(said) == 1
    # What was kept of another revision is another data set.
    kept.rename(kept.with_name("heldout-00000000-2.json"))
    assert open_source(None, said.append).origin == "storybook"


def test_the_cache_lies_where_the_variable_says(monkeypatch, tmp_path):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    assert cache_dir() == tmp_path
    monkeypatch.delenv(CACHE_VARIABLE)
    assert cache_dir().name == "speedrun"
    assert cache_dir() != Path("speedrun")
