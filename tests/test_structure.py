"""Floors of packages, no import cycles, frameworks in their folders, sizes and docstrings."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FRAMEWORKS = {"torch", "mlx", "jax", "tensorflow"}
# No first words of a docstring.
QUESTIONS = {"What", "Who", "Whose", "Where", "How", "When", "Why", "Whatever"}

# A package imports its own floor and those below it, bottom first.
FLOORS = (
    "speedrun.records speedrun.system speedrun.distributed speedrun.text speedrun.schedule",
    "speedrun.telemetry speedrun.config speedrun.device speedrun.arrays",
    "speedrun.protocols",
    "architectures speedrun.data speedrun.backends speedrun.models",
    "speedrun.evaluation speedrun.autotune",
    "speedrun.training",
    "speedrun.scaling_laws speedrun.bench speedrun.ui speedrun.duel leaderboard",
    "speedrun.sweep speedrun.plan",
    "speedrun.api",
    "speedrun.cli speedrun.__main__",
)

Sources = Mapping[str, str]  # text by module name


@cache
def read(root: Path = ROOT) -> dict[str, str]:
    found = {}
    for package in ("speedrun", "architectures", "leaderboard"):
        for path in (root / package).rglob("*.py"):
            name = ".".join(path.relative_to(root).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = path.read_text(encoding="utf-8")
    return found


def sources() -> dict[str, str]:
    return dict(read())


@cache
def nodes(text: str) -> list[ast.AST]:
    return list(ast.walk(ast.parse(text)))


@cache
def statements(text: str) -> list[tuple[str, list[str]]]:
    """Imports of a file, inside functions too: a module and the names taken from it."""
    found: list[tuple[str, list[str]]] = []
    for node in nodes(text):
        if isinstance(node, ast.Import):
            found += [(alias.name, []) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, "relative import"
            found.append((node.module, [alias.name for alias in node.names]))
    return found


def imports(text: str, known: Sources) -> set[str]:
    """Modules that a file imports; those of ours in full."""
    out = set()
    for module, names in statements(text):
        out |= {f"{module}.{name}" for name in names} & known.keys() or {module}
    return out


def graph(known: Sources) -> dict[str, set[str]]:
    """Modules of ours that each module imports."""
    return {name: imports(text, known) & known.keys() for name, text in known.items()}


def package(name: str) -> str:
    parts = name.split(".")
    return ".".join(parts[:2]) if parts[0] == "speedrun" else parts[0]


def floor(name: str) -> int:
    """Number of the floor that a module stands on; the package `speedrun` itself is the lowest."""
    for number, packages in enumerate(FLOORS):
        if package(name) in packages.split():
            return number
    if name == "speedrun":
        return -1
    raise AssertionError(f"{name}: say in FLOORS on which floor {package(name)} stands")


def upward(known: Sources) -> Iterator[str]:
    """Imports that go up, or from speedrun to leaderboard."""
    for name, imported in graph(known).items():
        for other in sorted(imported):
            if floor(other) > floor(name):
                yield f"{name} imports {other}, which stands above it"
            if name.startswith("speedrun") and other.startswith("leaderboard"):
                yield f"{name} imports {other}: leaderboard imports speedrun, never the other way"


def cycle(edges: Mapping[str, set[str]]) -> Iterator[str]:
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        yield from error.args[1]


def package_graph(known: Sources) -> dict[str, set[str]]:
    edges: dict[str, set[str]] = defaultdict(set)
    for name, imported in graph(known).items():
        edges[package(name)] |= {package(other) for other in imported} - {package(name)}
    return edges


def misplaced_frameworks(known: Sources) -> Iterator[str]:
    for name, text in known.items():
        used = {module.split(".")[0] for module in imports(text, known)} & FRAMEWORKS
        # speedrun.backends.torch.engine; architectures.lstm.torch_recurrence
        place = re.match(r"(?:speedrun\.backends|architectures(?:\.\w+)?)\.([a-z]+)", name)
        yield from (f"{name} names {one}" for one in used - {place and place[1]})


def strangers_to_architectures(known: Sources) -> Iterator[str]:
    """Imports of an architecture of ours beyond its own folder and the seam."""
    for name, imported in graph(known).items():
        if name.startswith("architectures."):
            ours = {other for other in imported if other.startswith(("speedrun", "leaderboard"))}
            if not name.endswith("_model"):
                ours -= {"speedrun.protocols"}
            yield from (f"{name} imports {other}" for other in sorted(ours))


CHECKS = {
    "imports go down": upward,
    "no cycle of files": lambda known: cycle(graph(known)),
    "no cycle of packages": lambda known: cycle(package_graph(known)),
    "frameworks in their folders": misplaced_frameworks,
    "architectures stand alone": strangers_to_architectures,
}
VIOLATIONS = {
    "imports go down": ("speedrun.data.loader", "import speedrun.training.trainer"),
    "no cycle of files": ("speedrun.records.schema", "from speedrun.records import schema"),
    "no cycle of packages": ("speedrun.models.loader", "import speedrun.backends.registry"),
    "frameworks in their folders": ("speedrun.training.trainer", "def f():\n    import torch"),
    "architectures stand alone": ("architectures.lstm", "import speedrun.config"),
}


@pytest.mark.parametrize("rule", CHECKS)
def test_the_layout_holds(rule):
    assert list(CHECKS[rule](sources())) == []


@pytest.mark.parametrize("rule", CHECKS)
def test_a_seeded_violation_is_found(rule):
    known = sources()
    module, line = VIOLATIONS[rule]
    known[module] = f"{known[module]}\n{line}\n"
    if rule == "no cycle of packages":
        known["speedrun.backends.registry"] = "import speedrun.models.loader"
    assert list(CHECKS[rule](known)) != []


def test_files_and_functions_keep_to_their_size():
    for name, text in sources().items():
        assert text.count("\n") <= 300, f"{name} has more than 300 lines"
        for node in nodes(text):
            if isinstance(node, ast.FunctionDef):
                length = (node.end_lineno or 0) - node.lineno + 1
                assert length <= 60, f"{name}.{node.name}: {length} lines"
                names = node.args.args + node.args.kwonlyargs
                num = len([one for one in names if one.arg not in ("self", "cls")])
                assert num <= 6, f"{name}.{node.name}: {num} parameters"
        assert not re.search(r"#\s*fmt:\s*skip", text), f"{name} has a part that is not formatted"


def public(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, ast.FunctionDef | ast.ClassDef]]:
    """Public functions, classes and methods with their dotted names."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield f"{prefix}{node.name}", node
            if isinstance(node, ast.ClassDef):
                yield from public(node, f"{prefix}{node.name}.")


def undocumented(text: str) -> list[str]:
    """Public names without a docstring, or whose docstring is no plain statement."""
    tree = nodes(text)[0]
    assert isinstance(tree, ast.Module)
    documented: list[tuple[str, ast.Module | ast.FunctionDef | ast.ClassDef]] = [("module", tree)]
    documented += public(tree)
    first_words = {name: (ast.get_docstring(node) or "").split(" ")[0] for name, node in documented}
    return [name for name, word in first_words.items() if not word or word in QUESTIONS]


def test_public_names_have_a_docstring_that_states_what_they_are():
    found = {name: undocumented(text) for name, text in sources().items()}
    assert {name: names for name, names in found.items() if names} == {}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ["module"]),
        ('"""Doc."""\ndef f(): ...', ["f"]),
        ('"""Doc."""\nclass C:\n    """What it is."""\n    def m(self): ...', ["C", "C.m"]),
        ('"""How fast."""\ndef _f(): ...', ["module"]),
        ('"""Doc."""\ndef f():\n    """Doc."""\n    def inner(): ...', []),
    ],
)
def test_missing_docstrings_are_found(text, names):
    assert undocumented(text) == names
