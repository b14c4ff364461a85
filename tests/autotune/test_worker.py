"""The autotuner's child process: first steps, times, engines that fail."""

from types import SimpleNamespace
from typing import Any

import pytest
from helpers.fakes import FakeEngine, run_of

from speedrun.autotune import worker
from speedrun.autotune.search import start_worker
from speedrun.autotune.worker import Engines, Target
from speedrun.backends import registry
from speedrun.device import ExecutionConfig
from speedrun.models import loader
from speedrun.protocols import OutOfMemory
from speedrun.system.hardware import Machine
from speedrun.system.subprocesses import ChildTimeout


def target() -> Target:
    architecture, device = loader.architecture("transformer"), registry.device("cpu")
    return Target(
        arch="transformer",
        architecture=architecture,
        run=run_of(1.0, compile=False),
        backend=registry.backend(device.backend),
        device=device,
        machine=Machine(cpu="", arch="", cores=1, memory_bytes=1, features=()),
    )


@pytest.fixture
def engines(fake_time, monkeypatch):
    """Engines whose steps take 2 s of fake time and whose losses fall; two rows fit."""
    made: list[Any] = []
    prepared: list[ExecutionConfig] = []

    def engine(spec: Any) -> Any:
        made.append(FakeEngine(fake_time, 2.0))
        made[-1].losses = [7.0, 6.0, 5.0, 4.0]
        made[-1].micro_batch_rows = spec.execution.micro_batch_rows or 2
        made[-1].fits_rows = 2
        return made[-1]

    backend = SimpleNamespace(
        engine=engine, prepare=lambda device, execution: prepared.append(execution)
    )
    of_target = target()
    monkeypatch.setattr(registry, "device", lambda name, architecture: of_target.device)
    monkeypatch.setattr(registry, "backend", lambda name: backend)
    monkeypatch.setattr(worker, "time", SimpleNamespace(perf_counter=fake_time))
    return SimpleNamespace(
        served=Engines(notice=lambda text: None, **of_target.arguments()),
        made=made,
        prepared=prepared,
    )


def settings(**fields: Any) -> dict[str, Any]:
    return vars(ExecutionConfig(**fields))


def test_first_steps_and_times_come_back(engines):
    first = engines.served.build(settings(num_threads=2))
    assert first["losses"] == [7.0, 6.0, 5.0, 4.0] and not first["is_slow"]
    assert first["times_s"] == [2.0] * 4 and first["metadata"]["precision"] == "fp32"
    engines.served.promote()
    engines.served.build(settings(num_threads=1))
    assert engines.served.time("best", 5) == 2.0 and engines.made[0].num_steps == 9
    assert engines.prepared == [ExecutionConfig(num_threads=2)], "what the process shares is set"


def test_an_engine_far_too_slow_is_given_up_at_once(engines):
    for limit, num_steps in (("first_s", 1), ("step_s", 3)):
        first = engines.served.build(settings(), **{limit: 1.9})
        assert first["is_slow"] and len(first["losses"]) == num_steps
        with pytest.raises(KeyError):
            engines.served.time("rival", 1)


def test_only_the_default_settings_take_smaller_pieces(engines):
    with pytest.raises(OutOfMemory):
        engines.served.build(settings(micro_batch_rows=4))
    engines.served.build(settings(micro_batch_rows=4), may_shrink=True)
    assert engines.made[-1].micro_batch_rows == 2


@pytest.mark.slow
def test_real_steps_are_timed_in_a_child_that_is_killed_where_they_hang():
    child = start_worker()
    try:
        child.call("start", timeout_s=60, **target().arguments())
        first = child.call("build", timeout_s=60, settings=settings(num_threads=1))
        assert len(first["losses"]) == 4 and first["losses"][-1] < first["losses"][0]
        child.call("promote")
        assert child.call("time", timeout_s=30, slot="best", num_steps=2) > 0
        with pytest.raises(ChildTimeout):
            child.call("time", timeout_s=0.1, slot="best", num_steps=10**7)
        assert child.exit_code is not None
    finally:
        child.kill()
