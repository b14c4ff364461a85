"""Embedding whose gradient is summed outside the compiler.

PyTorch's compiler sums the gradient of `nn.Embedding` with an atomic addition for every number.
On processors that is an order of magnitude slower than the plain sum, and adds in another order
every time.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Embedding(nn.Embedding):
    """`nn.Embedding` with its gradient summed outside the compiler's reach."""

    def forward(self, input: Tensor) -> Tensor:  # the name that nn.Embedding gives it
        """Rows [..., D] of the table at `input` [...]."""
        rows: Tensor = _Lookup.apply(self.weight, input)
        return rows


def keep_plain(model: nn.Module) -> None:
    """Replace every `nn.Embedding` without options by `Embedding`, under the same names."""
    for module in model.modules():
        if type(module) is nn.Embedding and not _has_options(module):
            module.__class__ = Embedding  # the same parameters under the same names


def _has_options(module: nn.Embedding) -> bool:
    return (
        module.padding_idx is not None
        or module.max_norm is not None
        or module.scale_grad_by_freq
        or module.sparse
    )


class _Lookup(torch.autograd.Function):
    """Rows [..., D] of a table [V, D] at an index [...]."""

    @staticmethod
    def forward(ctx: Any, table_VD: Tensor, index: Tensor) -> Tensor:
        ctx.save_for_backward(index)
        ctx.num_rows = len(table_VD)
        return F.embedding(index, table_VD)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None]:
        (index,) = ctx.saved_tensors
        return _sum_by_row(grad_outputs[0], index, ctx.num_rows), None


@torch.library.custom_op("speedrun::sum_by_row", mutates_args=())
def _sum_by_row(values: Tensor, index: Tensor, num_rows: int) -> Tensor:
    """Sum [V, D] of the values [..., D] that belong to each row."""
    values_ND = values.flatten(0, -2)
    return values.new_zeros(num_rows, values.shape[-1]).index_add_(0, index.flatten(), values_ND)


@_sum_by_row.register_fake
def _(values: Tensor, index: Tensor, num_rows: int) -> Tensor:
    return values.new_empty(num_rows, values.shape[-1])
