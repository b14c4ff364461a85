"""Finished runs to verify: one trained, one counted, and one that is only bounded."""

import json
import shutil
from pathlib import Path

import pytest
from helpers import folders
from helpers.command_line import FAST, done_well

TINY = ("--params", "60K", "--vocab", "300", "--set", "model.context=32")

NUM_DOCS = {"transformer": 20, "ngram": 20, "d3pm": 6}  # bounds are drawn many times


@pytest.fixture(scope="session")
def stories(tmp_path_factory) -> Path:
    """A folder of stories; three training documents equal held-out ones."""
    folder = tmp_path_factory.mktemp("data") / "tales"
    folder.mkdir()
    lines = folders.write_stories(folder / "train.jsonl").read_text().splitlines()
    held, rest = lines[:40], lines[40:]
    equal = [json.dumps({"text": json.loads(held[i])["text"].upper()}) for i in (0, 5, 19)]
    (folder / "train.jsonl").write_text("\n".join([*rest[:100], *equal, *rest[100:]]))
    (folder / "validation.jsonl").write_text("\n".join(held))
    return folder


@pytest.fixture(scope="session")
def raced(stories, tmp_path_factory):
    """`raced("ngram")` is the folder of a run of that architecture, raced once."""
    found: dict[str, Path] = {}

    def race(arch: str) -> Path:
        if arch not in found:
            out = tmp_path_factory.mktemp(arch)
            where = ("--device", "numpy") if arch == "ngram" else ("--device", "cpu", *FAST)
            about = ("--arch", arch, "--data", stories, "--out", out, "--minutes", "0.02")
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("SPEEDRUN_CACHE", str(tmp_path_factory.mktemp("cache")))
                done_well(*about, *where, *TINY, "--eval-docs", NUM_DOCS[arch])
            (found[arch],) = (f for f in out.iterdir() if not f.name.startswith("."))
        return found[arch]

    return race


@pytest.fixture
def run(raced, tmp_path) -> Path:
    """A copy of the trained run, to be tampered with."""
    return shutil.copytree(raced("transformer"), tmp_path / "run")


@pytest.fixture
def counted(raced, tmp_path) -> Path:
    """A copy of the counted run."""
    return shutil.copytree(raced("ngram"), tmp_path / "counted")
