"""Operators of the library: each a kernel, its plain reference and what it replaces in PyTorch.

Shapes: B rows, N heads, T positions, K head size, R rows of logits, V vocab.
"""

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from speedrun.backends.torch.kernels import build

SUFFIXES = {torch.float32: "fp32", torch.bfloat16: "bf16"}
_FLASH = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_FLASH_BACKWARD = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward

Tensors = tuple[Tensor, ...]


@dataclass(frozen=True, kw_only=True)
class Operator:
    """One operator; its three functions take the same inputs and give the same outputs."""

    name: str
    inputs: Callable[[tuple[int, ...], torch.dtype], tuple[Any, ...]]  # random, of such a shape
    kernel: Callable[..., Tensors]
    reference: Callable[..., Tensors]  # plain operations in fp32
    replaced: Callable[..., Tensors]


class _Shape(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int64) for name in "BNTK"] + [("scale", ctypes.c_float)]


def attention(qkv: Tensors, scale: float) -> Tensors:
    """Causal attention [B, N, T, K] and the logsumexp [B, N, T] of its scores."""
    B, N, T, K = qkv[0].shape
    out_BNTK = qkv[0].new_empty(B, T, N, K).transpose(1, 2)
    lse_BNT = torch.empty(B, T, N).transpose(1, 2)
    _call_attention("forward", _Shape(B, N, T, K, scale), (*map(_rows, qkv), out_BNTK, lse_BNT))
    return out_BNTK, lse_BNT


def attention_backward(inputs: Tensors, scale: float) -> Tensors:
    """Gradients [B, N, T, K] by queries, keys and values.

    Inputs are the gradient of the output, queries, keys, values, output and logsumexp.
    """
    *of_heads, lse_BNT = inputs
    B, N, T, K = of_heads[0].shape
    grads = [of_heads[0].new_empty(B, T, N, K).transpose(1, 2) for _ in range(3)]
    tensors = (*map(_rows, of_heads), lse_BNT, *grads)
    _call_attention("backward", _Shape(B, N, T, K, scale), tensors)
    return tuple(grads)


def softmax_gradient(logits_RV: Tensor, targets_R: Tensor) -> Tensors:
    """Nats [R] in fp32 of the targets, and their gradient by the logits, in the logits' place."""
    nats_R = torch.empty(len(logits_RV))
    function = getattr(build.library(), f"softmax_{SUFFIXES[logits_RV.dtype]}")
    sizes = (ctypes.c_int64(size) for size in logits_RV.shape)
    stride = ctypes.c_int64(logits_RV.stride(0))
    function(*sizes, _pointer(logits_RV), stride, _pointer(targets_R), _pointer(nats_R))
    return nats_R, logits_RV


def plain_softmax_gradient(logits_RV: Tensor, targets_R: Tensor) -> Tensors:
    """The same in PyTorch's operations; the gradient is a new tensor."""
    log_probs_RV = logits_RV.float().log_softmax(dim=-1)
    nats_R = -log_probs_RV.gather(1, targets_R[:, None])[:, 0]
    grad_RV = log_probs_RV.exp_()
    minus_R1 = targets_R.new_full((len(targets_R), 1), -1, dtype=grad_RV.dtype)
    grad_RV.scatter_add_(1, targets_R[:, None], minus_R1)
    return nats_R, grad_RV.to(logits_RV.dtype)


def _plain_attention(qkv: Tensors, scale: float) -> Tensors:
    q, k, v = (x.float() for x in qkv)
    T = q.shape[2]
    unseen_TT = torch.ones(T, T, dtype=torch.bool).triu(1)
    scores_BNTT = (scale * q @ k.transpose(2, 3)).masked_fill(unseen_TT, -torch.inf)
    return scores_BNTT.softmax(dim=-1) @ v, scores_BNTT.logsumexp(dim=-1)


@torch.enable_grad()
def _plain_attention_backward(inputs: Tensors, scale: float) -> Tensors:
    grad_BNTK, *qkv = inputs[:4]
    leaves = tuple(x.detach().float().requires_grad_() for x in qkv)
    return torch.autograd.grad(_plain_attention(leaves, scale)[0], leaves, grad_BNTK.float())


def _attention_inputs(shape: tuple[int, ...], dtype: torch.dtype) -> tuple[Tensors, float]:
    B, N, T, K = shape
    generator = torch.Generator().manual_seed(0)
    drawn = [torch.randn(B, T, N, K, generator=generator) for _ in range(3)]
    return tuple(x.to(dtype).transpose(1, 2) for x in drawn), 1.5 * K**-0.5


def _backward_inputs(shape: tuple[int, ...], dtype: torch.dtype) -> tuple[Tensors, float]:
    qkv, scale = _attention_inputs(shape, dtype)
    out_BNTK, lse_BNT = _plain_attention(qkv, scale)
    return (qkv[1].flip(2), *qkv, out_BNTK.to(dtype), lse_BNT), scale


def _softmax_inputs(shape: tuple[int, ...], dtype: torch.dtype) -> tuple[Any, ...]:
    R, V = shape
    generator = torch.Generator().manual_seed(0)
    logits_RV = 3 * torch.randn(R, V, generator=generator)
    return logits_RV.to(dtype), torch.randint(0, V, (R,), generator=generator)


OPERATORS = {
    operator.name: operator
    for operator in (
        Operator(
            name="attention",
            inputs=_attention_inputs,
            kernel=attention,
            reference=_plain_attention,
            replaced=lambda qkv, scale: _FLASH(*qkv, 0.0, True, scale=scale),
        ),
        Operator(
            name="attention_backward",
            inputs=_backward_inputs,
            kernel=attention_backward,
            reference=_plain_attention_backward,
            replaced=lambda inputs, scale: _FLASH_BACKWARD(*inputs, 0.0, True, scale=scale),
        ),
        Operator(
            name="softmax_gradient",
            inputs=_softmax_inputs,
            kernel=softmax_gradient,
            reference=lambda logits, targets: plain_softmax_gradient(logits.float(), targets),
            replaced=plain_softmax_gradient,
        ),
    )
}


def _rows(x: Tensor) -> Tensor:
    """The tensor with its last axis in one piece, as the library reads it."""
    return x if x.stride(-1) == 1 else x.contiguous()


def _call_attention(direction: str, shape: _Shape, tensors: Tensors) -> None:
    function = getattr(build.library(), f"{direction}_{SUFFIXES[tensors[0].dtype]}")
    strides = [stride for x in tensors for stride in x.stride()[:3]]
    at = (ctypes.c_int64 * len(strides))(*strides)
    function(ctypes.byref(shape), *map(_pointer, tensors), at)


def _pointer(x: Tensor) -> ctypes.c_void_p:
    return ctypes.c_void_p(x.data_ptr())
