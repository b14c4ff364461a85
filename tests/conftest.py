"""Every test works in its own cache, without the network, on one thread."""

import functools
import gc
import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

# Before any framework starts its threads: small products gain nothing from more.
if not any("benchmarks" in argument for argument in sys.argv):  # those run as races do
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# Commands that tests start take it from here whether a hang-up is ignored; under nohup it is.
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

import pytest
from helpers.folders import write_stories
from helpers.model_hub import ModelHub

from speedrun.training.clock import BudgetClock

pytest_plugins = ["helpers.fixtures"]
AS_ON_WINDOWS = Path(__file__).parent / "helpers" / "as_on_windows"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--as-windows`."""
    told = "run where the project finds what Windows has, and nothing of POSIX beyond it"
    parser.addoption("--as-windows", action="store_true", help=told)


def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """With `--as-windows` start again, where every process finds the system so."""
    path = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if not config.getoption("as_windows") or os.name == "nt" or str(AS_ON_WINDOWS) in path:
        return None
    path = [str(AS_ON_WINDOWS), *filter(None, path)]
    command = [sys.executable, "-m", "pytest", *config.invocation_params.args]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
    return subprocess.run(command, env=env, cwd=config.invocation_params.dir).returncode


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say which system the tests find."""
    return "system: as on Windows, names and files" if config.getoption("as_windows") else None


def pytest_collection_finish() -> None:
    """Keep what was imported out of garbage collections: each would take a third of a second."""
    gc.freeze()


@pytest.fixture(autouse=True)
def isolated(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Caches in a temporary folder; the hub does not answer."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("SPEEDRUN_CACHE", str(folder / "cache"))
    monkeypatch.setenv("HF_HOME", str(folder / "hf"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return folder


@pytest.fixture(autouse=True)
def quick_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rate of a device, which each race measures twice, is that of a moment."""
    monkeypatch.setattr("speedrun.backends.common.SUSTAINED_S", 0.05)


@pytest.fixture(scope="session")
def stories(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few hundred short documents in one .jsonl file."""
    return write_stories(tmp_path_factory.mktemp("data") / "stories.jsonl")


class FakeTime:
    """A clock that moves only when told to; `sleep` moves the wall clock alone."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.slept_s = 0.0

    def __call__(self) -> float:
        return self.now_s

    def wall(self) -> float:
        return self.now_s + self.slept_s

    def advance(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture
def fake_time() -> Iterator[FakeTime]:
    yield FakeTime()


@pytest.fixture
def fixed_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at a race's clock costs 5 ms: as many steps fit its budget on every machine."""
    looks = itertools.count()

    def now() -> float:
        return next(looks) * 0.005

    made = functools.partial(BudgetClock, now=now, wall=now)
    monkeypatch.setattr("speedrun.training.race.BudgetClock", made)


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A hub of models on this machine, without a token."""
    with ModelHub() as server:
        server.use(monkeypatch, tmp_path, token=None)
        yield server
