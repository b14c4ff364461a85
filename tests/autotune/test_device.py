"""`auto` among frameworks that share an accelerator: the measurement decides, off the clock."""

import dataclasses
import json
from types import SimpleNamespace
from typing import Any

import pytest
from helpers.command_line import command
from helpers.fakes import FakeEngine, run_of
from helpers.folders import write_stories

from speedrun.autotune import device as devices
from speedrun.backends import registry
from speedrun.device import Device


def device(name: str, **fields) -> Device:
    given = {"available": True, "detail": "", "shared": "gpu", **fields}
    return Device(name=name, backend=name, **given)


def backend(fake_time, step_s: float, error: Exception | None = None) -> Any:
    """Makes one engine of a given speed, or fails."""
    engine = FakeEngine(fake_time, step_s)

    def make(*request):
        if error:
            raise error
        return engine

    return SimpleNamespace(made=engine, engine=make)


ARCHITECTURE: Any = SimpleNamespace(backends=lambda: ["mlx", "mps", "cpu", "gone", "cuda"])


@pytest.fixture
def fastest(monkeypatch, fake_time):
    """The choice among `mlx` and others, each with a backend of its own."""

    def find(**backends: Any) -> tuple[str, dict[str, Any]]:
        monkeypatch.setattr(registry, "backend", backends.__getitem__)
        given = [device(name) for name in backends]
        chosen, times = devices.fastest(given, ARCHITECTURE, run_of(1.0), now=fake_time)
        return chosen.name, times

    return find


def test_candidates_share_an_accelerator_and_can_run(monkeypatch):
    here = [
        device("mlx"),
        device("mps"),
        device("cpu", shared=None),
        device("unwritten"),
        device("gone", available=False),
        device("cuda", shared="another"),
    ]
    monkeypatch.setattr(registry, "devices", lambda *_: here)
    assert [d.name for d in devices.candidates(here[0], ARCHITECTURE)] == ["mlx", "mps"]
    assert [d.name for d in devices.candidates(here[2], ARCHITECTURE)] == ["cpu"]


def test_the_faster_one_is_chosen_whatever_the_order(fake_time, fastest):
    slow, fast = backend(fake_time, 2.0), backend(fake_time, 1.0)
    assert fastest(mlx=slow, mps=fast) == ("mps", {"mlx": 2.0, "mps": 1.0})
    assert fastest(mlx=fast, mps=slow) == ("mlx", {"mlx": 1.0, "mps": 2.0})


def test_the_first_step_compiles_and_does_not_count(fake_time, fastest):
    slow_start = backend(fake_time, 1.0)
    real = slow_start.made.step

    def step(rows, lr_scale):
        fake_time.advance(60.0 if slow_start.made.num_steps == 0 else 0.0)
        real(rows, lr_scale)

    slow_start.made.step = step
    assert fastest(mlx=slow_start, mps=backend(fake_time, 2.0))[0] == "mlx"


def test_one_that_fails_is_out_with_its_reason(fake_time, fastest):
    broken = backend(fake_time, 1.0, RuntimeError("no kernel"))
    chosen, times = fastest(mlx=broken, mps=backend(fake_time, 2.0))
    assert chosen == "mps" and times == {"mlx": "RuntimeError: no kernel", "mps": 2.0}
    with pytest.raises(RuntimeError, match="no kernel"):
        fastest(mlx=broken)


def test_one_without_room_takes_smaller_pieces(fake_time, fastest):
    tight = backend(fake_time, 1.0)
    tight.made.fits_rows = 2
    assert fastest(mlx=tight) == ("mlx", {"mlx": 1.0}) and tight.made.micro_batch_rows == 2


@pytest.mark.slow
@pytest.mark.mlx
def test_a_race_records_the_times(tmp_path, monkeypatch):
    """As on Apple silicon, with the processor as what two frameworks share."""
    pytest.importorskip("mlx.core")
    pair = [dataclasses.replace(registry.device(n), shared="here") for n in ("cpu", "mlx")]
    monkeypatch.setattr(registry, "devices", lambda *_: pair)
    data = write_stories(tmp_path / "stories.jsonl")
    done = command(
        *("--json", "--params", "60K", "--minutes", "0.01", "--data", data, "--vocab", "300"),
        *("--eval-docs", "2", "--set", "recipe.compile=false", "--set", "model.context=32"),
        *("--out", tmp_path / "runs"),
    )
    assert done.code == 0, done.err
    record = json.loads(done.out)
    times = record["train"]["engine"]["auto_step_s"]
    assert times.keys() == {"cpu", "mlx"}
    assert record["device"] == min(times, key=times.__getitem__)
