"""Trackers: what they are told, those that fail, and those that are not there."""

import sys
import types
from typing import Any

import pytest
from helpers.command_line import command, refused

import speedrun
from speedrun.ui import trackers

QUICK: dict[str, Any] = {
    "arch": "ngram",
    "params": "60K",
    "minutes": 0.05,
    "vocab": 300,
    "eval_docs": 20,
    "show": False,
}


class Library(types.ModuleType):
    """Stands for `wandb` and `trackio`."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.calls: list[tuple[str, Any]] = []
        self.fails = ""

    def init(self, **given):
        self._note("init", given)

    def log(self, values, step=None):
        self._note("log", (values, step))

    def finish(self):
        self._note("finish", None)

    def _note(self, name, given):
        if name == self.fails:
            raise RuntimeError("no connection\nto the server")
        self.calls.append((name, given))


@pytest.fixture(params=["wandb", "trackio"])
def library(request, monkeypatch) -> Library:
    made = Library(request.param)
    monkeypatch.setitem(sys.modules, request.param, made)
    monkeypatch.setattr(trackers, "EVERY_S", 0.0)
    return made


def test_a_run_is_followed_from_its_settings_to_its_story(library, stories, tmp_path):
    name = library.__name__
    run = speedrun.race(track=f"{name}:mine", data=stories, out=tmp_path, **QUICK)
    (begin, given), *logged, (last, final), (end, _) = library.calls
    assert (begin, last, end) == ("init", "log", "finish")
    assert given["project"] == "mine" and given["config"]["arch"] == "ngram"
    steps = [step for _, (_, step) in logged]
    assert steps and steps == sorted(steps)
    values = logged[0][1][0]
    assert {"loss", "tokens_per_s", "memory_bytes", "share"} <= values.keys()
    assert final[0]["final/bits_per_byte"] == run.bits_per_byte
    assert run.record.sample is not None and final[0]["story"] == run.record.sample.text


@pytest.mark.parametrize("fails", ["init", "log", "finish"])
def test_one_that_fails_costs_a_line(library, fails, stories, tmp_path):
    library.fails = fails
    words = [
        "--arch",
        "ngram",
        "--params",
        "60K",
        "--minutes",
        "0.05",
        "--vocab",
        "300",
        "--eval-docs",
        "20",
    ]
    words += ["--track", library.__name__, "--data", str(stories), "--out", str(tmp_path)]
    done = command(*words)
    line = f"notice: --track {library.__name__} failed (RuntimeError: no connection)"
    assert done.code == 0 and (done.out + done.err).count(line) == 1
    assert len(list(tmp_path.glob("*/record.json"))) == 1


def test_tensorboard_is_given_numbers_and_a_story(monkeypatch, tmp_path):
    written: list[tuple[Any, ...]] = []

    class Writer:
        def __init__(self, folder):
            written.append(("folder", folder))

        def __getattr__(self, name):
            return lambda *given: written.append((name, *given))

    module: Any = types.ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = Writer
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    sink = trackers._SINKS["tensorboard"]("mine", "a-run", {"seed": 1}, tmp_path)
    sink.log({"loss": 2.5}, 7)
    sink.end({"bits_per_byte": 1.5}, "Once")
    assert str(tmp_path / "tensorboard" / "mine" / "a-run-") in written[0][1]
    assert written[2:] == [
        ("add_scalar", "loss", 2.5, 7),
        ("add_scalar", "final/bits_per_byte", 1.5),
        ("add_text", "story", "Once"),
        ("close",),
    ]


def test_those_that_are_not_there_are_refused_before_anything_runs(monkeypatch):
    assert "unknown --track 'wandbb'" in refused("--track", "wandbb")
    for kind, module in trackers._MODULES.items():
        monkeypatch.setitem(sys.modules, module, None)
        wanted = f"--track {kind}: {kind} is not installed here; install it with: pip install -e"
        assert wanted in refused("--track", f"{kind}:project")
