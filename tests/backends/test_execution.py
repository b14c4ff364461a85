"""Settings change how a step is computed and never what: every candidate trains as fp32 does."""

import functools
from typing import Any

import pytest
from helpers.engines import losses_of, small_engine

torch = pytest.importorskip("torch")

from speedrun.autotune.search import TOLERANCE  # noqa: E402
from speedrun.backends import registry  # noqa: E402
from speedrun.backends.torch import devices, tuning_space, workers  # noqa: E402
from speedrun.config import Recipe  # noqa: E402
from speedrun.device import DEFAULT_EXECUTION, Device, ExecutionConfig  # noqa: E402
from speedrun.models import loader  # noqa: E402

NUM_STEPS = 8
# Fields beside precision=fp32 and compile=off.
EACH: list[dict[str, Any]] = [
    {"precision": "bf16"},
    {"micro_batch_rows": 1},
    {"attention": "flash"},
    {"num_threads": 1, "keep_memory": False},
    {"micro_batch_rows": 2, "fused": False, "attention": "math"},
    {"workers": 2, "attention": "math"},
]
ON_MLX = [{"micro_batch_rows": 2}, {"precision": "bf16"}]


@pytest.fixture(autouse=True)
def as_before():
    yield
    devices.prepare("cpu", DEFAULT_EXECUTION)


def engine_with(arch: str = "transformer", device: str = "cpu", **fields: Any) -> Any:
    settings = ExecutionConfig(**{"precision": "fp32", "compile": "off", **fields})
    return small_engine(arch, device, execution=settings, grad_clip=1.0)


@functools.cache
def plain_losses(arch: str, device: str) -> list[float]:
    return losses_of(engine_with(arch, device, fused=True, attention="auto"), NUM_STEPS)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arch", "device", "fields"),
    [
        *((arch, "cpu", fields) for arch in ("transformer", "lstm", "d3pm") for fields in EACH),
        *(pytest.param("transformer", "mlx", fields, marks=pytest.mark.mlx) for fields in ON_MLX),
    ],
)
def test_every_candidate_trains_as_plain_settings_do(arch, device, fields):
    if device == "mlx":
        pytest.importorskip("mlx.core")
    right = plain_losses(arch, device)
    losses = losses_of(engine_with(arch, device, **fields), NUM_STEPS)
    assert losses == pytest.approx(right, rel=TOLERANCE[fields.get("precision", "fp32")])
    assert right[-1] < right[0] - 0.05, "and there is something to be wrong about"


def test_settings_win_over_what_the_recipe_leaves_open():
    facts = engine_with(precision="bf16", micro_batch_rows=2).metadata()
    assert (facts["precision"], facts["micro_batch_rows"]) == ("bf16", 2)
    assert facts["compiled"] is False


def test_a_kernel_that_is_not_there_fails_in_the_step():
    with pytest.raises(RuntimeError, match=r"(?i)kernel|attention"):
        losses_of(engine_with(attention="cudnn"), 1)


def test_the_mode_reaches_the_compiler(monkeypatch):
    request: list[Any] = []

    def compile(function, *, dynamic, mode):
        request.append(mode)
        return function

    monkeypatch.setattr(torch, "compile", compile)
    for mode in ("default", "reduce-overhead"):
        losses_of(engine_with(compile=mode), 1)
    assert request == ["default", "reduce-overhead"]


@pytest.mark.parametrize("fused", [True, False])
def test_optimizers_are_fused_or_not(fused):
    optimizers = engine_with(fused=fused)._optimizers
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    assert {group["fused"] for group in groups if "fused" in group} == {fused}


def test_threads_are_set_and_set_back(monkeypatch):
    monkeypatch.setattr(devices, "default_threads", lambda: 2)
    for settings, number in ((ExecutionConfig(num_threads=1), 1), (DEFAULT_EXECUTION, 2)):
        devices.prepare("cpu", settings)
        assert torch.get_num_threads() == number
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
    monkeypatch.setattr(workers, "are_possible", lambda: True)
    assert listed("cpu") == {
        "precision": ("fp32", "bf16"),
        "num_threads": (16, 8, 4),
        "workers": (1, 2, 4, 8),
        "micro_batch_rows": (12, 6, 3),
        "attention": ("auto", "math"),
        "compile": ("off", "default"),
        "keep_memory": (True, False) if devices.has_glibc() else (),
        "fused": (True, False),
    }
    assert listed("cpu", arch="lstm")["attention"] == ()
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert listed("cpu")["num_threads"] == ()


def test_what_a_gpu_can_try():
    space = listed("cuda", ("fp32", "bf16", "fp16"))
    assert space["precision"] == ("fp32", "bf16", "fp16")
    assert space["compile"][:3] == ("off", "default", "reduce-overhead")
    assert space["fused"] == (True, False) and "flash" in space["attention"]
    assert not space["num_threads"] and not space["keep_memory"]
    assert list(space)[-1] == "micro_batch_rows", "small pieces are launches: tried last"
    assert listed("mps")["compile"] == ("off", "default")


@pytest.mark.parametrize("name", ["numpy", pytest.param("mlx", marks=pytest.mark.mlx)])
def test_what_other_backends_can_try(name):
    architecture = loader.architecture("ngram" if name == "numpy" else "transformer")
    if name == "mlx":
        pytest.importorskip("mlx.core")
    space = registry.backend(name).candidates(
        architecture, Recipe(batch_rows=4), registry.device(name)
    )
    on_mlx = {
        "precision": ("fp32", "bf16", "fp16"),
        "compile": ("off", "default"),
        "micro_batch_rows": (4, 2, 1),
    }
    assert space == (on_mlx if name == "mlx" else {})
