"""The token cache: what a killed run leaves behind is cut back to its last saved state."""

import json
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from speedrun.data import loader as stream_module
from speedrun.data.loader import TokenStream
from speedrun.data.token_cache import TokenCache

TOKENS = np.arange(1000, dtype=np.uint16)


@pytest.fixture
def folder(tmp_path) -> Path:
    """A cache of 600 tokens, saved and closed."""
    cache = TokenCache(tmp_path / "cache")
    cache.append(TOKENS[:600])
    cache.num_dropped, cache.source_state = 3, {"doc": 60}
    cache.save()
    cache.close()
    return tmp_path / "cache"


def is_empty(cache: TokenCache) -> bool:
    cut = cache.folder / "tokens.bin"
    return (cache.num_tokens, cache.num_dropped, cache.source_state) == (0, 0, None) and (
        cut.stat().st_size == 0
    )


def test_reads_see_what_was_appended_so_far(tmp_path):
    cache = TokenCache(tmp_path)
    for start in range(0, 1000, 100):
        cache.append(TOKENS[start : start + 100])
        assert (cache.read(start // 2, start + 100) == TOKENS[start // 2 : start + 100]).all()
    assert len(cache.read(0, 0)) == 0
    cache.close()


def test_a_saved_cache_opens_as_it_was(folder):
    cache = TokenCache(folder)
    assert (cache.num_tokens, cache.num_dropped, cache.exhausted) == (600, 3, False)
    assert cache.source_state == {"doc": 60}
    cache.append(TOKENS[600:])
    assert (cache.read(0, 1000) == TOKENS).all()
    cache.close()


def test_tokens_after_the_last_save_are_cut_off(folder):
    with (folder / "tokens.bin").open("ab") as file:
        file.write(b"\xff" * 333)  # an odd number of bytes: a token torn in two
    cache = TokenCache(folder)
    assert cache.num_tokens == 600
    cache.append(TOKENS[600:])
    assert (cache.read(0, 1000) == TOKENS).all()
    cache.close()


def test_a_cache_without_state_begins_anew(folder):
    (folder / "state.json").unlink()
    cache = TokenCache(folder)
    assert is_empty(cache)
    cache.close()


@pytest.mark.parametrize("content", [b"", b'{"num_tok', b"[]", b"{}", b"\x00" * 80, b"\xff\xfe"])
def test_a_torn_state_begins_anew(folder, content):
    (folder / "state.json").write_bytes(content)
    cache = TokenCache(folder)
    assert is_empty(cache)
    cache.close()


@pytest.mark.parametrize("num_bytes", [0, 1199])
def test_a_cache_with_too_few_tokens_begins_anew(folder, num_bytes):
    with (folder / "tokens.bin").open("r+b") as file:
        file.truncate(num_bytes)
    cache = TokenCache(folder)
    assert is_empty(cache)
    cache.close()


def test_a_cache_without_tokens_begins_anew(folder):
    (folder / "tokens.bin").unlink()
    cache = TokenCache(folder)
    assert is_empty(cache)
    cache.close()


def test_a_cache_in_use_is_left_alone(folder):
    first, second = TokenCache(folder), TokenCache(folder)
    assert second.folder != folder
    assert is_empty(second)
    second.append(TOKENS[::-1])
    second.save()
    assert (second.read(0, 1000) == TOKENS[::-1]).all()
    private = second.folder
    second.close()
    assert not private.exists()
    assert (first.read(0, 600) == TOKENS[:600]).all()
    first.close()
    third = TokenCache(folder)
    assert third.folder == folder
    assert third.num_tokens == 600
    third.close()


def test_a_folder_that_cannot_be_made_gives_a_private_cache(tmp_path):
    (tmp_path / "file").write_text("in the way")
    cache = TokenCache(tmp_path / "file" / "cache")
    cache.append(TOKENS)
    assert (cache.read(0, 1000) == TOKENS).all()
    cache.save()
    cache.close()


def test_a_run_killed_at_any_moment_loses_nothing_of_the_stream(
    tmp_path, fake_source, heldout, tokenizer, monkeypatch
):
    monkeypatch.setattr(stream_module, "_SAVE_EVERY_DOCS", 32)
    documents = [f"Story {i} is about number {i * i}." for i in range(500)]

    def opened(cache, source):
        return TokenStream(source, heldout, tokenizer, cache, context=8, batch_rows=4)

    with opened(tmp_path / "whole", fake_source(documents)) as stream:
        expected = [stream.next_rows() for _ in range(100)]
    with opened(tmp_path / "killed", fake_source(documents)) as stream:
        for number in range(40):
            stream.next_rows()
            # What the disk holds now is what a killed process leaves; state first, as it trails.
            time.sleep(0.002)
            copy = tmp_path / f"copy-{number}"
            (folder,) = (tmp_path / "killed").iterdir()
            (copy / folder.name).mkdir(parents=True)
            for name in ("state.json", "tokens.bin"):
                if (folder / name).is_file():
                    shutil.copy(folder / name, copy / folder.name / name)
    states = []
    for number in range(0, 40, 5):
        source = fake_source(documents)
        with opened(tmp_path / f"copy-{number}", source) as stream:
            assert all((stream.next_rows() == rows).all() for rows in expected)
        states += source.resumed
    assert any(states)  # some copies did begin from a saved state


def test_the_state_names_what_it_holds(folder):
    state = json.loads((folder / "state.json").read_text())
    assert state == {
        "num_tokens": 600,
        "num_dropped": 3,
        "exhausted": False,
        "source_state": {"doc": 60},
    }
