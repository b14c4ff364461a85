"""The output layer: logits and negative log-likelihoods from features.

It belongs to the harness, not to the model. Shapes: N tokens, R tokens with targets in the
tail, D width, V vocab, C ids before the tail.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from speedrun.backends.contract import LMHead
from speedrun.backends.torch.kernels import selection
from speedrun.backends.torch.kernels.selection import CHUNK_TOKENS


def logits(values: Tensor, head: LMHead | None) -> Tensor:
    """Logits [..., V] in fp32 whose softmax is the model's distribution.

    `values` are features [..., D], or without a `head` the model's own logits.
    """
    if head is None or head.tail_1D is None:
        return (values if head is None else F.linear(values, head.weight_VD)).float()
    C = head.head_size
    first = F.linear(values, head.weight_VD[:C]).float()
    tail = F.linear(values, head.weight_VD[C:]).float()
    entry = F.linear(values, head.tail_1D).float()
    return torch.cat((first, entry + tail.log_softmax(dim=-1)), dim=-1)


def token_nll(values: Tensor, head: LMHead | None, targets: Tensor) -> Tensor:
    """Nats [N] of each target in fp32; logits of the tail only where the target is in it."""
    values_N, targets_N = values.flatten(0, -2), targets.flatten()
    chunks = zip(values_N.split(CHUNK_TOKENS), targets_N.split(CHUNK_TOKENS), strict=True)
    return torch.cat([_chunk_nll(x, head, target) for x, target in chunks])


def _chunk_nll(x_ND: Tensor, head: LMHead | None, targets_N: Tensor) -> Tensor:
    if head is None or head.tail_1D is None:
        return F.cross_entropy(logits(x_ND, head), targets_N, reduction="none")
    weight_VD, tail_1D, C = head
    first = F.linear(x_ND, torch.cat((weight_VD[:C], tail_1D))).float()
    nll_N = F.cross_entropy(first, targets_N.clamp(max=C), reduction="none")
    index_R = (targets_N >= C).nonzero().squeeze(1)
    second = F.linear(x_ND[index_R], weight_VD[C:]).float()
    nll_R = F.cross_entropy(second, targets_N[index_R] - C, reduction="none")
    return nll_N.index_add(0, index_R, nll_R)


def mean_nll(values: Tensor, head: LMHead | None, targets: Tensor) -> Tensor:
    """Mean nats per target, a scalar in fp32; targets are [...]."""
    values_N, targets_N = values.flatten(0, -2), targets.flatten()
    if head is None or values_N.device.type != "cpu":
        # Picking out the tokens with targets in the tail would wait for the device every step.
        return F.cross_entropy(logits(values_N, head), targets_N)
    loss: Tensor = _ChunkedMeanNLL.apply(values_N, *head, targets_N)
    return loss


class _ChunkedMeanNLL(torch.autograd.Function):
    """Mean nats without ever holding all logits.

    A chunk's logits become its gradient in place, in the forward pass, where the
    probabilities are at hand: nothing is computed twice, and nothing large is kept.
    """

    @staticmethod
    def forward(
        ctx: Any,
        features_ND: Tensor,
        weight_VD: Tensor,
        tail_1D: Tensor | None,
        head_size: int,
        targets_N: Tensor,
    ) -> Tensor:
        device = features_ND.device.type
        half = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
        x_ND = features_ND.to(half or features_ND.dtype)
        grad_x_ND, grad_tail_1D = torch.empty_like(x_ND), None
        grad_weight_VD = torch.zeros_like(weight_VD)
        with torch.autocast(device, enabled=False):
            if tail_1D is None:
                nll = _sum_and_grads(x_ND, weight_VD, targets_N, grad_x_ND, grad_weight_VD)
            else:
                C = head_size
                first_level = torch.cat((weight_VD[:C], tail_1D))
                grad_first = torch.zeros_like(first_level)
                first_targets_N = targets_N.clamp(max=C)
                nll = _sum_and_grads(x_ND, first_level, first_targets_N, grad_x_ND, grad_first)
                grad_weight_VD[:C], grad_tail_1D = grad_first[:C], grad_first[C:]
                index_R = (targets_N >= C).nonzero().squeeze(1)
                x_RD = x_ND[index_R]
                grad_x_RD = torch.empty_like(x_RD)
                nll = nll + _sum_and_grads(
                    x_RD, weight_VD[C:], targets_N[index_R] - C, grad_x_RD, grad_weight_VD[C:]
                )
                grad_x_ND.index_add_(0, index_R, grad_x_RD)
        ctx.save_for_backward(grad_x_ND, grad_weight_VD, grad_tail_1D)
        ctx.num_tokens = len(targets_N)
        return nll / len(targets_N)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        scale = grad_outputs[0] / ctx.num_tokens
        grads = (g if g is None else g * scale.to(g.dtype) for g in ctx.saved_tensors)
        grad_x_ND, grad_weight_VD, grad_tail_1D = grads
        return grad_x_ND, grad_weight_VD, grad_tail_1D, None, None


def _sum_and_grads(
    x_ND: Tensor, weight_VD: Tensor, targets_N: Tensor, grad_x_ND: Tensor, grad_weight_VD: Tensor
) -> Tensor:
    """Sum of nats; writes the sum's gradient by x and adds that by the weights (in fp32)."""
    weight = weight_VD.to(x_ND.dtype)
    total = torch.zeros((), dtype=torch.float32, device=x_ND.device)
    for start in range(0, len(targets_N), CHUNK_TOKENS):
        part = slice(start, start + CHUNK_TOKENS)
        x, target = x_ND[part], targets_N[part]
        nats, grad = selection.softmax_gradient(x @ weight.T, target)
        total += nats.sum()
        torch.mm(grad, weight, out=grad_x_ND[part])
        grad_weight_VD += (grad.T @ x).to(grad_weight_VD.dtype)
    return total
