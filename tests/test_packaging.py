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
TABLES_LAWS = "laws-transformer-tables-16M-cpu-x86_64-2c-avx2.json"
SWEPT_TABLES = "sweep-tables/laws-transformer-tables-16M.json"
# The shipped tokenizer: learning one from the storybook takes most of a minute.
TINY = ["--params", "250K", "--eval-docs", "20", "--set", "model.context=32"]
TINY += ["--set", "data.tokenizer=shipped", "--minutes", "0.02"]
# Commands one after another in one process: importing PyTorch takes seconds.
PROGRAM = """
import json, sys
from helpers.command_line import command
from speedrun.scaling_laws import auto_size
from speedrun.training.request import RunRequest

done = [command(*words) for words in json.loads(sys.argv[1])]
laws = [str(path) for _, path, _ in auto_size.known_laws(RunRequest(params="auto"))]
print(json.dumps([done, laws]))
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


def environment(**added: str) -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | added


def test_the_wheel_has_every_file_of_the_packages(wheel):
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    here = {
        path.relative_to(ROOT).as_posix()
        for name in PACKAGES
        for path in (ROOT / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }
    assert packed == here
    with zipfile.ZipFile(wheel) as opened:
        names = opened.namelist()
        metadata = opened.read(next(n for n in names if n.endswith("/METADATA"))).decode()
    assert "License-Expression: Apache-2.0" in metadata
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_an_installed_wheel_races_ranks_and_plans(installed, tmp_path):
    small = [*TINY, *FAST, "--json", "--out", str(tmp_path / "runs")]
    commands = [
        small,
        ["leaderboard", "--format", "json"],
        ["leaderboard", "--check"],
        ["plan", "--params", "2M", "--minutes", "5", "--json"],
    ]
    shutil.copytree(ROOT / "tests" / "helpers", tmp_path / "beside" / "helpers")
    said = subprocess.check_output(
        [installed, "-c", PROGRAM, json.dumps(commands)],
        cwd=tmp_path,
        env=environment(PYTHONPATH=str(tmp_path / "beside")),
        text=True,
    )
    (race, board, check, plan), laws = json.loads(said.splitlines()[-1])
    assert [code for code, *_ in (race, board, check)] == [0, 0, 0], said
    record = json.loads(race[1])
    assert record["status"] == "complete" and record["data"]["name"] == "storybook"
    assert record["code"] == {"commit": None, "dirty": None, "version": record["code"]["version"]}
    assert len(json.loads(board[1])["tracks"]) >= 1
    assert check[2].rstrip().endswith("records checked, no problems")
    assert json.loads(plan[1])["memory"]["total_bytes"] > 0
    # The laws of the recorded sweeps come with it.
    recorded = {Path(LAWS).name: "sweep/laws.json", TABLES_LAWS: SWEPT_TABLES}
    assert {Path(path).name for path in laws} == recorded.keys()
    for path in map(Path, laws):
        assert installed.parent.parent in path.parents
        assert path.read_text() == (ROOT / "docs" / recorded[path.name]).read_text()
    program = installed.with_name("speedrun.exe" if os.name == "nt" else "speedrun")
    said = subprocess.check_output([program, "--version"], cwd=tmp_path, text=True)
    assert said.startswith("0.")
