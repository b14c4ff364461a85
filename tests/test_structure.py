"""The house stays as drawn: imports go down, and frameworks are named in their folders only."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FRAMEWORKS = {"torch", "mlx", "jax", "tensorflow"}

# Lower may not import higher. Modules of one storey may know each other.
STOREYS = [
    {
        "leaderboard.record",
        "leaderboard.inert",
        "leaderboard.significance",
        "leaderboard.weights",
        "speedrun.schedule",
        "speedrun.clock",
        "speedrun.noise",
        "speedrun.windows",
        "speedrun.patience",
        "speedrun.views",
        "speedrun.shapes",
        "speedrun.team",
        "speedrun.plugins",
        "speedrun.scaling",
        "speedrun.whole",
        "speedrun.fitting",
        "speedrun.processes",
        "speedrun.sweep",
        "speedrun.sweep.racing",
        "speedrun.sweep.child",
    },
    {"speedrun.config"},
    {"speedrun.protocols"},
    {"speedrun.typical"},
    {"speedrun.telemetry", "speedrun.outputs", "speedrun.stopping", "speedrun.data"},
    {"architectures"},
    {"speedrun.backends"},
    {"speedrun.bounds", "speedrun.leading", "speedrun.seam"},
    {"speedrun.discover", "speedrun.checks", "speedrun.evaluate", "speedrun.generate"},
    {"speedrun.trainer"},
    {"speedrun.asked", "speedrun.recording", "speedrun.recorded", "speedrun.quickest"},
    {"speedrun.tuning"},
    {"speedrun.restore", "speedrun.race", "speedrun.together", "speedrun.progress"},
    {"leaderboard.notes", "leaderboard.row"},
    {"leaderboard.store", "leaderboard.review", "leaderboard.rank"},
    {"speedrun.sweep.folder"},
    {"leaderboard.catalogue"},
    {"leaderboard.reproduce"},
    {"leaderboard.submit", "leaderboard.render"},
    {"leaderboard.leaks", "leaderboard.rescore", "leaderboard.rerun"},
    {"leaderboard.verify"},
    {"leaderboard.commands"},
    {"leaderboard.compare"},
    {"leaderboard.cli"},
    {"speedrun.report", "speedrun.doctor"},
    {"speedrun.plan"},
    {"speedrun.bench"},
    {"speedrun.sweep.grid"},
    {"speedrun.sweep.runs", "speedrun.sweep.node"},
    {"speedrun.sweep.cluster"},
    {"speedrun.sweep.on_ray"},
    {"speedrun.sweep.view", "speedrun.sweep.laws"},
    {"speedrun.sweep.figures", "speedrun.sweep.document"},
    {"speedrun.sweep.report"},
    {"speedrun.auto"},
    {"speedrun.commands"},
    {"speedrun.sweep.command"},
    {"speedrun.cli"},
    {"speedrun.sweep.tether"},
]


def sources() -> dict[str, Path]:
    found = {}
    for package in ("speedrun", "architectures", "leaderboard"):
        for path in (ROOT / package).rglob("*.py"):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = path
    return found


def imports(name: str, path: Path) -> set[str]:
    """Modules that a file imports, those of ours in full."""
    ours = sources()
    out = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            out |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, f"{name}: relative import"
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            out |= {module for module in inner if module in ours} or {node.module}
    return out


def storey(module: str) -> int | None:
    while module:
        for number, names in enumerate(STOREYS):
            if module in names:
                return number
        module = module.rpartition(".")[0]
    return None


@pytest.mark.parametrize("name", [n for n in sources() if n.count(".") == 1])
def test_every_module_has_a_storey(name):
    assert storey(name) is not None, f"{name}: say in STOREYS where it stands"


@pytest.mark.parametrize("name", sources())
def test_imports_go_down_only(name):
    here = storey(name)
    if here is None:
        return
    for imported in imports(name, sources()[name]):
        there = storey(imported)
        if there is not None:
            assert there <= here, f"{name} imports {imported}, which stands above it"


@pytest.mark.parametrize("name", sources())
def test_frameworks_are_named_in_their_folders_only(name):
    used = {module.split(".")[0] for module in imports(name, sources()[name])} & FRAMEWORKS
    allowed = set()
    if name.startswith("speedrun.backends."):
        allowed = {name.split(".")[2]}
    elif name.startswith("architectures."):
        allowed = {name.split(".")[-1].partition("_")[0]}  # torch_model, torch_recurrence
    assert used <= allowed, f"{name} names {', '.join(sorted(used - allowed))}"


@pytest.mark.parametrize("name", [n for n in sources() if n.startswith("architectures.")])
def test_architectures_import_nothing_of_ours_but_their_folder(name):
    ours = {m for m in imports(name, sources()[name]) if m.split(".")[0] in ("speedrun",)}
    if not name.endswith("_model"):
        ours -= {"speedrun.protocols"}  # the seam that a bound's noise crosses
    assert not ours, f"{name} imports {ours}"


def test_files_and_functions_fit_their_rooms():
    for name, path in sources().items():
        text = path.read_text(encoding="utf-8")
        assert text.count("\n") <= 400, f"{name} has outgrown its file"
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                length = (node.end_lineno or 0) - node.lineno + 1
                assert length <= 60, f"{name}.{node.name}: {length} lines"
