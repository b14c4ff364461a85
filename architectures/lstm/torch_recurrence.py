"""The recurrence in PyTorch: the fused kernel where it is right and not slow, else step by step.

Shapes: B rows, T positions, D input width, H hidden, G = 4 H gates in the order i, f, g, o.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

Recurrence = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
State = tuple[Tensor, Tensor]  # hidden and cell [B, H] after a token

# A kernel that is wrong is off by about 1; tensor cores that round to TF32 by some 1e-3, half
# precision by some 1e-2.
_TOLERANCE, _HALF_TOLERANCE = 1e-2, 1e-1
_MAYBE_SLOW = ("mps",)  # devices on which the fused kernel must also win a race
_PROBE_SHAPE = (8, 64, 24, 40)  # B, T, D, H


class Choice(NamedTuple):
    """The path that is taken on a device, and why."""

    name: str  # "fused" or "stepwise"
    run: Recurrence
    why: str


def recur(x_BTD: Tensor, weight_x_GD: Tensor, weight_h_GH: Tensor, bias_G: Tensor) -> Tensor:
    """Hidden states [B, T, H] of an LSTM (Hochreiter & Schmidhuber 1997) that starts at zero."""
    device = x_BTD.device.type
    half = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
    return choose(device, half).run(x_BTD, weight_x_GD, weight_h_GH, bias_G)


def fused(x_BTD: Tensor, weight_x_GD: Tensor, weight_h_GH: Tensor, bias_G: Tensor) -> Tensor:
    """The kernel behind `torch.nn.LSTM`: oneDNN's on processors, cuDNN's on CUDA.

    That has two biases which only count as their sum: both trained, the sum moves twice as
    fast as the one bias of other frameworks. Here the second is a constant zero.
    """
    zero_1BH = x_BTD.new_zeros(1, len(x_BTD), weight_h_GH.shape[1])
    weights = [weight_x_GD, weight_h_GH, bias_G, torch.zeros_like(bias_G)]
    states_BTH, _, _ = torch.lstm(
        x_BTD,
        [zero_1BH, zero_1BH],
        weights,
        has_biases=True,
        num_layers=1,
        dropout=0.0,
        train=torch.is_grad_enabled(),
        bidirectional=False,
        batch_first=True,
    )
    return states_BTH


def stepwise(x_BTD: Tensor, weight_x_GD: Tensor, weight_h_GH: Tensor, bias_G: Tensor) -> Tensor:
    """The same from plain products, one step after another: right wherever those are."""
    return resumed(x_BTD, weight_x_GD, weight_h_GH, bias_G, None)[0]


def resumed(
    x_BTD: Tensor, weight_x_GD: Tensor, weight_h_GH: Tensor, bias_G: Tensor, state: State | None
) -> tuple[Tensor, State]:
    """Hidden states [B, T, H] of an LSTM that goes on from `state` (None: zero), and the last.

    Step by step: it is there for one token at a time.
    """
    from_input_TBG = (x_BTD @ weight_x_GD.T + bias_G).transpose(0, 1)
    if state is None:
        h_BH = c_BH = from_input_TBG.new_zeros(len(x_BTD), weight_h_GH.shape[1])
    else:
        h_BH, c_BH = state
    states = []
    for from_input_BG in from_input_TBG.unbind():
        i_BH, f_BH, g_BH, o_BH = (from_input_BG + h_BH @ weight_h_GH.T).chunk(4, dim=-1)
        c_BH = f_BH.sigmoid() * c_BH + i_BH.sigmoid() * g_BH.tanh()
        h_BH = o_BH.sigmoid() * c_BH.tanh()
        states.append(h_BH)
    return torch.stack(states, dim=1), (h_BH, c_BH)


@cache
def choose(device: str, half: torch.dtype | None = None) -> Choice:
    """Try the fused kernel against the steps on this device, in values, gradients and time.

    Fused LSTMs have been wrong (in gradients, silently) and slow in versions of PyTorch for
    Apple's GPUs, and oneDNN has none in bf16 for processors without AVX-512; elsewhere the check
    costs some milliseconds and time is not compared. Under autocast the kernel runs in `half`,
    and is compared with steps in fp32.
    """
    try:
        # In a thread of its own, out of the caller's context: of activation checkpointing, say.
        with ThreadPoolExecutor(1) as pool:
            off = pool.submit(_difference, device, half).result()
    except RuntimeError as error:  # NotImplementedError, which missing kernels raise, is one
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return Choice("stepwise", stepwise, f"the fused kernel fails: {lines[0][:200]}")
    if not off <= (_HALF_TOLERANCE if half else _TOLERANCE):  # also where it is not a number
        return Choice("stepwise", stepwise, f"the fused kernel is off by {off:.2g}")
    if device not in _MAYBE_SLOW:
        return Choice("fused", fused, f"it agrees with the steps to {off:.1g}")
    fused_s, steps_s = _time_s(fused, device), _time_s(stepwise, device)
    times = f"{fused_s * 1e3:.1f} ms, step by step {steps_s * 1e3:.1f} ms"
    if steps_s < fused_s:
        return Choice("stepwise", stepwise, f"the fused kernel is right but slower: {times}")
    return Choice("fused", fused, f"the fused kernel is right and faster: {times}")


def _difference(device: str, half: torch.dtype | None = None) -> float:
    """Largest relative difference, in norm, of values and gradients; the kernel runs in `half`."""
    pairs = zip(
        _values_and_grads(fused, device, half), _values_and_grads(stepwise, device), strict=True
    )
    differences = [float((a - b).norm() / b.norm()) for a, b in pairs]
    return max(differences) if all(d == d for d in differences) else float("nan")


def _values_and_grads(
    run: Recurrence, device: str, half: torch.dtype | None = None
) -> list[Tensor]:
    B, T, D, H = _PROBE_SHAPE
    generator = torch.Generator().manual_seed(0)  # of its own: a probe must not move the run's
    shapes = ((B, T, D), (4 * H, D), (4 * H, H), (4 * H,), (B, T, H))
    # Nothing of the caller's context may count: scoring runs without gradients, training may
    # run in half precision.
    autocast = torch.autocast(device, dtype=half, enabled=half is not None)
    with torch.enable_grad(), autocast:
        *inputs, weights_BTH = (
            (0.3 * torch.randn(shape, generator=generator)).to(device).requires_grad_()
            for shape in shapes
        )
        values_BTH = run(*inputs)
        grads = torch.autograd.grad((values_BTH * weights_BTH.detach()).sum(), inputs)
    return [tensor.detach().float().cpu() for tensor in (values_BTH, *grads)]


def _time_s(run: Recurrence, device: str) -> float:
    times = []
    for _ in range(3):
        start = time.perf_counter()
        _values_and_grads(run, device)  # ends on the processor: waits for the device
        times.append(time.perf_counter() - start)
    return min(times)
