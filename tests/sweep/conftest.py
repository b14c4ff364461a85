"""A small sweep of three sizes and two seeds."""

from pathlib import Path

import pytest
from helpers.sweeps import moved

from speedrun.config import Data
from speedrun.sweep.grid import Grid, Plan, plan
from speedrun.training.request import RunRequest


@pytest.fixture(scope="session")
def small_grid(stories: Path) -> Grid:
    """Its options; the directory is that of no test."""
    base = RunRequest(
        backend="cpu",
        data=Data(path=str(stories), vocab=300, eval_docs=20),
        settings=("model.context=32", "recipe.compile=false", "recipe.precision=fp32"),
        out=Path("nowhere"),
    )
    sizes = (20_000, 40_000, 60_000)
    return Grid(archs=("transformer",), params=sizes, minutes=(0.02,), num_seeds=2, base=base)


@pytest.fixture(scope="session")
def small_plan(small_grid: Grid, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """Looked up once for all tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPEEDRUN_CACHE", str(tmp_path_factory.mktemp("cache")))
        return plan(small_grid, print)


@pytest.fixture
def planned(small_plan: Plan, tmp_path: Path) -> Plan:
    """The sweep in a directory of the test's own."""
    return moved(small_plan, tmp_path / "sweep")
