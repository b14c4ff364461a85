"""A wheel built from this checkout races where there is no checkout."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
from helpers.command_line import FAST

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("speedrun", "architectures", "leaderboard")
LAWS = "speedrun/scaling_laws/laws/laws-transformer-cpu-x86_64-2c-avx512.json"
# The shipped tokenizer: learning one from the storybook takes most of a minute.
TINY = ["--params", "250K", "--eval-docs", "20", "--set", "model.context=32"]
TINY += ["--set", "data.tokenizer=shipped", "--minutes", "0.02"]
# Commands one after another in one process: importing PyTorch takes seconds.
PROGRAM = """
import contextlib, io, json, sys
from speedrun.cli import app

done = []
for words in json.loads(sys.argv[1]):
    out, err, code = io.StringIO(), io.StringIO(), None
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            app.main(words)
        except SystemExit as stopped:
            code = stopped.code
    done.append([code, out.getvalue(), err.getvalue()])
print(json.dumps(done))
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built from a copy, so that nothing is left in the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for name in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__", ".*")
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder)]
    pip("wheel", *options, str(source))
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """Interpreter of an environment that has the wheel, and its dependencies from this one."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "env"], check=True)
    python = folder / "env" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    pip("--python", str(python), "install", "--no-deps", "--no-index", str(wheel))
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = subprocess.check_output([python, "-c", ask], text=True).strip()
    libraries = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (Path(site) / "libraries.pth").write_text("\n".join(sorted(libraries)), encoding="utf-8")
    return python


def pip(*words: str) -> None:
    """Run pip without PYTHONPATH: a checkout there counts as installed."""
    command = [sys.executable, "-P", "-m", "pip", *words]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}


def elsewhere(python: Path, *words: str, cwd: Path) -> str:
    """Standard output of the environment's interpreter in another folder."""
    command = [python, *words]
    done = subprocess.run(command, cwd=cwd, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_has_every_file_of_the_packages(wheel):
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    here = {
        path.relative_to(ROOT).as_posix()
        for name in PACKAGES
        for path in (ROOT / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }
    assert packed == here


def test_the_wheel_names_its_licence(wheel):
    with zipfile.ZipFile(wheel) as opened:
        names = opened.namelist()
        metadata = opened.read(next(n for n in names if n.endswith("/METADATA"))).decode()
    assert "License-Expression: Apache-2.0" in metadata
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_laws_of_the_recorded_sweep_are_those_that_are_shipped():
    assert (ROOT / LAWS).read_text() == (ROOT / "docs" / "sweep" / "laws.json").read_text()


def test_an_installed_wheel_races_ranks_and_plans(installed, tmp_path):
    small = [*TINY, *FAST, "--json", "--out", str(tmp_path / "runs")]
    commands = [
        small,
        ["leaderboard", "--format", "json"],
        ["leaderboard", "--check"],
        ["plan", "--params", "2M", "--minutes", "5", "--json"],
    ]
    said = elsewhere(installed, "-c", PROGRAM, json.dumps(commands), cwd=tmp_path)
    race, board, check, plan = json.loads(said.splitlines()[-1])
    assert [code for code, *_ in (race, board, check)] == [0, 0, 0], said
    record = json.loads(race[1])
    assert record["status"] == "complete" and record["data"]["name"] == "storybook"
    assert record["code"] == {"commit": None, "dirty": None, "version": record["code"]["version"]}
    assert len(json.loads(board[1])["tracks"]) >= 1
    assert check[2].rstrip().endswith("records checked, no problems")
    assert json.loads(plan[1])["memory"]["total_bytes"] > 0


def test_an_installed_wheel_knows_the_laws_that_come_with_it(installed, tmp_path):
    ask = (
        "from speedrun.scaling_laws import auto_size\n"
        "from speedrun.training.request import RunRequest\n"
        "for _, path, _ in auto_size.known_laws(RunRequest(params='auto')): print(path)"
    )
    found = elsewhere(installed, "-c", ask, cwd=tmp_path).splitlines()
    assert [Path(path).name for path in found] == [Path(LAWS).name]
    assert installed.parent.parent in Path(found[0]).parents


def test_the_command_of_the_wheel_starts(installed, tmp_path):
    command = installed.with_name("speedrun.exe" if os.name == "nt" else "speedrun")
    assert elsewhere(installed, str(command), "--version", cwd=tmp_path).startswith("0.")
