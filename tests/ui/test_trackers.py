"""Trackers: what they are told, those that fail, hang or are slow, and those that are not there."""

import json
import sys
import threading
import time
import types
from pathlib import Path
from typing import Any

import pytest
from helpers.command_line import command, refused
from helpers.tracked import QUICK, WORDS, log_of

import speedrun
from speedrun.records.schema import Record
from speedrun.ui.trackers import feed, race_tracker
from speedrun.ui.trackers.libraries import LIBRARIES


class Library(types.ModuleType):
    """Stands for `wandb` and `trackio`, the run that their `init` gives included."""

    class UsageError(Exception):
        pass

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__file__ = f"/{name}.py"
        self.calls: list[tuple[str, Any]] = []
        self.fails = ""
        self.errors = types.SimpleNamespace(UsageError=self.UsageError, CommError=self.UsageError)
        self.summary = types.SimpleNamespace(update=lambda given: self._note("summary", given))
        self.offline, self.url, self.dir = False, "https://here", "here"

    Settings = Markdown = staticmethod(lambda *given, **named: given or named)

    def setup(self, settings):
        pass

    def init(self, **given):
        print("a library's own words")
        self._note("init", given)
        self.offline = given.get("mode") == "offline"
        return self

    def log(self, values, step=None):
        self._note("log", (values, step))

    def finish(self, exit_code=0):
        print("a library's last words")
        self._note("finish", exit_code)

    def _note(self, name, given):
        if name == self.fails:
            raise RuntimeError("no connection\nto the server")
        self.calls.append((name, given))


@pytest.fixture
def every_tick(monkeypatch):
    monkeypatch.setattr(race_tracker, "EVERY_S", 0.0)


@pytest.fixture(params=["wandb", "trackio"])
def library(request, monkeypatch, every_tick) -> Library:
    made = Library(request.param)
    monkeypatch.setitem(sys.modules, request.param, made)
    return made


def test_a_run_is_followed_from_its_settings_to_its_story(library, stories, tmp_path):
    name = library.__name__
    run = speedrun.race(track=f"{name}:mine", data=stories, out=tmp_path, **QUICK)
    (begin, given), *between, (end, _) = library.calls
    assert (begin, end) == ("init", "finish")
    assert given["project"] == "mine" and given["config"]["data.vocab"] == 300
    logged = [of for call, of in between if call == "log" and "train/loss_nats" in of[0]]
    by_step = {row["num_steps"]: row for row in log_of(run.folder)}
    assert logged and all(of["train/loss_nats"] == by_step[at]["loss_nats"] for of, at in logged)
    assert logged[-1][1] == run.record.train.num_steps
    assert logged[0][0]["system/memory_bytes"] > 1e6
    final = between[-1][1] if name == "wandb" else between[-1][1][0]
    assert final["final/bits_per_byte"] == run.bits_per_byte
    assert final["final/record"] == run.record.id
    assert run.record.sample is not None and run.record.sample.text in final["final/story"]


@pytest.mark.parametrize("fails", ["init", "log", "finish"])
def test_one_that_fails_costs_a_line(library, fails, stories, tmp_path):
    library.fails = fails
    done = command(*WORDS, "--track", library.__name__, "--data", stories, "--out", tmp_path)
    line = f"notice: --track {library.__name__} failed (RuntimeError: no connection)"
    assert done.code == 0 and (done.out + done.err).count(line) == 1
    assert len(list(tmp_path.glob("*/record.json"))) == 1


def test_its_words_are_not_in_the_json(library, stories, tmp_path):
    words = ["--track", library.__name__, "--data", stories, "--out", tmp_path, "--json"]
    done = command(*WORDS, *words, "--seeds", "2")
    assert [json.loads(line)["seed"] for line in done.out.splitlines()] == [0, 1]
    assert [call for call, _ in library.calls].count("init") == 2
    assert [call for call, _ in library.calls].count("finish") == 2
    groups = {given["group"] for call, given in library.calls if call == "init"}
    assert len(groups) == 1


def test_without_a_login_the_run_stays_here(monkeypatch, every_tick, stories, tmp_path):
    class LoggedOut(Library):
        def init(self, **given):
            if given.get("mode") != "offline":
                raise self.UsageError("No API key configured.")
            return super().init(**given)

    monkeypatch.setitem(sys.modules, "wandb", made := LoggedOut("wandb"))
    done = command(*WORDS, "--track", "wandb", "--data", stories, "--out", tmp_path)
    assert done.code == 0
    assert done.out.count("kept here: UsageError: No API key configured.") == 1
    assert [call for call, _ in made.calls][-1] == "finish"


def test_one_that_hangs_is_left_behind(library, monkeypatch, stories, tmp_path):
    monkeypatch.setattr(race_tracker, "OPEN_S", 0.2)
    waits = threading.Event()
    library.init = lambda **given: waits.wait(60) and library
    try:
        done = command(*WORDS, "--track", library.__name__, "--data", stories, "--out", tmp_path)
    finally:
        waits.set()
    line = f"notice: --track {library.__name__} has not answered for 0.2 s: this race goes"
    assert done.code == 0 and done.out.count(line) == 1
    spent = json.loads(next(tmp_path.glob("*/record.json")).read_text())["clock"]
    assert spent["startup_s"] >= 0.2  # off the clock, and in its account


def test_a_race_that_breaks_off_closes_its_run(library, stories, tmp_path):
    class Broken(speedrun.Callbacks):
        def tick(self, tick):
            raise ValueError("enough")

    with pytest.raises(ValueError, match="enough"):
        speedrun.race(
            track=library.__name__, data=stories, out=tmp_path, callbacks=[Broken()], **QUICK
        )
    assert library.calls[-1] == ("finish", 1 if library.__name__ == "wandb" else 0)


class Slow:
    """A library whose entries wait for permission."""

    where = ""

    def __init__(self) -> None:
        self.may_go, self.taken = threading.Event(), []

    def log(self, values, step):
        self.may_go.wait(60)
        self.taken.append(step)

    def end(self, step, values, texts):
        self.taken.append("end")


def test_entries_for_a_slow_one_wait_in_order_and_are_left_out_beyond_a_bound():
    slow: Any = Slow()
    line = feed.Feed(lambda: slow)
    assert line.wait_until_open(60)
    began_s = time.monotonic()
    for step in range(3 * feed.MOST_WAITING):
        line.add(lambda library, step=step: library.log({}, step))
    assert time.monotonic() - began_s < 5 and line.num_left_out >= feed.MOST_WAITING
    assert not line.end(lambda library: library.end(0, {}, {}), 0.01)
    slow.may_go.set()
    assert line.end(lambda library: library.end(0, {}, {}), 60)
    assert slow.taken[-1] == "end" and slow.taken[:-1] == sorted(slow.taken[:-1])


def test_learning_rates_are_those_of_the_groups_that_there_are():
    from speedrun.config import Run
    from speedrun.models import loader
    from speedrun.training import request
    from speedrun.training.request import RunRequest

    def peaks(**given: Any) -> Any:
        asked = RunRequest(params="60K", budget_s=6.0, **given)
        run: Run = request.resolve(loader.architecture(asked.arch), asked, 4096)
        return race_tracker._peak_lrs(run), run.recipe

    found, recipe = peaks(arch="ngram")
    assert found == {}
    found, recipe = peaks(arch="lstm", settings=("recipe.optimizer=adamw",))
    assert found == {"adamw": recipe.lr}
    found, recipe = peaks(arch="lstm", settings=("recipe.optimizer=muon",))
    assert found == {"adamw": recipe.lr, "muon": recipe.lr_matrix}


def test_those_that_are_not_there_are_refused_before_anything_runs(monkeypatch):
    assert "unknown --track 'wandbb'" in refused("--track", "wandbb")
    for kind in LIBRARIES:
        module = LIBRARIES[kind].MODULE
        monkeypatch.setitem(sys.modules, module, None)
        said = refused("--track", f"{kind}:project")
        why = "cannot be imported" if "." in module else "is not installed here"
        assert said.startswith(f"error: --track {kind}: {kind} {why}")
        assert said.endswith(f"install it with: pip install -e '.[{kind}]'")
        monkeypatch.setitem(sys.modules, module, types.ModuleType(module))  # a folder here
        assert f"{kind} is not installed here; install it with" in refused("--track", kind)


@pytest.mark.parametrize("project", ["", "../up", "a/b", ".hidden", "two words", "x" * 65])
def test_a_project_without_a_proper_name_is_refused(project):
    assert "is no name of a project; give 1 to 64 letters" in refused("--track", f"wandb:{project}")


def test_what_a_record_says_at_the_end_needs_no_score(make_record):
    said: list[Any] = []
    follower = race_tracker.Tracker("wandb", "mine", Path())
    follower._end = lambda values, texts: said.append((values, texts))  # pyright: ignore
    record: Record = make_record({"score": None, "sample": None, "status": "diverged"})
    follower.finish(record)
    values, texts = said[0]
    assert "final/bits_per_byte" not in values and texts["final/status"] == "diverged"
