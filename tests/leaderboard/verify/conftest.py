"""Finished runs to verify: trained, counted, and one that is only bounded."""

import json
from pathlib import Path

import pytest
from helpers import folders, forged
from helpers.command_line import command

TINY = ["--params", "60K", "--vocab", "300", "--set", "model.context=32"]
NUM_DOCS = {"transformer": 20, "ngram": 20, "d3pm": 6}  # bounds are drawn many times
FAST = ["--set", "recipe.compile=false", "--set", "recipe.precision=fp32", "--tune", "off"]


@pytest.fixture(scope="session")
def stories(tmp_path_factory) -> Path:
    """A folder of stories, of which three for training equal held-out ones."""
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
    """Runs by architecture."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPEEDRUN_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("HF_HUB_OFFLINE", "1")
        for arch, num_docs in NUM_DOCS.items():
            out = tmp_path_factory.mktemp(arch)
            code, _, shown = command(
                "--arch",
                arch,
                "--backend",
                "numpy" if arch == "ngram" else "cpu",
                "--minutes",
                "0.02",
                "--data",
                stories,
                "--out",
                out,
                "--json",
                *TINY,
                "--eval-docs",
                num_docs,
                *(FAST if arch != "ngram" else ()),
            )
            assert code == 0, shown
            (found[arch],) = (f for f in out.iterdir() if not f.name.startswith("."))
    return found


@pytest.fixture
def run(raced, tmp_path) -> Path:
    """The trained run, to be tampered with."""
    return forged.copied(raced["transformer"], tmp_path / "run")
