"""What is PyTorch's own: precision, compilation, memory, the optimizers, the output head."""

import numpy as np
import pytest
from helpers.engines import random_rows, small_engine

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402

from speedrun.backends.contract import LMHead  # noqa: E402
from speedrun.backends.torch import devices, lm_head, optimizers  # noqa: E402
from speedrun.protocols import OutOfMemory  # noqa: E402

V, D, N = 40, 12, 1100  # more tokens than one chunk


@pytest.fixture(params=[0, 10], ids=["one-level", "two-levels"])
def case(request):
    generator = torch.Generator().manual_seed(0)
    head_size = request.param
    parts = {
        "x": torch.randn(N, D, generator=generator),
        "weight": torch.randn(V, D, generator=generator),
        "tail": torch.randn(1, D, generator=generator) if head_size else None,
    }
    parts = {k: v if v is None else v.requires_grad_() for k, v in parts.items()}
    targets = torch.randint(0, V, (N,), generator=generator)
    return parts, head_size, targets


def test_chunked_loss_equals_softmax_of_the_logits_with_its_gradients(case):
    parts, head_size, targets = case
    head = LMHead(parts["weight"], parts["tail"], head_size)
    wanted = [p for p in parts.values() if p is not None]
    plain = F.cross_entropy(lm_head.logits(parts["x"], head), targets)
    plain_grads = torch.autograd.grad(plain, wanted)
    chunked = lm_head.mean_nll(parts["x"], head, targets)
    chunked_grads = torch.autograd.grad(chunked, wanted)
    torch.testing.assert_close(chunked, plain)
    for mine, theirs in zip(chunked_grads, plain_grads, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-6)


def test_two_levels_are_normalised(case):
    parts, head_size, _ = case
    logits = lm_head.logits(parts["x"], LMHead(parts["weight"], parts["tail"], head_size))
    assert logits.shape == (N, V)
    if head_size:  # and are log-probabilities up to one constant a token
        first = F.linear(parts["x"], torch.cat((parts["weight"][:head_size], parts["tail"])))
        torch.testing.assert_close(logits.logsumexp(-1), first.logsumexp(-1))


def test_token_nll_are_those_of_the_logits(case):
    parts, head_size, targets = case
    head = LMHead(parts["weight"], parts["tail"], head_size)
    plain = F.cross_entropy(lm_head.logits(parts["x"], head), targets, reduction="none")
    torch.testing.assert_close(lm_head.token_nll(parts["x"], head, targets), plain)


def test_chunked_loss_in_bf16_stays_near_fp32(case):
    parts, head_size, targets = case
    head = LMHead(parts["weight"], parts["tail"], head_size)
    exact = lm_head.mean_nll(parts["x"], head, targets)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = lm_head.mean_nll(parts["x"], head, targets)
    assert half.item() == pytest.approx(exact.item(), rel=0.02)


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
        moved = (stock - begin).norm()
        assert (stock - mine).norm() < 0.03 * moved


def test_orthogonalized_has_singular_values_near_one():
    x = torch.randn(3, 20, 50, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(optimizers.orthogonalized(x, (3.4445, -4.775, 2.0315), 5))
    assert values.min() > 0.5 and values.max() < 1.5


def test_a_parameter_without_a_group_is_an_error():
    with pytest.raises(LookupError, match="PARAM_GROUPS"):
        optimizers.group_of("mystery.weight", [("blocks.*", "matrix")])


def test_out_of_memory_leaves_the_weights_and_can_be_tried_again(monkeypatch):
    engine, rows = small_engine(), random_rows()
    before = engine.weights()
    real = engine.losses.loss

    def no_room(piece, forward):
        if len(piece) > 2:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried too much")
        return real(piece, forward)

    monkeypatch.setattr(engine.losses, "loss", no_room)
    with pytest.raises(OutOfMemory, match="can't allocate"):
        engine.step(rows, 1.0)
    for name, value in engine.weights().items():
        np.testing.assert_array_equal(value, before[name])
    assert engine.halve_micro_batch() == 2
    engine.step(rows, 1.0)
    assert np.isfinite(engine.train_loss())


def test_other_errors_are_not_taken_for_memory(monkeypatch):
    engine = small_engine()
    monkeypatch.setattr(engine.losses, "loss", lambda *args: 1 / torch.zeros(1).view(2))
    with pytest.raises(RuntimeError, match=r"shape|size"):
        engine.step(random_rows(), 1.0)


def test_compiling_that_fails_falls_back_with_its_reason(monkeypatch):
    def broken(*args, **kwargs):
        def call(tokens):
            raise RuntimeError("InvalidCxxCompiler: no g++ found\nlong story")

        return call

    monkeypatch.setattr(torch, "compile", broken)
    engine = small_engine(compile=True)
    engine.step(random_rows(), 1.0)
    assert engine.metadata()["compiled"] is False
    assert engine.metadata()["compile_error"] == "InvalidCxxCompiler: no g++ found"


def test_compiling_that_is_wrong_falls_back_with_the_number(monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda f, **_: lambda tokens: 1.1 * f(tokens))
    wrong, eager = small_engine(compile=True), small_engine()
    for engine in (wrong, eager):
        engine.step(random_rows(), 1.0)
    assert wrong.metadata()["compiled"] is False
    assert "off by 0." in wrong.metadata()["compile_error"]
    assert wrong.train_loss() == eager.train_loss(), "the proof must leave no gradient behind"


def test_compiling_that_is_right_is_kept(monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda f, **_: lambda tokens: f(tokens))
    engine = small_engine(compile=True)
    engine.step(random_rows(), 1.0)
    assert engine.metadata()["compiled"] is True


def test_a_precision_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="allowed are auto, fp32, bf16"):
        small_engine(precision="fp16")


def test_bf16_stays_near_fp32():
    rows = random_rows()
    losses = []
    for precision in ("fp32", "bf16"):
        engine = small_engine(precision=precision)
        for _ in range(5):
            engine.step(rows, 1.0)
        losses.append(engine.train_loss())
    assert losses[1] == pytest.approx(losses[0], rel=0.02)


def test_gradient_clipping_bounds_the_step():
    rows, ends = random_rows(), []
    for clip in (0.0, 1e-6):
        engine = small_engine(optimizer="adamw", grad_clip=clip, eps=1.0)
        before = engine.weights()
        engine.step(rows, 1.0)
        after = engine.weights()
        ends.append(max(np.abs(after[n] - before[n]).max() for n in before))
    assert ends[1] < 1e-3 * ends[0]


def test_matmul_rate_is_measured_and_missing_precisions_are_none():
    assert (devices.matmul_gflops("cpu", "fp32") or 0) > 0.1
    assert devices.matmul_gflops("cpu", "fp16") is None
