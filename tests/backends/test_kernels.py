"""Kernels: right in values and gradients, and dropped with one line where they are not."""

import shutil
import subprocess
from typing import Any

import pytest
from helpers.engines import load_random, losses_of, small_engine

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402

from speedrun.backends.torch.kernels import build, operators, proof, selection  # noqa: E402
from speedrun.backends.torch.kernels.operators import OPERATORS  # noqa: E402
from speedrun.backends.torch.kernels.selection import Selection  # noqa: E402

ATTENTION = [(1, 1, 1, 1), (2, 3, 53, 20), (1, 2, 97, 64), (3, 1, 48, 33)]
SHAPES = {
    "attention": ATTENTION,
    "attention_backward": ATTENTION,
    "softmax_gradient": [(1, 1), (5, 37), (0, 8), (130, 1025)],
}
ALL = {name: shapes[1] for name, shapes in SHAPES.items()}
CASES = [(name, shape) for name, shapes in SHAPES.items() for shape in shapes]
DTYPES = [torch.float32, torch.bfloat16]

has_compiler = pytest.mark.skipif(
    not any(map(shutil.which, ("g++", "clang++"))), reason="needs a C++ compiler"
)


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """An empty cache, and a process that has loaded no library yet."""
    monkeypatch.setenv("SPEEDRUN_CACHE", str(tmp_path))
    for cached in (build.library, build.target):
        cached.cache_clear()
    yield tmp_path
    for cached in (build.library, build.target):
        cached.cache_clear()


@pytest.fixture
def faster(monkeypatch):
    """Kernels are taken as proven and faster; only what this process checks is left."""
    monkeypatch.setattr(selection._Probe, "speedup", lambda *case: 2.0)


@has_compiler
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("name", "shape"), CASES)
def test_a_kernel_is_its_reference(name, shape, dtype):
    assert proof.problem(OPERATORS[name], shape, dtype) is None


@has_compiler
@pytest.mark.parametrize("threads", [1, 2])
def test_attention_is_pytorchs_in_any_layout(faster, threads):
    chosen = Selection(ALL, torch.float32)
    assert chosen.names == ALL.keys() and chosen.error() is None
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        drawn = torch.randn(2, 70, 3, 3, 20)
        layouts = [drawn.transpose(1, 2).unbind(3), drawn.permute(4, 0, 2, 1, 3).contiguous()]
        for q, k, v in (layouts[0], layouts[1].permute(1, 2, 3, 4, 0).unbind(3)):
            plain = _attention_and_grads(q, k, v)
            with chosen.active():
                found = _attention_and_grads(q, k, v)
            for a, b in zip(found, plain, strict=True):
                torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
    finally:
        torch.set_num_threads(before)
    assert chosen.used == ["attention", "attention_backward"]


def _attention_and_grads(*qkv: Any) -> list[Any]:
    leaves = [x.detach().requires_grad_() for x in qkv]
    out = F.scaled_dot_product_attention(*leaves, is_causal=True, scale=0.3)
    return [out.detach(), *torch.autograd.grad((out * out.detach().sin()).sum(), leaves)]


@has_compiler
@pytest.mark.parametrize(
    ("num_keys", "is_causal", "has_mask"),
    [(40, False, False), (40, False, True), (40, True, True), (30, True, False)],
)
def test_other_attention_stays_pytorchs(faster, num_keys, is_causal, has_mask):
    q, k, v = torch.randn(3, 2, 2, 40, 16)
    inputs = (q, k[:, :, :num_keys], v[:, :, :num_keys], 0.0, is_causal)
    mask = torch.randn(40, num_keys) if has_mask else None
    plain, chosen = operators._FLASH(*inputs, attn_mask=mask)[0], Selection(ALL, q.dtype)
    with chosen.active():
        assert torch.equal(operators._FLASH(*inputs, attn_mask=mask)[0], plain)
    assert chosen.used == []


@has_compiler
@pytest.mark.parametrize("arch", ["transformer", "lstm"])
def test_training_is_the_same_with_kernels(faster, arch):
    losses = []
    for shapes in ({}, ALL):
        engine = small_engine(arch)
        load_random(engine, 0.05)
        engine._kernels = Selection(shapes, torch.float32)
        losses.append(losses_of(engine, 4))
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    expected = ALL.keys() if arch == "transformer" else {"softmax_gradient"}
    assert set(engine._kernels.used) == expected


@pytest.mark.parametrize(
    ("command", "line"),
    [
        ("/nowhere/g++ -v", "no C++ compiler: /nowhere/g++ -v is not there"),
        ("false", "false fails"),
    ],
)
def test_without_a_compiler_training_goes_on(fresh, monkeypatch, command, line):
    monkeypatch.setenv("CXX", command)
    chosen = Selection(ALL, torch.float32)
    assert not chosen.names
    error = chosen.error()
    assert error and line in error and "\n" not in error and error.count(line) == 1


@has_compiler
def test_a_source_with_an_error_is_told_in_one_line(fresh):
    source = fresh / "kernels.cpp"
    source.write_text("int x = ;\n", encoding="utf-8")
    with pytest.raises(build.BuildError, match="error: expected") as raised:
        build.compiled(source)
    assert "\n" not in str(raised.value)


@has_compiler
@pytest.mark.slow
def test_bad_kernels_are_dropped_and_a_good_one_is_used(fresh, monkeypatch):
    """Their library takes the place of the right one, where the child finds it, too."""
    monkeypatch.setattr(selection, "_MIN_SPEEDUP", 0.0)
    monkeypatch.setattr(selection, "_CLEARLY", -1.0)  # this one is not optimised: any lead is kept
    right = build.SOURCE.read_text(encoding="utf-8")
    bad = right.replace("softmax_rows(rows, columns", "*(volatile int*)0 = 0, softmax_rows(0, 0")
    bad = bad.replace("attention_forward(*s,", "(void)(*s,")
    source = fresh / "bad.cpp"
    source.write_text(bad, encoding="utf-8")
    path = build.target()
    path.parent.mkdir(parents=True)
    subprocess.run(
        ["g++", "-std=c++17", "-shared", "-fPIC", str(source), "-o", str(path)], check=True
    )
    chosen = Selection(ALL, torch.float32)
    assert chosen.names == {"attention_backward"}
    assert "SIGSEGV" in chosen.dropped["softmax_gradient"]
    assert "is off by" in chosen.dropped["attention"]
    assert len((chosen.error() or "").splitlines()) == 1
    monkeypatch.setattr(selection, "Child", None)  # the first proof is kept: none is started
    again = Selection({"attention_backward": ALL["attention_backward"]}, torch.float32)
    assert again.names == chosen.names and not again.dropped


def test_without_kernels_the_output_layer_is_plain():
    logits, targets = operators.OPERATORS["softmax_gradient"].inputs((5, 37), torch.float32)
    nats, _ = selection.softmax_gradient(logits, targets)
    torch.testing.assert_close(nats, F.cross_entropy(logits, targets, reduction="none"))
