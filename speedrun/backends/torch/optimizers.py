"""AdamW (of 8 bits, too), or Muon for matrices with AdamW for the rest; RowAdam for tables."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from speedrun.backends.common import group_of
from speedrun.backends.torch import eight_bit
from speedrun.config import Recipe


class BatchedMuon(torch.optim.Muon):
    """`torch.optim.Muon`, orthogonalising matrices of equal shape in one batch.

    Stock Muon (Jordan et al. 2024) does one matrix after another and always in bf16, which
    is slow on processors without bf16 products; the arithmetic is the same otherwise.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        *,
        lr: float,
        momentum: float,
        weight_decay: float,
        dtype: torch.dtype,
    ) -> None:
        super().__init__(params, lr=lr, momentum=momentum, weight_decay=weight_decay)
        self._dtype = dtype
        self._batches: dict[torch.Size, tuple[list[int], Tensor]] = {}

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[Tensor]] = defaultdict(list)
            for param in group["params"]:
                if param.grad is not None:
                    by_shape[param.shape].append(param)
            for params in by_shape.values():
                self._update(group, params)

    def _update(self, group: dict, params: list[Tensor]) -> None:
        grads_NRC = torch.stack([param.grad for param in params if param.grad is not None])
        momentum_NRC = self._momenta(params).lerp_(grads_NRC, 1 - group["momentum"])
        updates_NRC = grads_NRC.lerp_(momentum_NRC, group["momentum"])  # Nesterov
        ortho_NRC = orthogonalized(
            updates_NRC.to(self._dtype), group["ns_coefficients"], group["ns_steps"]
        ).to(params[0].dtype)
        _, R, C = ortho_NRC.shape
        alpha = -group["lr"] * max(1.0, R / C) ** 0.5
        for param, ortho_RC in zip(params, ortho_NRC, strict=True):
            if group["weight_decay"]:
                param.mul_(1 - group["lr"] * group["weight_decay"])
            param.add_(ortho_RC, alpha=alpha)

    def _momenta(self, params: list[Tensor]) -> Tensor:
        """Momenta [N, R, C] in one batch, made anew where other matrices have gradients."""
        members, batch_NRC = self._batches.get(params[0].shape, ([], None))
        if batch_NRC is None or members != list(map(id, params)):
            old = [self.state[param].get("momentum") for param in params]
            batch_NRC = torch.stack(
                [torch.zeros_like(p) if m is None else m for p, m in zip(params, old, strict=True)]
            )
            self._batches[params[0].shape] = list(map(id, params)), batch_NRC
            for param, momentum_RC in zip(params, batch_NRC, strict=True):
                self.state[param]["momentum"] = momentum_RC  # a view
        return batch_NRC


def orthogonalized(
    batch_NRC: Tensor, coefficients: tuple[float, float, float], num_steps: int
) -> Tensor:
    """Quintic Newton-Schulz iteration: singular values of each matrix moved towards 1."""
    a, b, c = coefficients
    tall = batch_NRC.shape[1] > batch_NRC.shape[2]
    x = batch_NRC.mT if tall else batch_NRC
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(num_steps):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


class RowAdam(torch.optim.Optimizer):
    """Adam for tables of which a step reads few rows, with one second moment a row and no first.

    Only rows with a gradient change, each at its own pace: its moment is the mean square of its
    gradients, decayed by `beta2` at each of its own steps and corrected for their number. As
    row-wise AdaGrad does, it keeps one for all numbers of a row. Gradients are coalesced COO
    tensors, as `coalesce` leaves them.
    """

    def __init__(self, params: Iterable[Tensor], *, lr: float, beta2: float, eps: float) -> None:
        super().__init__(params, {"lr": lr, "beta2": beta2, "eps": eps})
        for group in self.param_groups:
            for table_RD in group["params"]:
                # Of each row the decaying sums of squares and of ones; their ratio is the mean.
                self.state[table_RD]["sums"] = table_RD.new_zeros(len(table_RD), 2)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update the rows of every table that have a gradient."""
        for group in self.param_groups:
            for table_RD in group["params"]:
                if table_RD.grad is not None:
                    self._update(group, table_RD, table_RD.grad)

    def _update(self, group: dict, table_RD: Tensor, grad: Tensor) -> None:
        index_N, grads_ND = grad.indices()[0], grad.values()
        sums_R2, new_share = self.state[table_RD]["sums"], 1 - group["beta2"]
        squares_N = grads_ND.square().mean(dim=1)
        fresh_N2 = torch.stack((squares_N, torch.ones_like(squares_N)), dim=1)
        sums_N2 = sums_R2[index_N].lerp_(fresh_N2, new_share)
        sums_R2.index_copy_(0, index_N, sums_N2)
        rms_N = (sums_N2[:, 0] / sums_N2[:, 1]).sqrt_()
        scales_N = -group["lr"] / rms_N.add_(group["eps"])
        table_RD.index_add_(0, index_N, grads_ND * scales_N[:, None])


def tables(model: nn.Module) -> list[Tensor]:
    """Weights of every `nn.Embedding` with `sparse=True`: a gradient has the rows of a step."""
    return [m.weight for m in model.modules() if isinstance(m, nn.Embedding) and m.sparse]


def coalesce(tables: Iterable[Tensor]) -> None:
    """Sum the gradients of each row of these tables, so that a row has one."""
    for table_RD in tables:
        if table_RD.grad is not None:
            table_RD.grad = table_RD.grad.coalesce()


def clip_grad_norm(params: Iterable[Tensor], limit: float) -> None:
    """`nn.utils.clip_grad_norm_`, which cannot take coalesced COO tensors, for these, too."""
    grads = [param.grad for param in params if param.grad is not None]
    values = [grad.values() if grad.is_sparse else grad for grad in grads]
    scale = (limit / (nn.utils.get_total_norm(values) + 1e-6)).clamp(max=1.0)
    torch._foreach_mul_(values, scale)  # pyright: ignore[reportPrivateImportUsage]


def build(
    model: nn.Module,
    patterns: Sequence[tuple[str, str]],
    recipe: Recipe,
    matrix_dtype: torch.dtype,
    is_fused: bool = True,
) -> list[torch.optim.Optimizer]:
    """Optimizers over all parameters; weight decay spares vectors (gains, biases) and tables."""
    groups: dict[str, list[Tensor]] = defaultdict(list)
    sparse = {id(table) for table in tables(model)}
    for name, param in model.named_parameters():
        groups[group := group_of(name, patterns)].append(param)
        if (group == "table") != (id(param) in sparse):
            raise ValueError(
                f"parameter {name!r} is in the group {group!r} of PARAM_GROUPS and is"
                f" {'' if id(param) in sparse else 'not '}of an nn.Embedding with sparse=True:"
                " the group 'table' and sparse=True go together"
            )
    optimizers: list[torch.optim.Optimizer] = []
    if sparse:
        row_adam = RowAdam(
            groups.pop("table"), lr=recipe.lr_table, beta2=recipe.beta2, eps=recipe.eps
        )
        optimizers.append(row_adam)
    if recipe.optimizer == "muon" and (matrices := groups.pop("matrix", [])):
        muon = BatchedMuon(
            matrices,
            lr=recipe.lr_matrix,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
            dtype=matrix_dtype,
        )
        optimizers.append(muon)
    rest = [
        {"params": params, "weight_decay": 0.0 if name == "vector" else recipe.weight_decay}
        for name, params in groups.items()
    ]
    if rest:
        betas = (recipe.beta1, recipe.beta2)
        make, options = torch.optim.AdamW, {"fused": is_fused, "foreach": not is_fused}
        if recipe.optimizer == "adamw8bit":
            make, options = eight_bit.adamw(), {}
        optimizers.append(make(rest, lr=recipe.lr, betas=betas, eps=recipe.eps, **options))
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["peak_lr"] = group["lr"]
    return optimizers
