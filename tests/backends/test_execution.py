"""Settings change how a step is computed and never what: every candidate trains as fp32 does."""

import functools
import os
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from speedrun.autotune import synthetic_batch  # noqa: E402
from speedrun.autotune.search import TOLERANCE  # noqa: E402
from speedrun.backends import registry  # noqa: E402
from speedrun.backends.torch import devices, tuning_space  # noqa: E402
from speedrun.config import Recipe  # noqa: E402
from speedrun.device import DEFAULT_EXECUTION, Device, ExecutionConfig  # noqa: E402
from speedrun.models import loader  # noqa: E402
from speedrun.protocols import EngineSpec  # noqa: E402

NUM_STEPS = 8
PLAIN = ExecutionConfig(precision="fp32", compile="off", fused=True, attention="auto")
EACH = [
    ExecutionConfig(precision="bf16", compile="off"),
    ExecutionConfig(precision="fp32", micro_batch_rows=2, compile="off"),
    ExecutionConfig(precision="fp32", micro_batch_rows=1, compile="off"),
    ExecutionConfig(precision="fp32", attention="math", compile="off"),
    ExecutionConfig(precision="fp32", attention="flash", compile="off"),
    ExecutionConfig(precision="fp32", fused=False, compile="off"),
    ExecutionConfig(precision="fp32", num_threads=1, compile="off"),
    ExecutionConfig(precision="fp32", keep_memory=False, compile="off"),
    ExecutionConfig(
        precision="fp32", micro_batch_rows=2, fused=False, attention="math", compile="off"
    ),
]


@pytest.fixture(autouse=True)
def as_before():
    yield
    devices.prepare("cpu", DEFAULT_EXECUTION)


@functools.cache
def plain_losses(arch: str) -> list[float]:
    return trained(arch, PLAIN)[1]


def trained(arch: str, settings: ExecutionConfig) -> tuple[Any, list[float]]:
    """An engine after some steps, and the loss of each."""
    architecture = loader.architecture(arch)
    config = architecture.for_params(60_000, 300, context=32)
    recipe = Recipe(batch_rows=4, grad_clip=1.0)
    engine = registry.engine(
        EngineSpec(
            architecture=architecture,
            config=config,
            recipe=recipe,
            device=registry.device("cpu"),
            execution=settings,
        )
    )
    rows, losses = synthetic_batch.rows(4, config), []
    for _ in range(NUM_STEPS):
        engine.step(rows, 0.2)
        losses.append(engine.train_loss())
    return engine, losses


@pytest.mark.slow
@pytest.mark.parametrize("arch", ["transformer", "lstm", "d3pm"])
@pytest.mark.parametrize(
    "settings",
    EACH,
    ids=lambda s: ",".join(
        f"{name}={value}"
        for name, value in vars(s).items()
        if value is not None and name != "compile"
    ),
)
def test_every_candidate_trains_as_plain_settings_do(arch, settings):
    right = plain_losses(arch)
    _, losses = trained(arch, settings)
    assert losses == pytest.approx(right, rel=TOLERANCE[settings.precision or "fp32"])
    assert right[-1] < right[0] - 0.1, "and there is something to be wrong about"


def test_settings_win_over_what_the_recipe_leaves_open():
    engine, _ = trained(
        "transformer", ExecutionConfig(precision="bf16", micro_batch_rows=2, compile="off")
    )
    facts = engine.metadata()
    assert (facts["precision"], facts["micro_batch_rows"]) == ("bf16", 2)
    assert facts["compiled"] is False


def test_a_kernel_that_is_not_there_fails_in_the_step():
    with pytest.raises(RuntimeError, match=r"(?i)kernel|attention"):
        trained("transformer", ExecutionConfig(attention="cudnn", compile="off"))


def test_the_mode_reaches_the_compiler(monkeypatch):
    request: list[Any] = []

    def compile(function, *, dynamic, mode):
        request.append(mode)
        return function

    monkeypatch.setattr(torch, "compile", compile)
    for mode in ("default", "reduce-overhead"):
        trained("transformer", ExecutionConfig(precision="fp32", compile=mode))
    assert request == ["default", "reduce-overhead"]


def test_optimizers_are_fused_or_not():
    for fused in (True, False):
        engine, _ = trained(
            "transformer", ExecutionConfig(precision="fp32", fused=fused, compile="off")
        )
        groups = [group for optimizer in engine._optimizers for group in optimizer.param_groups]
        assert {group["fused"] for group in groups if "fused" in group} == {fused}


def test_threads_are_set_and_set_back(monkeypatch):
    monkeypatch.setattr(devices, "default_threads", lambda: 2)
    devices.prepare("cpu", ExecutionConfig(num_threads=1))
    assert torch.get_num_threads() == 1
    devices.prepare("cpu", DEFAULT_EXECUTION)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(1)


def test_the_allocator_is_told_to_keep_memory_or_not():
    for keep in (True, False, None):
        facts = devices.prepare("cpu", ExecutionConfig(keep_memory=keep))
        assert facts["allocator_keeps_memory"] is (keep is not False and devices.has_glibc())


def listed(name: str, precisions=("fp32", "bf16"), arch: str = "transformer") -> Any:
    device = Device(name=name, backend="torch", available=True, detail="", precisions=precisions)
    return tuning_space.of(loader.architecture(arch), Recipe(batch_rows=12), device)


def test_what_the_processor_can_try(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(devices, "default_threads", lambda: 16)
    space = listed("cpu")
    assert space["precision"] == ("fp32", "bf16")
    assert space["num_threads"] == (16, 8, 4)
    assert space["micro_batch_rows"] == (12, 6, 3)
    assert space["attention"] == ("auto", "math")
    assert space["compile"] == ("off", "default")
    assert space["keep_memory"] == ((True, False) if devices.has_glibc() else ())


def test_what_a_gpu_can_try():
    space = listed("cuda", ("fp32", "bf16", "fp16"))
    assert space["precision"] == ("fp32", "bf16", "fp16")
    assert space["compile"][:3] == ("off", "default", "reduce-overhead")
    assert space["fused"] == (True, False) and "flash" in space["attention"]
    assert not space["num_threads"] and not space["keep_memory"]
    assert list(space)[-1] == "micro_batch_rows", "small pieces are launches: tried last"
    assert listed("mps")["compile"] == ("off", "default")


def test_threads_that_the_environment_says_are_not_tried_otherwise(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert listed("cpu")["num_threads"] == ()
    assert os.environ["OMP_NUM_THREADS"] == "3"


def test_attention_is_no_choice_of_a_model_without():
    assert listed("cpu", arch="lstm")["attention"] == ()


def test_counting_has_no_choice():
    ngram = loader.architecture("ngram")
    device = registry.device("numpy", ngram)
    backend = registry.backend("numpy")
    assert not backend.candidates(ngram, Recipe(), device)
    assert not backend.prepare(device, DEFAULT_EXECUTION)


@pytest.mark.slow
@pytest.mark.mlx
def test_mlx_trains_alike_under_its_candidates():
    pytest.importorskip("mlx.core")
    device = registry.device("mlx")
    architecture, backend = loader.architecture("transformer"), registry.backend("mlx")
    config = architecture.for_params(20_000, 64, context=16)
    recipe = Recipe(batch_rows=4)
    space = backend.candidates(architecture, recipe, device)
    assert space["precision"][0] == "fp32" and space["compile"] == ("off", "default")
    losses = {}
    for settings in (
        ExecutionConfig(precision="fp32", compile="off"),
        ExecutionConfig(precision="fp32", compile="off", micro_batch_rows=2),
        ExecutionConfig(precision="bf16", compile="off"),
    ):
        engine = backend.engine(
            EngineSpec(
                architecture=architecture,
                config=config,
                recipe=recipe,
                device=device,
                execution=settings,
            )
        )
        assert engine.metadata()["precision"] == settings.precision
        rows = synthetic_batch.rows(4, config)
        losses[settings] = []
        for _ in range(4):
            engine.step(rows, 0.2)
            losses[settings].append(engine.train_loss())
    right, *others = losses.items()
    for settings, found in others:
        wanted = pytest.approx(right[1], rel=TOLERANCE[settings.precision or "fp32"])
        assert np.array(found) == wanted
