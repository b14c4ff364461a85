"""Completion of the shell: its scripts, the values of options, and nothing heavy for them."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.command_line import ROOT, done_well, refused

OFFERS = [
    (["--arch", ""], {"auto", "transformer", "lstm"}),
    (["--params", ""], {"auto", "2M", "tiny"}),
    (["--recipe", ""], {"default", "goedecke"}),
    (["--set", ""], {"recipe.lr=0.014", "model.context=256", "model.depth=3"}),
    (["--params", "8M", "--set", "model."], {"model.depth=4"}),
    (["--arch", "ngram", "--set", ""], {"recipe.batch_rows=64"}),
    (["sweep", "--vary", ""], {"recipe.lr=0.014"}),
    (["duel", "--set-b", ""], {"recipe.momentum=0.95"}),
    (["--data", "./doc"], {"./docs/", "storybook"}),
]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_names_commands_and_options(shell):
    script = done_well("completion", shell)
    for word in ("speedrun", "leaderboard", "eval-docs", "set-b", "quick"):
        assert word in script


def test_an_unknown_shell_is_one_line():
    assert "bash" in refused("completion", "cmd")


@pytest.fixture(scope="module")
def found() -> list[list[str]]:
    """Offers for each of OFFERS, made by one process."""
    return complete(*(words for words, _ in OFFERS))


@pytest.mark.parametrize("number", range(len(OFFERS)), ids=[" ".join(w) for w, _ in OFFERS])
def test_values_of_options_are_offered(found, number):
    assert OFFERS[number][1] <= set(found[number]), found[number]


def test_strange_architectures_are_not_opened_for_it(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "__init__.py").write_text("raise SystemExit('opened')")
    (found,) = complete(["--arch", f"{tmp_path}/mine", "--set", ""])
    assert "recipe.lr=" in found and not any(word.startswith("model.") for word in found)


def complete(*lines: list[str]) -> list[list[str]]:
    """Offers for each line, none of which loads anything heavy."""
    code = (
        "import json, sys; from speedrun.cli.app import main\n"
        "for words in json.loads(sys.argv[1]):\n"
        "  try: main(['__complete', *words])\n"
        "  except SystemExit: pass\n"
        "  heavy = {'torch', 'mlx', 'datasets', 'scipy', 'matplotlib'} & sys.modules.keys()\n"
        "  assert not heavy, (words, heavy)"
    )
    run = [sys.executable, "-c", code, json.dumps(lines)]
    shown = subprocess.run(run, capture_output=True, text=True, cwd=ROOT, timeout=60, check=True)
    before, *offers = shown.stdout.split("\x1fbegin\n")
    assert not before.strip("\n") and len(offers) == len(lines), shown.stdout
    offered = [offer.strip("\n").splitlines() for offer in offers]
    return [[line.partition("\t")[0] for line in found] for found in offered]


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_what_is_installed(tmp_path):
    """The installed script, in a bash that finds `speedrun` on its path."""
    env = {**os.environ, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    run = [sys.executable, "-m", "speedrun", "completion", "bash", "--install"]
    said = subprocess.check_output(run, text=True, env=env, cwd=ROOT, timeout=60)
    script = Path(said.removeprefix("written to ").partition(";")[0])
    assert str(script) in (tmp_path / ".bashrc").read_text()
    program = tmp_path / "bin" / "speedrun"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m speedrun "$@"\n')
    program.chmod(0o755)
    env["PATH"] = f"{program.parent}:{env['PATH']}"
    words = (
        f"source {script}; "
        "for words in 'dou' '--set recipe.lr_' 'du'; do "
        "COMP_WORDS=(speedrun $words); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); "
        '_speedrun; echo "${COMPREPLY[*]}"; done'
    )
    shown = subprocess.check_output(["bash", "-c", words], text=True, env=env, cwd=ROOT, timeout=60)
    assert shown == "\nrecipe.lr_matrix=0.03 recipe.lr_table=0.014 recipe.lr_floor=0.05\nduel\n"
