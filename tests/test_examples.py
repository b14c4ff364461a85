"""Files for other programs: the task for SkyPilot, and the image for Docker."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from speedrun.cli.app import app

ROOT = Path(__file__).resolve().parents[1]
# Of SkyPilot's specification of a task, docs.skypilot.co/en/latest/reference/yaml-spec.html.
TASK = [
    "name",
    "workdir",
    "num_nodes",
    "resources",
    "envs",
    "secrets",
    "volumes",
    "file_mounts",
    "setup",
    "run",
    "config",
]
RESOURCES = [
    "infra",
    "accelerators",
    "accelerator_args",
    "cpus",
    "memory",
    "instance_type",
    "use_spot",
    "disk_size",
    "disk_tier",
    "network_tier",
    "image_id",
    "ports",
    "labels",
    "autostop",
    "any_of",
    "ordered",
    "job_recovery",
]
GIVEN = {"SKYPILOT_NODE_IPS", "SKYPILOT_NODE_RANK", "PATH", "PWD"}


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.fixture
def task() -> dict[str, Any]:
    return yaml.safe_load(text("examples/skypilot.yaml"))


def test_the_task_has_fields_that_skypilot_knows(task):
    assert task.keys() <= set(TASK) and task["resources"].keys() <= set(RESOURCES)
    assert task["resources"]["use_spot"] is True and task["num_nodes"] > 1
    for mount in task["file_mounts"].values():
        assert mount.keys() <= {"name", "source", "store", "mode", "persistent"}
    assert all(value is None or isinstance(value, str) for value in task["envs"].values())


def test_the_task_sets_every_variable_that_it_reads(task):
    script = task["setup"] + task["run"]
    read = set(re.findall(r"\$\{?([A-Za-z_]\w*)", script + str(task["file_mounts"])))
    own = set(re.findall(r"^\s*(?:export )?(\w+)=", script, re.M))
    assert read - own - GIVEN == task["envs"].keys()


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize("part", ["setup", "run"])
def test_the_scripts_of_the_task_are_shell(task, part):
    done = subprocess.run(["bash", "-n"], input=task[part].encode(), capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_task_runs_a_sweep_that_the_command_line_takes(task):
    (line,) = re.findall(r"python run\.py (.*)", task["run"])
    for name, value in {**task["envs"], "head": "10.0.0.1"}.items():
        line = line.replace(f"${name}", str(value))
    _, bound, *_ = app.parse_args(shlex.split(line), exit_on_error=False, print_error=False)
    assert bound.arguments["on"] == "ray" and "address" in bound.arguments
    assert "$" not in line and task["file_mounts"].keys() == {"/sweeps"}
    extras = tomllib.loads(text("pyproject.toml"))["project"]["optional-dependencies"]
    assert all(name in extras for name in re.findall(r'-e "\.\[(\w+)\]"', task["setup"]))


@pytest.mark.skipif(os.name == "nt" or not shutil.which("bash"), reason="a script of POSIX")
@pytest.mark.parametrize("rank", [0, 1])
def test_the_head_sweeps_and_ends_its_cluster_and_the_others_end_with_it(task, tmp_path, rank):
    """With stand-ins for Ray and Python that note how they are called."""
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "python").write_text(
        '#!/bin/sh\nwhile [ ! -e started ]; do sleep 0.01; done; echo python "$@"; exit 3\n'
    )
    (programs / "ray").write_text(
        """#!/bin/bash
        echo ray "$@"
        if [ "$1" = health-check ]; then echo >> asked; [ $(wc -l < asked) -lt 3 ]; exit; fi
        if [ "${!#}" = --block ]; then
            trap 'kill $!; echo ended; exit' TERM; sleep 30 & touch started; wait
        fi
        """
    )
    for name in ("python", "ray"):
        (programs / name).chmod(0o755)
    script = task["run"].replace("sleep 20", "sleep 0")
    given = {"SKYPILOT_NODE_IPS": "10.0.0.1\n10.0.0.2\n", "SKYPILOT_NODE_RANK": str(rank)}
    env = {**os.environ, **task["envs"], **given, "BUCKET": "any"}
    done = subprocess.run(
        ["bash", "-c", script], env=env, cwd=tmp_path, capture_output=True, encoding="utf-8"
    )
    said = [line for line in done.stdout.splitlines() if "health" not in line]
    if rank:
        assert (done.returncode, said) == (0, ["ray start --address 10.0.0.1:6379"]), done
        return
    assert done.returncode == 3, "the job ends as the sweep does"
    assert {line.split(" --")[0] for line in said} == {"ray start", "python run.py sweep", "ended"}
    assert "--address 10.0.0.1:6379 --params 1M,2M,4M,8M" in done.stdout and said[-1] == "ended"


def instructions() -> list[tuple[str, str]]:
    """Instructions of the Dockerfile with their words, each on one line."""
    lines = "\n".join(line for line in text("Dockerfile").splitlines() if line[:1] != "#")
    found = [line.partition(" ") for line in re.sub(r"\\\n", " ", lines).splitlines() if line]
    return [(name, words.strip()) for name, _, words in found]


def test_the_image_has_both_targets_and_runs_as_no_root():
    stages: dict[str, list[tuple[str, str]]] = {}
    base: dict[str, str] = {}
    stage = ""
    for name, words in instructions():
        if name == "FROM":
            source, stage = words.split(" AS ")
            base[stage], stages[stage] = source, []
        elif stage:
            stages[stage].append((name, words))
    assert base["cpu"] == base["cuda"] == "program" and list(base)[-1] == "cpu"
    last = dict(stages["program"])
    assert last["USER"] != "0" and last["USER"].isdigit()
    assert last["ENTRYPOINT"] == '["python", "run.py"]'
    assert f"--uid {last['USER']} " in str(stages["base"])
    for folder in re.findall(r'"(/[\w/]+)"', last["VOLUME"]):  # they have the user's rights
        assert re.search(rf"install -d -o speedrun -g speedrun .*{folder}\b", str(stages["base"]))


def test_the_image_takes_pytorch_of_the_version_that_is_pinned():
    run = next(words for name, words in instructions() if "tomllib" in words)
    code = shlex.split(run.partition(" > ")[0])
    done = subprocess.run(
        [sys.executable, *code[1:]], cwd=ROOT, capture_output=True, encoding="utf-8"
    )
    wanted = tomllib.loads(text("pyproject.toml"))["project"]["dependencies"]
    assert done.stdout.splitlines() == wanted
    assert [line for line in wanted if re.match("^torch==", line)] == [wanted[0]]


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_the_image_leaves_out_no_tracked_file():
    """A checkout that lacks one counts as changed, and so would every record made in the image."""
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, encoding="utf-8")
    ignored = [line for line in text(".dockerignore").splitlines() if line and line[0] != "#"]
    patterns = [
        re.compile("(.*/)?" * one.startswith("**/") + _expression(one) + "(/.*)?")
        for one in ignored
    ]
    lost = [n for n in tracked.stdout.splitlines() if any(p.fullmatch(n) for p in patterns)]
    assert len(patterns) > 5 and lost == []


def _expression(pattern: str) -> str:
    plain = pattern.removeprefix("**/").strip("/")
    return re.escape(plain).replace(r"\*", "[^/]*").replace(r"\[", "[").replace(r"\]", "]")
