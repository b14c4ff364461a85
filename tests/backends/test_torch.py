"""PyTorch alone: the chunked loss, Muon, parameter groups, a compiler that is right."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from helpers.engines import random_rows, small_engine

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402

from speedrun.backends.contract import LMHead  # noqa: E402
from speedrun.backends.torch import compile as compiler  # noqa: E402
from speedrun.backends.torch import devices, lm_head, optimizers  # noqa: E402

V, D, N = 40, 12, 1100  # more tokens than one chunk


@pytest.mark.parametrize("head_size", [0, 10])
def test_chunked_loss_is_that_of_the_logits_with_its_gradients(head_size):
    generator = torch.Generator().manual_seed(0)
    x, weight, tail = (
        torch.randn(shape, generator=generator).requires_grad_()
        for shape in ((N, D), (V, D), (1, D))
    )
    targets = torch.randint(0, V, (N,), generator=generator)
    head = LMHead(weight, tail if head_size else None, head_size)
    inputs = (x, weight, tail) if head_size else (x, weight)
    plain = F.cross_entropy(lm_head.logits(x, head), targets)
    chunked = lm_head.mean_nll(x, head, targets)
    torch.testing.assert_close(chunked, plain)
    grads = (torch.autograd.grad(loss, inputs) for loss in (chunked, plain))
    for mine, theirs in zip(*grads, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-6)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert lm_head.mean_nll(x, head, targets).item() == pytest.approx(plain.item(), rel=0.02)


def test_batched_muon_follows_stock_muon():
    """The stock one iterates in bf16, so only near equality can be asked."""
    generator = torch.Generator().manual_seed(0)
    shapes = [(24, 24), (24, 24), (48, 24), (24, 48)]
    start = [torch.randn(s, generator=generator) for s in shapes]
    grads = [[torch.randn(s, generator=generator) for s in shapes] for _ in range(3)]
    settings = {"lr": 0.02, "momentum": 0.9, "weight_decay": 0.1}
    ends = []
    for make in (
        lambda p: torch.optim.Muon(p, **settings),
        lambda p: optimizers.BatchedMuon(p, **settings, dtype=torch.float32),
    ):
        params = [torch.nn.Parameter(s.clone()) for s in start]
        optimizer = make(params)
        for step in grads:
            for param, grad in zip(params, step, strict=True):
                param.grad = grad.clone()
            optimizer.step()
        ends.append(params)
    for stock, mine, begin in zip(*ends, start, strict=True):
        assert (stock - mine).norm() < 0.03 * (stock - begin).norm()


def test_orthogonalized_has_singular_values_near_one():
    x = torch.randn(3, 20, 50, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(optimizers.orthogonalized(x, (3.4445, -4.775, 2.0315), 5))
    assert values.min() > 0.5 and values.max() < 1.5


def test_a_parameter_without_a_group_is_an_error():
    with pytest.raises(LookupError, match="PARAM_GROUPS"):
        optimizers.group_of("mystery.weight", [("blocks.*", "matrix")])


def test_compiling_that_is_right_is_kept(monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda f, **_: lambda tokens: f(tokens))
    engine = small_engine(compile=True)
    engine.step(random_rows(), 1.0)
    assert engine.metadata()["compiled"] is True


def test_muon_leaves_a_matrix_without_a_gradient_as_it_is():
    """Its momentum waits, too: what others do meanwhile changes nothing."""
    generator = torch.Generator().manual_seed(0)
    start, *grads = torch.randn(4, 3, 6, 6, generator=generator)
    settings = {"lr": 0.02, "momentum": 0.9, "weight_decay": 0.1, "dtype": torch.float32}
    together = [torch.nn.Parameter(matrix.clone()) for matrix in start]
    alone = [torch.nn.Parameter(matrix.clone()) for matrix in start]
    optimizer = optimizers.BatchedMuon(together, **settings)
    ones = [optimizers.BatchedMuon([param], **settings) for param in alone]
    for step, idle in enumerate((1, 0, None)):
        for i, (one, param) in enumerate(zip(ones, alone, strict=True)):
            grad = None if i == idle else grads[step][i]
            together[i].grad, param.grad = grad, grad
            one.step()
        optimizer.step()
    for mine, right in zip(together, alone, strict=True):
        torch.testing.assert_close(mine, right)


@pytest.mark.parametrize("cause", ["space", "file"])
def test_a_cache_that_the_compiler_cannot_use_is_replaced(monkeypatch, tmp_path, cause):
    """Here it does not compile, but says which cache it would use."""
    (tmp_path / "file").write_text("")
    chosen = tmp_path / {"space": "a b", "file": "file"}[cause]
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(chosen))
    monkeypatch.setattr(torch, "compile", lambda f, **_: lambda tokens: f(tokens))
    compiler._prepare_compiler.cache_clear()
    engine = small_engine(compile=True)
    engine.step(random_rows(), 1.0)
    facts = engine.metadata()
    assert facts["compiled"] is True
    assert facts["compile_cache"].startswith(f"the compiler's cache {chosen} does not serve (")
    used = os.environ["TORCHINDUCTOR_CACHE_DIR"]
    assert " " not in used and Path(used).is_dir()
    compiler._prepare_compiler.cache_clear()


BROKEN = "case $* in *.cpp*|*.h*) echo a.cpp: fatal error: no Python.h; exit 1; esac; exec c++ $*"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("c++") is None, reason="needs a compiler to stand before")
def test_a_compiler_that_does_not_work_costs_a_reason(tmp_path):
    """One process tries them: PyTorch remembers of a compiler that it works, not that it fails."""
    scripts = {
        "exit 1": "no C++ compiler works here, and CXX is ",
        "sleep 600": "hung and was ended",
        BROKEN: "fatal error: no Python.h",
    }
    fake = tmp_path / "c++"
    fake.touch(0o755)
    code = f"""
import pathlib, torch
from helpers.engines import random_rows, small_engine
from speedrun.system import watchdog
for script in {[*scripts]}:
    pathlib.Path({str(fake)!r}).write_text("#!/bin/sh\\n" + script + "\\n")
    idle_s = 1.0 if "sleep" in script else 120.0  # a real compiler may be slow here
    watchdog.ending_hung_children.__wrapped__.__defaults__ = (idle_s, 600.0)
    torch._dynamo.reset()
    engine = small_engine(compile=True)
    engine.step(random_rows(), 1.0)
    print(engine.metadata()["compiled"], engine.metadata()["compile_error"])
"""
    paths = {"PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(tmp_path)}
    cache = {"TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **paths, **cache, "CXX": str(fake)},
        capture_output=True,
        text=True,
    )
    lines = done.stdout.splitlines()
    assert len(lines) == len(scripts) and "Error" not in done.stdout, done.stderr
    for line, reason in zip(lines, scripts.values(), strict=True):
        assert line.startswith("False ") and reason in line, done.stdout


def test_a_gpu_is_named_as_nvml_names_it(monkeypatch):
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    named = lambda index: SimpleNamespace(uuid=f"{index}-of-this-process")  # noqa: E731
    monkeypatch.setattr(torch.cuda, "get_device_properties", named)
    assert devices._cuda_uuid() == "GPU-1-of-this-process"
    monkeypatch.setattr(torch.version, "hip", "6.4")  # AMD's
    assert devices._cuda_uuid() is None
    assert [device.uuid for device in devices.found() if device.name == "cpu"] == [None]
