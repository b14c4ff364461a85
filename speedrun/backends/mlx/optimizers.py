"""AdamW for everything, or Muon for matrices with AdamW for the rest.

Parameters, gradients and state are dictionaries by name, given and returned: a step is a
function, which `mx.compile` can hold on to and `reset` can start again.

Shapes: N matrices, R rows, C columns.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import mlx.core as mx
import mlx.optimizers as stock
from mlx.utils import tree_map

from speedrun.backends.common import group_of
from speedrun.config import Recipe

Named = dict[str, mx.array]
State = list[dict[str, Any]]  # one for each optimizer
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_NS_STEPS = 5


class BatchedMuon(stock.Muon):
    """`mlx.optimizers.Muon`, orthogonalising matrices of equal shape in one batch.

    Two differences in the arithmetic, so that it is PyTorch's: weight decay is decoupled (stock
    adds it to the gradient), and the iteration's precision is given.
    """

    def __init__(
        self, *, learning_rate: float, momentum: float, weight_decay: float, dtype: mx.Dtype
    ) -> None:
        super().__init__(
            learning_rate=learning_rate,
            momentum=momentum,
            weight_decay=0.0,
            nesterov=True,
            ns_steps=_NS_STEPS,
        )
        self._decay, self._dtype = weight_decay, dtype

    def apply_gradients(self, gradients: Named, parameters: Named) -> Named:
        """Parameters after one step; matrices of one shape are orthogonalised together."""
        if not self._initialized:
            self.init(gradients)
        self.state["step"] = self.step + 1
        by_shape: dict[tuple[int, ...], list[str]] = defaultdict(list)
        for name, gradient in gradients.items():
            by_shape[gradient.shape].append(name)
        updated = {}
        for (R, C), names in by_shape.items():
            grads_NRC = mx.stack([gradients[name] for name in names])
            old_NRC = mx.stack([self.state[name]["v"] for name in names])
            momentum_NRC = self.momentum * old_NRC + (1 - self.momentum) * grads_NRC
            nesterov_NRC = self.momentum * momentum_NRC + (1 - self.momentum) * grads_NRC
            ortho_NRC = orthogonalized(nesterov_NRC.astype(self._dtype)).astype(mx.float32)
            rate = self.learning_rate * max(1.0, R / C) ** 0.5
            for i, name in enumerate(names):
                self.state[name]["v"] = momentum_NRC[i]
                kept = parameters[name] * (1 - self.learning_rate * self._decay)
                updated[name] = kept - rate * ortho_NRC[i]
        return updated


def orthogonalized(batch_NRC: mx.array) -> mx.array:
    """Quintic Newton-Schulz iteration: singular values of each matrix moved towards 1."""
    a, b, c = _COEFFICIENTS
    is_tall = batch_NRC.shape[1] > batch_NRC.shape[2]
    x = batch_NRC.swapaxes(1, 2) if is_tall else batch_NRC
    norm = mx.linalg.norm(x.astype(mx.float32), axis=[1, 2], keepdims=True)
    x = x / mx.maximum(norm, 1e-7).astype(x.dtype)
    for _ in range(_NS_STEPS):
        gram = x @ x.swapaxes(1, 2)
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x.swapaxes(1, 2) if is_tall else x


class Grouped:
    """One optimizer a parameter group; weight decay spares vectors (gains and biases)."""

    def __init__(
        self,
        names: Iterable[str],
        patterns: Sequence[tuple[str, str]],
        recipe: Recipe,
        matrix_dtype: mx.Dtype,
    ) -> None:
        groups: dict[str, list[str]] = defaultdict(list)
        for name in names:
            groups[group_of(name, patterns)].append(name)
        self._clip = recipe.grad_clip
        self._parts = [
            (_optimizer(group, recipe, matrix_dtype), members) for group, members in groups.items()
        ]
        self._peaks = [float(optimizer.learning_rate) for optimizer, _ in self._parts]

    def start(self, params: Named) -> State:
        """State before the first step."""
        states = []
        for optimizer, members in self._parts:
            optimizer.state = {"step": mx.array(0, mx.uint64), "learning_rate": mx.array(0.0)}
            optimizer.init({name: params[name] for name in members})
            states.append(optimizer.state)
        return states

    def apply(
        self, params: Named, states: State, grads: Named, lr_scale: mx.array
    ) -> tuple[Named, State]:
        """New parameters and state; those given stay as they are."""
        if self._clip:
            grads, _ = stock.clip_grad_norm(grads, self._clip)
        updated, after = dict(params), []
        for (optimizer, members), peak, state in zip(self._parts, self._peaks, states, strict=True):
            optimizer.state = tree_map(lambda leaf: leaf, state)  # new dictionaries
            optimizer.state["learning_rate"] = peak * lr_scale
            updated |= optimizer.apply_gradients(
                {name: grads[name] for name in members}, {name: params[name] for name in members}
            )
            after.append(optimizer.state)
        return updated, after


def _optimizer(group: str, recipe: Recipe, matrix_dtype: mx.Dtype) -> stock.Optimizer:
    if group == "matrix" and recipe.optimizer == "muon":
        return BatchedMuon(
            learning_rate=recipe.lr_matrix,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
            dtype=matrix_dtype,
        )
    return stock.AdamW(
        learning_rate=recipe.lr,
        betas=[recipe.beta1, recipe.beta2],
        eps=recipe.eps,
        weight_decay=0.0 if group == "vector" else recipe.weight_decay,
        bias_correction=True,  # not MLX's default
    )


class LossScaling:
    """Dynamic loss scaling, which fp16 gradients need (Micikevicius et al. 2018, §3.2).

    Steps with gradients that are not finite are left out and halve the scale; 2,000 good ones
    in a row double it, as in PyTorch's GradScaler. Not enabled, the scale is 1.
    """

    def __init__(self, *, enabled: bool) -> None:
        self._enabled = enabled

    def start(self) -> Named:
        """State before the first step."""
        return {"scale": mx.array(65536.0 if self._enabled else 1.0), "num_good": mx.array(0)}

    def apply(
        self,
        params: Named,
        states: State,
        scaling: Named,
        grads: Named,
        lr_scale: mx.array,
        optimizers: Grouped,
    ) -> tuple[Named, State, Named]:
        """A step of the optimizers on scaled gradients, if these are finite."""
        if not self._enabled:
            return *optimizers.apply(params, states, grads, lr_scale), scaling
        scale, num_good = scaling["scale"], scaling["num_good"]
        grads = {name: grad / scale for name, grad in grads.items()}
        is_good = mx.stack([mx.isfinite(grad).all() for grad in grads.values()]).all()
        after = optimizers.apply(params, states, grads, lr_scale)
        params, states = tree_map(
            lambda new, old: mx.where(is_good, new, old), after, (params, states)
        )
        grows = num_good + 1 >= 2000
        scale = mx.where(is_good, mx.where(grows, 2 * scale, scale), 0.5 * scale)
        num_good = mx.where(is_good & ~grows, num_good + 1, 0)
        return params, states, {"scale": scale, "num_good": num_good}
