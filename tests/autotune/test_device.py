"""`auto` among frameworks that share an accelerator: the measurement decides, off the clock."""

import dataclasses
import json
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


class Backend:
    """Makes one engine of a given speed, or fails."""

    def __init__(self, fake_time, step_s: float, error: Exception | None = None) -> None:
        self.made = FakeEngine(fake_time, step_s)
        self.error = error

    def engine(self, *request):
        if self.error:
            raise self.error
        return self.made


class Architecture:
    """Written for every backend but one."""

    def backends(self) -> list[str]:
        return ["mlx", "mps", "cpu", "gone", "cuda"]


ARCHITECTURE: Any = Architecture()


@pytest.fixture
def found(monkeypatch):
    def find(backends: dict[str, Any], *devices: Device) -> None:
        monkeypatch.setattr(registry, "backend", backends.__getitem__)
        monkeypatch.setattr(registry, "devices", lambda: list(devices))

    return find


def test_candidates_share_an_accelerator_and_can_run(found):
    mine = device("mlx")
    found(
        {},
        mine,
        device("mps"),
        device("cpu", shared=None),
        device("unwritten"),
        device("gone", available=False),
        device("cuda", shared="another"),
    )
    assert [d.name for d in devices.candidates(mine, ARCHITECTURE)] == ["mlx", "mps"]
    assert [d.name for d in devices.candidates(device("cpu", shared=None), ARCHITECTURE)] == ["cpu"]


@pytest.mark.parametrize(("mlx_s", "mps_s", "winner"), [(2.0, 1.0, "mps"), (1.0, 2.0, "mlx")])
def test_the_faster_one_is_chosen_whatever_the_order(fake_time, found, mlx_s, mps_s, winner):
    backends = {"mlx": Backend(fake_time, mlx_s), "mps": Backend(fake_time, mps_s)}
    found(backends)
    pair = [device("mlx"), device("mps")]
    for order in (pair, pair[::-1]):
        chosen, times = devices.fastest(order, ARCHITECTURE, run_of(1.0), now=fake_time)
        assert chosen.name == winner
        assert times == {"mlx": mlx_s, "mps": mps_s}


def test_the_first_step_compiles_and_does_not_count(fake_time, found):
    slow_start = Backend(fake_time, 1.0)
    real = slow_start.made.step

    def step(rows, lr_scale):
        fake_time.advance(60.0 if slow_start.made.num_steps == 0 else 0.0)
        real(rows, lr_scale)

    slow_start.made.step = step
    found({"mlx": slow_start, "mps": Backend(fake_time, 2.0)})
    chosen, _ = devices.fastest(
        [device("mlx"), device("mps")], ARCHITECTURE, run_of(1.0), now=fake_time
    )
    assert chosen.name == "mlx"


def test_one_that_fails_is_out_with_its_reason(fake_time, found):
    broken = Backend(fake_time, 1.0, RuntimeError("no kernel"))
    found({"mlx": broken, "mps": Backend(fake_time, 2.0)})
    run = run_of(1.0)
    both = [device("mlx"), device("mps")]
    chosen, times = devices.fastest(both, ARCHITECTURE, run, now=fake_time)
    assert chosen.name == "mps" and times == {"mlx": "RuntimeError: no kernel", "mps": 2.0}
    with pytest.raises(RuntimeError, match="no kernel"):
        devices.fastest(both[:1], ARCHITECTURE, run, now=fake_time)


def test_one_without_room_takes_smaller_pieces(fake_time, found):
    tight = Backend(fake_time, 1.0)
    tight.made.fits_rows = 2
    found({"mlx": tight})
    _, times = devices.fastest([device("mlx")], ARCHITECTURE, run_of(1.0), now=fake_time)
    assert times == {"mlx": 1.0} and tight.made.micro_batch_rows == 2


@pytest.mark.slow
@pytest.mark.mlx
def test_a_race_records_the_times(tmp_path, monkeypatch):
    """As on Apple silicon, with the processor as what two frameworks share."""
    pytest.importorskip("mlx.core")
    pair = [dataclasses.replace(registry.device(n), shared="here") for n in ("cpu", "mlx")]
    monkeypatch.setattr(registry, "devices", lambda: pair)
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
