"""Which source a run gets: the path asked for, else the hub, else what is cached, else our own."""

import json

import pytest

from speedrun.config import Data
from speedrun.data.heldout import HeldOut
from speedrun.data.hub import client, tinystories
from speedrun.data.open import open_source
from speedrun.data.source import SourceUnavailable
from speedrun.system.paths import CACHE_VARIABLE, cache_dir

TINYSTORIES = Data(eval_docs=2)


@pytest.fixture
def opened(monkeypatch):
    """`opened(why)` is the source where the hub cannot be read because of `why`, and notices."""

    def source(why, wanted=TINYSTORIES, **rest):
        said: list[str] = []
        monkeypatch.setattr(client, "unreachable", lambda notice: why)
        monkeypatch.setattr(tinystories.TinyStories, "look", lambda *_, **__: None)
        return open_source(wanted, said.append, **rest), said

    return source


TOKENS = {"num_tokens": 7, "sha256": "0" * 64}


@pytest.fixture
def cached():
    """TinyStories of an earlier race: two held-out documents and some tokens."""
    documents = ["one", "two"]
    kept = {"fingerprint": HeldOut(documents).fingerprint, "documents": documents}
    files: dict[str, object] = {f"hub/heldout-{tinystories.REVISION[:8]}-2.json": kept}
    files["tokens/tinystories-4096-0/state.json"] = TOKENS
    for name, content in files.items():
        (cache_dir() / name).parent.mkdir(parents=True)
        (cache_dir() / name).write_text(json.dumps(content))
    return cache_dir()


def test_a_path_is_opened_without_asking_the_hub(write_file, tmp_path, monkeypatch):
    monkeypatch.setattr(client, "unreachable", lambda notice: pytest.fail("asked"))
    path = write_file("jsonl", tmp_path / "stories", ["a", "b"])
    said: list[str] = []
    source = open_source(Data(path=str(path)), said.append)
    assert (source.origin, source.name) == ("local", "stories")
    assert len(said) == 1 and "2 documents in stories.jsonl" in said[0]


def test_the_storybook_is_raced_on_purpose_and_a_folder_of_its_name_by_its_path(
    write_file, tmp_path, monkeypatch
):
    monkeypatch.setattr(client, "unreachable", lambda notice: pytest.fail("asked"))
    monkeypatch.chdir(tmp_path)
    write_file("jsonl", tmp_path / "storybook" / "train", ["a", "b"])
    assert open_source(Data(path="storybook"), pytest.fail).origin == "storybook"
    assert open_source(Data(path="./storybook"), print).origin == "local"


def test_the_hub_is_taken_where_it_answers_else_the_storybook_is_announced(opened):
    found, said = opened(None)
    assert (found.origin, found.name, said) == ("hub", "tinystories", [])
    storybook, (notice,) = opened("no route to host")
    assert (storybook.origin, storybook.name) == ("storybook", "storybook")
    assert "no route to host" in notice and "never ranked with TinyStories" in notice
    assert storybook.train_fingerprint != found.train_fingerprint


def test_cached_tinystories_are_taken_before_the_storybook(opened, cached):
    source, (notice,) = opened("no route to host")
    assert source.origin == "hub" and source.heldout(2) == ["one", "two"]
    assert "no route to host" in notice and "cached" in notice
    # Without training tokens nothing could be trained.
    (cached / "tokens/tinystories-4096-0/state.json").write_text(
        '{"num_tokens": 7}'
    )  # without a hash
    assert opened("no route to host")[0].origin == "storybook"
    # What was kept of another revision is another data set.
    (cached / "tokens/tinystories-4096-0/state.json").write_text(json.dumps(TOKENS))
    (kept,) = (cached / "hub").glob("*.json")
    kept.rename(kept.with_name("heldout-00000000-2.json"))
    assert opened("no route to host")[0].origin == "storybook"


def test_fewer_cached_documents_than_asked_for_are_offered_not_replaced(opened, cached):
    with pytest.raises(SourceUnavailable, match="--eval-docs 2 scores on them"):
        opened("no route to host", Data(eval_docs=3))


def test_data_that_is_only_scored_is_never_replaced_by_the_storybook(opened, cached):
    (cached / "tokens/tinystories-4096-0/state.json").unlink()
    source, said = opened("no route to host", to_train=False)
    assert source.origin == "hub" and "storybook" not in " ".join(said)
    with pytest.raises(SourceUnavailable, match=r"no route to host.*--data PATH"):
        opened("no route to host", Data(eval_docs=3), to_train=False)


def test_data_that_is_only_scored_is_asked_for_where_nothing_is_cached(opened):
    with pytest.raises(SourceUnavailable, match=r"no route to host.*--data PATH"):
        opened("no route to host", to_train=False)


def test_the_cache_lies_where_the_variable_says(monkeypatch, tmp_path):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    assert cache_dir() == tmp_path
    monkeypatch.delenv(CACHE_VARIABLE)
    assert cache_dir().is_absolute() and cache_dir().name == "speedrun"
