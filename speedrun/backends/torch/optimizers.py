"""AdamW for everything, or Muon for matrices with AdamW for the rest."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from speedrun.backends.common import group_of
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


def build(
    model: nn.Module,
    patterns: Sequence[tuple[str, str]],
    recipe: Recipe,
    matrix_dtype: torch.dtype,
    is_fused: bool = True,
) -> list[torch.optim.Optimizer]:
    """Optimizers over all parameters; weight decay spares vectors (gains and biases)."""
    groups: dict[str, list[Tensor]] = defaultdict(list)
    for name, param in model.named_parameters():
        groups[group_of(name, patterns)].append(param)
    optimizers: list[torch.optim.Optimizer] = []
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
        adamw = torch.optim.AdamW(
            rest, lr=recipe.lr, betas=betas, eps=recipe.eps, fused=is_fused, foreach=not is_fused
        )
        optimizers.append(adamw)
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["peak_lr"] = group["lr"]
    return optimizers
