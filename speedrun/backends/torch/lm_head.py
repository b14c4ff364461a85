"""The output layer: logits and loss from features, owned by the harness, not by the model.

Shapes: N tokens, D width, V vocab, C common tokens.
"""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

CHUNK_TOKENS = 512


class Output(NamedTuple):
    """Output weights; with `rare_1D` the softmax has two levels (Grave et al. 2017).

    The first `num_common` ids and one entry for "a rarer one" share the first softmax, the
    rare ids the second. Exact and normalised; at 1,024 of 4,096 ids nine tokens in ten need
    only a quarter of the products.
    """

    weight_VD: Tensor
    rare_1D: Tensor | None = None
    num_common: int = 0


def logits(features: Tensor, output: Output) -> Tensor:
    """Logits [..., V] in fp32 whose softmax is the model's distribution."""
    if output.rare_1D is None:
        return F.linear(features, output.weight_VD).float()
    C = output.num_common
    common = F.linear(features, output.weight_VD[:C]).float()
    rare = F.linear(features, output.weight_VD[C:]).float()
    entry = F.linear(features, output.rare_1D).float()
    return torch.cat((common, entry + rare.log_softmax(dim=-1)), dim=-1)


def token_nats(features_ND: Tensor, output: Output, targets_N: Tensor) -> Tensor:
    """Nats of each target in fp32, without the logits of rare tokens where none is a target."""
    parts = [
        _chunk_nats(x, output, target)
        for x, target in zip(
            features_ND.split(CHUNK_TOKENS), targets_N.split(CHUNK_TOKENS), strict=True
        )
    ]
    return torch.cat(parts)


def _chunk_nats(x_ND: Tensor, output: Output, targets_N: Tensor) -> Tensor:
    weight_VD, rare_1D, C = output
    if rare_1D is None:
        return F.cross_entropy(F.linear(x_ND, weight_VD).float(), targets_N, reduction="none")
    first = F.linear(x_ND, torch.cat((weight_VD[:C], rare_1D))).float()
    nats_N = F.cross_entropy(first, targets_N.clamp(max=C), reduction="none")
    index_R = (targets_N >= C).nonzero().squeeze(1)
    second = F.linear(x_ND[index_R], weight_VD[C:]).float()
    nats_R = F.cross_entropy(second, targets_N[index_R] - C, reduction="none")
    return nats_N.index_add(0, index_R, nats_R)


def mean_nats(features_BTD: Tensor, output: Output, targets_BT: Tensor) -> Tensor:
    """Mean nats per target, a scalar in fp32."""
    features_ND = features_BTD.flatten(0, -2)
    targets_N = targets_BT.flatten()
    if features_ND.device.type != "cpu":
        # Picking out the tokens with rare targets would wait for the device at every step.
        return F.cross_entropy(logits(features_ND, output), targets_N)
    loss: Tensor = _ChunkedMeanNats.apply(features_ND, *output, targets_N)
    return loss


class _ChunkedMeanNats(torch.autograd.Function):
    """Mean nats without ever holding all logits.

    A chunk's logits become its gradient in place, in the forward pass, where the
    probabilities are at hand: nothing is computed twice, and nothing large is kept.
    """

    @staticmethod
    def forward(
        ctx: Any,
        features_ND: Tensor,
        weight_VD: Tensor,
        rare_1D: Tensor | None,
        num_common: int,
        targets_N: Tensor,
    ) -> Tensor:
        device = features_ND.device.type
        half = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
        dtype = half or features_ND.dtype
        x_ND = features_ND.to(dtype)
        grad_x_ND = torch.empty_like(x_ND)
        grad_weight_VD = torch.zeros_like(weight_VD)
        with torch.autocast(device, enabled=False):
            if rare_1D is None:
                nats = _nats_and_grads(x_ND, weight_VD, targets_N, grad_x_ND, grad_weight_VD)
                grad_rare_1D = None
            else:
                C = num_common
                first_level = torch.cat((weight_VD[:C], rare_1D))
                grad_first = torch.zeros_like(first_level)
                first_targets_N = targets_N.clamp(max=C)
                nats = _nats_and_grads(x_ND, first_level, first_targets_N, grad_x_ND, grad_first)
                grad_weight_VD[:C], grad_rare_1D = grad_first[:C], grad_first[C:]
                index_R = (targets_N >= C).nonzero().squeeze(1)
                x_RD = x_ND[index_R]
                grad_x_RD = torch.empty_like(x_RD)
                nats = nats + _nats_and_grads(
                    x_RD, weight_VD[C:], targets_N[index_R] - C, grad_x_RD, grad_weight_VD[C:]
                )
                grad_x_ND.index_add_(0, index_R, grad_x_RD)
        ctx.save_for_backward(grad_x_ND, grad_weight_VD, grad_rare_1D)
        ctx.num_tokens = len(targets_N)
        return nats / len(targets_N)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        scale = grad_outputs[0] / ctx.num_tokens
        grads = (g if g is None else g * scale.to(g.dtype) for g in ctx.saved_tensors)
        grad_x_ND, grad_weight_VD, grad_rare_1D = grads
        return grad_x_ND, grad_weight_VD, grad_rare_1D, None, None


def _nats_and_grads(
    x_ND: Tensor, weight_VD: Tensor, targets_N: Tensor, grad_x_ND: Tensor, grad_weight_VD: Tensor
) -> Tensor:
    """Sum of nats; writes the sum's gradient by x and adds that by the weights (in fp32)."""
    weight = weight_VD.to(x_ND.dtype)
    total = torch.zeros((), dtype=torch.float32, device=x_ND.device)
    for start in range(0, len(targets_N), CHUNK_TOKENS):
        part = slice(start, start + CHUNK_TOKENS)
        x, target = x_ND[part], targets_N[part, None]
        log_probs = (x @ weight.T).float().log_softmax(dim=-1)
        total -= log_probs.gather(1, target).sum()
        grad = log_probs.exp_()
        grad.scatter_add_(1, target, torch.full_like(target, -1.0, dtype=grad.dtype))
        grad = grad.to(x.dtype)
        torch.mm(grad, weight, out=grad_x_ND[part])
        grad_weight_VD += (grad.T @ x).to(grad_weight_VD.dtype)
    return total
