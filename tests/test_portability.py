"""The project where POSIX is not: no use of it without a guard, and every command without it."""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.command_line import FAST, TINY, runs
from helpers.posix import MODULES, NAMES

from speedrun.records import schema
from speedrun.system.subprocesses import environment

ROOT = Path(__file__).resolve().parents[1]
AS_ON_WINDOWS = ROOT / "tests" / "helpers" / "as_on_windows"
OURS = ("speedrun", "leaderboard", "architectures")
# What a test asks before it uses a name: whether the system has it, or a module that it may lack.
ASKS = re.compile(
    rf"hasattr\(({'|'.join(NAMES)}), '|\b({'|'.join(MODULES)}|boottime) is (not )?None"
)
PLACES = re.compile(r"/(tmp|proc|sys|dev)\b")
KNOW_LINUX = {  # with something else where these are not there
    "speedrun/system/cgroup.py",
    "speedrun/system/hardware.py",
    "speedrun/system/energy/sensor.py",
    "speedrun/backends/torch/compile.py",
}
IMPORT_ALL = f"""
import importlib, pkgutil
for package in {OURS}:
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, package + "."):
        if "mlx" not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
"""
# After that, in the same process: PyTorch takes long to import.
COMMANDS = """
import json, sys
from speedrun.cli.app import main
for words in json.loads(sys.argv[1]):
    try:
        main(words)
    except SystemExit as ended:
        if ended.code:
            raise
"""


def files() -> Iterator[tuple[str, str]]:
    for path in [ROOT / "run.py", *(p for name in OURS for p in (ROOT / name).rglob("*.py"))]:
        yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


def branches(node: ast.AST) -> Iterator[tuple[ast.AST, bool]]:
    """Children, and whether they run only where somebody has asked for what they use."""
    asked = isinstance(node, ast.If | ast.IfExp) and bool(ASKS.search(ast.unparse(node.test)))
    if isinstance(node, ast.BoolOp):
        asked = bool(ASKS.search(ast.unparse(node.values[0])))
    if isinstance(node, ast.Try):
        caught = " ".join(ast.unparse(one.type) for one in node.handlers if one.type)
        asked = "ImportError" in caught or "ModuleNotFoundError" in caught
    for child in ast.iter_child_nodes(node):
        yield child, asked


def posix_only(node: ast.AST, asked: bool = False) -> Iterator[str]:
    """Imports and names of POSIX without a guard, under a node."""
    if isinstance(node, ast.Import | ast.ImportFrom) and not asked:
        module = getattr(node, "module", None)
        names = [alias.name for alias in node.names]
        found = MODULES & ({module} if module else set(names))
        found |= NAMES.get(module or "", frozenset()) & set(names)
        yield from (f"line {node.lineno}: imports {name}" for name in sorted(found))
    match node:
        case ast.Attribute(value=ast.Name(id=module), attr=name) if not asked:
            if name in NAMES.get(module, ()):
                yield f"line {node.lineno}: uses {module}.{name}"
    for child, here in branches(node):
        yield from posix_only(child, asked or here)


def careless(tree: ast.AST) -> Iterator[str]:
    """Calls that do something else on Windows: text of no encoding, children of no group."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        given = {keyword.arg: keyword.value for keyword in node.keywords}
        values = [a.value for a in node.args if isinstance(a, ast.Constant)]
        texts = [value for value in values if isinstance(value, str)]
        if name in ("read_text", "write_text") and not ("encoding" in given or "utf-8" in texts):
            yield f"line {node.lineno}: {name} without encoding"
        if name == "write_text" and "newline" not in given:
            yield f"line {node.lineno}: write_text without newline"
        is_text = any(re.fullmatch(r"[rwax]\+?", text) for text in texts[:1])
        if name in ("open", "fdopen") and is_text and "encoding" not in given:
            yield f"line {node.lineno}: {name} of text without encoding"
        if "text" in given and "encoding" not in given and name in ("run", "Popen"):
            yield f"line {node.lineno}: {name}(text=…) without encoding"
        if "start_new_session" in given and "creationflags" not in given:
            yield f"line {node.lineno}: start_new_session without creationflags"
        for option in given.keys() & {"preexec_fn", "pass_fds", "process_group"}:
            yield f"line {node.lineno}: {option}"


def places(tree: ast.AST) -> Iterator[str]:
    """Folders that only Linux has."""
    for node in ast.walk(tree):
        value = getattr(node, "value", None) if isinstance(node, ast.Constant) else None
        if isinstance(value, str) and PLACES.match(value):
            yield f"line {getattr(node, 'lineno', 0)}: {value}"


def test_nothing_of_posix_is_used_without_a_guard():
    found = {}
    for name, text in files():
        tree = ast.parse(text)
        problems = [*posix_only(tree), *careless(tree)]
        problems += [] if name in KNOW_LINUX else places(tree)
        found |= {name: problems} if problems else {}
    assert found == {}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("import fcntl", "imports fcntl"),
        ("def f():\n    from resource import getrusage", "imports resource"),
        ("try:\n    import fcntl\nexcept ImportError:\n    fcntl = None", None),
        ("try:\n    import fcntl\nexcept OSError:\n    fcntl = None", "imports fcntl"),
        ("os.killpg(1, 2)", "uses os.killpg"),
        ("if hasattr(os, 'killpg'):\n    os.killpg(1, signal.SIGKILL)", None),
        ("if os.name == 'posix':\n    os.killpg(1, 2)", "uses os.killpg"),
        ("one = os.getloadavg() if hasattr(os, 'getloadavg') else None", None),
        ("from os import fork", "imports fork"),
        ("signal.signal(signal.SIGHUP, f)", "uses signal.SIGHUP"),
        ("p.read_text()", "read_text without encoding"),
        ("p.write_text(t, encoding='utf-8')", "write_text without newline"),
        ("p.open('w')", "open of text without encoding"),
        ("p.open('wb')", None),
        ("subprocess.run(c, text=True)", "run(text=…) without encoding"),
        ("Popen(c, start_new_session=True)", "start_new_session without creationflags"),
        ("Path('/tmp/x')", "/tmp/x"),
    ],
)
def test_what_has_no_guard_is_found(text, problem):
    tree = ast.parse(text)
    found = [*posix_only(tree), *careless(tree), *places(tree)]
    assert [one.partition(": ")[2] for one in found] == ([problem] if problem else [])


@pytest.mark.skipif(sys.platform != "linux", reason="looks at open files as Linux lists them")
@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("import fcntl", "ModuleNotFoundError: No module named 'fcntl'"),
        ("import os; os.killpg(0, 9)", "AttributeError: module 'os' has no 'killpg' on Windows"),
        ("import os; f = open('a', 'w'); os.replace('a', 'b')", "PermissionError"),
        ("import os; f = open('a', 'w'); f.close(); os.replace('a', 'b')", ""),
        ("import os; os.open('.', os.O_RDONLY)", "PermissionError"),
        ("open('12:30', 'w')", "OSError: [Errno 22]"),
        ("import msvcrt, os, sys, tempfile; tempfile.TemporaryFile(); assert os.name == 'nt'", ""),
    ],
)
def test_the_mode_has_the_rules_of_windows(tmp_path, code, error):
    program = tmp_path / "speedrun.py"  # a name of the project: these are its rules
    program.write_text(code, encoding="utf-8")
    rules = f"import sitecustomize; sitecustomize._ROOT = {str(tmp_path)!r}; import speedrun"
    path = os.pathsep.join([str(AS_ON_WINDOWS), str(tmp_path)])
    done = subprocess.run(
        [sys.executable, "-c", rules],
        env={**os.environ, "PYTHONPATH": path},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    last = (done.stderr.strip().splitlines() or [""])[-1]
    assert last.startswith(error) and bool(last) == bool(error), done.stderr


@pytest.mark.slow
def test_everything_imports_and_races_without_posix(tmp_path, stories):
    pytest.importorskip("torch")
    out = ["--out", str(tmp_path / "runs")]
    race = ["--minutes", "0.02", "--data", str(stories), *out, *TINY]
    env = environment()
    if os.name != "nt":
        env["PYTHONPATH"] = os.pathsep.join([str(AS_ON_WINDOWS), env["PYTHONPATH"]])
    for words in (
        ["-c", IMPORT_ALL + COMMANDS, json.dumps([[*race, *FAST], ["doctor", "--json"]])],
        ["-m", "speedrun", *race, "--arch", "ngram", "--tune", "off"],
        ["-m", "speedrun", "leaderboard", "--from", *out[1:]],
    ):
        done = subprocess.run(
            [sys.executable, *words], env=env, cwd=tmp_path, capture_output=True, encoding="utf-8"
        )
        assert done.returncode == 0, done.stdout + done.stderr
    records = [schema.load(run / "record.json") for run in runs(tmp_path / "runs")]
    assert {record.status for record in records} == {"complete"} and len(records) == 2
    assert all(record.train.peak_bytes > 1 << 20 for record in records)
