"""Tuned settings of a race: measured once, cached for the same machine and recipe, reported."""

import dataclasses
import inspect
import json
from types import SimpleNamespace
from typing import Any

import pytest
from helpers.fake_worker import Candidate, FakeWorker
from helpers.fakes import run_of

import architectures
from speedrun import backends
from speedrun.autotune import cache, tune
from speedrun.config import Recipe
from speedrun.device import Device, ExecutionConfig
from speedrun.system import paths
from speedrun.system.hardware import Machine

SPACE = {
    "precision": ("fp32", "bf16"),
    "micro_batch_rows": (4, 2, 1),
    "fused": (True, False),
    "compile": ("off", "default"),
}


class Backend:
    """Lists candidates; the worker is the test's."""

    version = "1.0"

    def candidates(self, architecture: Any, recipe: Any, device: Any) -> dict[str, Any]:
        return dict(SPACE)

    def versions(self) -> dict[str, str]:
        return {"fake": self.version}


class Architecture:
    NAME = "fake"

    def model(self, backend: str) -> type:
        return Architecture


def target_of(**recipe: Any) -> tune.Target:
    machine = Machine(cpu="a", arch="x86_64", cores=2, memory_bytes=1 << 30, features=())
    architecture: Any = Architecture()
    backend: Any = Backend()
    device = Device(name="cpu", backend="torch", available=True, detail="")
    return tune.Target(
        arch="fake",
        architecture=architecture,
        run=run_of(60.0, **recipe),
        backend=backend,
        device=device,
        machine=machine,
    )


class Raced:
    """`tune` on a fake clock, with all that it said and the workers that it took."""

    def __init__(self, fake_time: Any) -> None:
        self.fake_time = fake_time
        self.behaves = lambda s: Candidate(0.1 if s.fused else 0.05)
        self.slowdown = lambda: 1.0
        self.lines: list[str] = []
        self.workers: list[Any] = []

    def __call__(self, target: tune.Target, mode: Any = "quick") -> tune.Tuned:
        worker = FakeWorker(self.fake_time, self.behaves)
        worker.slowdown = self.slowdown

        def start() -> Any:
            if worker not in self.workers:
                self.workers.append(worker)
            return worker()

        self.lines.clear()
        return tune.tune(mode, target, self.lines.append, start=start, now=self.fake_time)


@pytest.fixture
def tuned(fake_time) -> Raced:
    return Raced(fake_time)


def test_the_choice_and_all_times_are_facts_of_the_record(tuned):
    found = tuned(target_of())
    chosen = {"micro_batch_rows": 4, "fused": False}
    facts = found.facts
    assert found.settings == ExecutionConfig(**chosen) and facts["chosen"] == chosen
    assert facts["mode"] == "quick" and facts["from"] == "measured"
    assert (facts["plain_step_s"], facts["step_s"]) == pytest.approx((0.1, 0.05))
    assert {"field": "fused", "value": False, "kept": True}.items() <= facts["trials"][1].items()
    assert all(trial["spread"] >= 0 for trial in facts["trials"])
    assert 0 < facts["spent_s"] <= tune.BUDGETS["quick"].total_s
    assert json.loads(json.dumps(facts)) == facts
    spent = f"{facts['spent_s']:.1f} s"
    line = (
        f"Tuned in {spent}: fused=False, 2.00 times as fast as plain (50 ms a step, plain 100 ms)."
    )
    assert tuned.lines == [line]


def test_off_times_nothing_and_says_so(tuned):
    found = tuned(target_of(), "off")
    assert found.settings == ExecutionConfig() and found.facts == {"mode": "off"}
    assert not tuned.workers and not tuned.lines


def test_a_backend_without_a_choice_is_not_timed(tuned, monkeypatch):
    monkeypatch.setattr(Backend, "candidates", lambda *args: {})
    assert tuned(target_of()).settings == ExecutionConfig() and not tuned.workers


def test_a_choice_is_paid_for_once(tuned):
    first = tuned(target_of())
    again = tuned(dataclasses.replace(target_of(), run=dataclasses.replace(run_of(99.0), seed=7)))
    assert len(tuned.workers) == 1, "another seed and budget are no other step"
    assert again.settings == first.settings and again.facts["from"] == "cache"
    assert again.facts["trials"] == first.facts["trials"]
    assert "earlier race" in tuned.lines[0]


def test_a_choice_counts_for_what_it_was_made_for_only(tuned, monkeypatch):
    before = target_of()
    model: Any = dataclasses.replace(before.run.model, width=16)  # type: ignore[type-var]
    changes: list[dict[str, Any]] = [
        {},
        {"run": target_of(lr=0.5).run},
        {"run": dataclasses.replace(before.run, model=model)},
        {"machine": dataclasses.replace(before.machine, cores=4)},
        {"device": dataclasses.replace(before.device, accelerator="H200")},
        {"architecture": SimpleNamespace(NAME="other", model=lambda backend: Architecture)},
    ]
    for number, change in enumerate(changes, 1):
        tuned(dataclasses.replace(before, **change))
        assert len(tuned.workers) == number
    monkeypatch.setattr(Backend, "version", "1.1")
    assert tuned(before).facts["from"] == "measured"


@pytest.mark.parametrize("source", [Architecture, Backend, architectures, backends])
def test_changed_source_is_measured_anew(tmp_path, monkeypatch, source):
    """Of the architecture, of the backend, and of what all of either share."""
    path, real = tmp_path / "torch_model.py", inspect.getfile
    path.write_text("a = 1")
    monkeypatch.setattr(
        cache.inspect, "getfile", lambda made: str(path) if made is source else real(made)
    )
    before = cache.key(target_of(), SPACE)
    path.write_text("a = 2")
    assert cache.key(target_of(), SPACE) != before


def test_a_damaged_file_or_a_value_that_is_no_candidate_is_no_choice(tuned):
    tuned(target_of())
    (path,) = (paths.cache_dir() / "tuning").glob("*.json")
    other = path.read_text().replace('"micro_batch_rows": 4', '"micro_batch_rows": 3')
    for text in ("", "[]", '{"schema": 1}', "null", other):
        path.write_text(text)
        assert tuned(target_of()).facts["from"] == "measured", text


def test_a_thorough_choice_serves_quick_races_but_not_the_other_way(tuned):
    tuned(target_of())
    assert tuned(target_of(), "full").facts["from"] == "measured"
    assert tuned(target_of(), "quick").facts["from"] == "cache"
    assert tuned(target_of(), "full").facts["from"] == "cache"
    assert len(tuned.workers) == 2


def test_a_search_that_failed_is_not_kept(tuned):
    tuned.behaves = lambda s: Candidate(fails="crash")
    found = tuned(target_of())
    assert found.settings == ExecutionConfig(micro_batch_rows=4, fused=True)
    assert "SIGSEGV" in found.facts["problem"] and "SIGSEGV" in tuned.lines[-1]
    tuned(target_of())
    assert len(tuned.workers) == 2


def test_a_search_that_got_to_nothing_is_not_kept(tuned):
    tuned.behaves = lambda s: Candidate(1.0)
    found = tuned(target_of())
    assert found.settings == ExecutionConfig() and not found.facts["trials"]
    assert tuned.lines[-1].startswith("Tuning timed out after 6.5 s")
    assert tuned.lines[-1].endswith("using the default settings. Try --tune full or --tune off.")
    tuned.behaves = lambda s: Candidate(0.1 if s.fused else 0.05)
    assert tuned(target_of()).settings.fused is False


def test_a_choice_of_a_busy_machine_is_this_races_alone(tuned, fake_time):
    """A value that wins beside other work, a single thread say, loses without it."""
    tuned.behaves = lambda s: Candidate(
        (0.04 if s.fused else 0.02) * (1 + (s.micro_batch_rows != 4))
    )
    tuned.slowdown = lambda: 1.0 + (int(10 * fake_time()) % 7) / 7
    found = tuned(target_of())
    assert found.settings.fused is False and found.facts["spread"] > tune.DISTURBED
    assert len(tuned.lines) == 1 and "not cached, the machine is busy" in tuned.lines[0]
    tuned.slowdown = lambda: 1.0
    assert tuned(target_of()).facts["from"] == "measured" and len(tuned.workers) == 2
    assert tuned(target_of()).facts["from"] == "cache"


def test_what_is_dropped_and_what_was_not_reached_is_named(tuned):
    tuned.behaves = lambda s: Candidate(fails="compiler" if s.compile == "default" else "")
    tuned(target_of(), "full")
    assert "nothing is faster than the plain settings, 100 ms a step" in tuned.lines[1]
    assert "Tuning dropped compile=default: no g++ found." in tuned.lines
    tuned.behaves = lambda s: Candidate(20.0)
    tuned(target_of(lr=0.5), "full")
    assert tuned.lines[-1].startswith("Not tried for lack of time: ")
    assert tuned.lines[-1].endswith("compile=default.")


@pytest.mark.parametrize(
    ("recipe", "tried"),
    [
        ({"compile": True}, {"micro_batch_rows", "fused"}),
        ({"compile": False}, {"micro_batch_rows", "attention", "fused"}),
    ],
)
def test_a_quick_search_never_starts_what_the_race_decides_by_itself(
    tuned, monkeypatch, recipe, tried
):
    """The engine of a race compiles and is timed beside plain code; rates choose the precision."""
    monkeypatch.setitem(SPACE, "attention", ("auto", "math"))
    plain = {"micro_batch_rows": 4, "fused": True, "attention": "auto"}
    tuned.behaves = lambda s: Candidate(
        0.1 if any(getattr(s, name) not in (None, plain[name]) for name in plain) else 0.01
    )
    facts = tuned(target_of(**recipe)).facts
    assert {trial["field"] for trial in facts["trials"]} == tried
    assert all(s.compile is None and s.precision is None for s in tuned.workers[0].built)


@pytest.mark.parametrize(
    ("recipe", "said", "fixed"),
    [
        ({}, (), set()),
        ({"precision": "bf16"}, (), {"precision"}),
        ({"precision": "auto"}, ("recipe.precision",), set()),
        ({"micro_batch_rows": 2}, (), {"micro_batch_rows"}),
        ({}, ("recipe.micro_batch_rows",), {"micro_batch_rows"}),
        ({"workers": 1}, ("recipe.workers",), {"workers"}),
        ({"compile": False}, (), {"compile"}),
        ({}, ("recipe.compile",), {"compile"}),
        ({"lr": 0.5}, ("recipe.lr",), set()),
    ],
)
def test_what_a_person_or_a_recipe_says_is_not_tried_otherwise(recipe, said, fixed):
    candidates = {**SPACE, "workers": (1, 2)}
    space = tune.open_fields(candidates, Recipe(**recipe), said)
    assert set(candidates) - set(space) == fixed


def test_fixed_fields_stay_the_recipes(tuned):
    target = target_of(precision="bf16", compile=False)
    config = target.run.as_dict()
    found = tuned(target)
    assert (found.settings.precision, found.settings.compile) == (None, None)
    assert target.run.as_dict() == config, "the config of the record does not change"
    assert all(s.precision is None and s.compile is None for s in tuned.workers[0].built)


def test_a_cache_that_cannot_be_written_costs_nothing_but_the_cache(tuned):
    (paths.cache_dir() / "tuning").write_text("a file where the folder should be")
    assert tuned(target_of()).settings.fused is False
