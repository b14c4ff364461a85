"""AdamW for everything, or Muon for matrices with AdamW for the rest; RowAdam for tables.

Parameters, gradients and state are dictionaries by name, given and returned: a step is a
function, which `mx.compile` can hold on to and `reset` can start again.

Shapes: N matrices or touched rows, R rows, C columns, D width of a table.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
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


class RowAdam(stock.Optimizer):
    """Adam for tables of which a step reads few rows, with one second moment a row and no first.

    See `speedrun.backends.torch.optimizers.RowAdam`. Gradients are those of `coalesced` rows, and
    results are what is to be added to these: a table of a million rows stays where it is.
    """

    def __init__(self, *, learning_rate: float, beta2: float, eps: float) -> None:
        super().__init__()
        self._maybe_schedule("learning_rate", learning_rate)
        self._beta2, self._eps = beta2, eps
        self.touched: Named = {}  # rows of each table that the gradients belong to, in order

    def init_single(self, parameter: mx.array, state: dict[str, Any]) -> None:
        """No steps yet; sums of each row are those of squares and of ones, both decaying."""
        state["sums"] = mx.zeros((len(parameter), 2))

    def apply_gradients(self, gradients: Named, parameters: Named) -> Named:
        """Parameters, which are changes so far, with those of one step."""
        self.state["step"] = self.step + 1
        return {name: parameters[name] + self._change(name, g) for name, g in gradients.items()}

    def _change(self, name: str, grads_ND: mx.array) -> mx.array:
        index_N, state = self.touched[name], self.state[name]
        is_first_N = _starts(index_N).astype(mx.float32)  # a row changes once
        decay_N1 = mx.where(is_first_N, self._beta2, 1.0)[:, None]
        fresh_N2 = (1 - self._beta2) * mx.stack([grads_ND.square().mean(axis=1), is_first_N], 1)
        sums_R2 = state["sums"].at[index_N].multiply(mx.broadcast_to(decay_N1, fresh_N2.shape))
        state["sums"] = sums_R2 = sums_R2.at[index_N].add(fresh_N2)
        sums_N2 = sums_R2[index_N]
        rms_N = (sums_N2[:, 0] / sums_N2[:, 1]).sqrt()
        return grads_ND * (-self.learning_rate / (rms_N + self._eps))[:, None]


def coalesced(index_N: mx.array, grads_ND: mx.array) -> tuple[mx.array, mx.array]:
    """Rows in order, and the sum of the gradients of each where it comes first, zeros elsewhere."""
    order_N = mx.argsort(index_N)
    index_N, places_N = index_N[order_N], mx.arange(len(index_N))
    first_N = mx.cummax(mx.where(_starts(index_N), places_N, 0))
    return index_N, mx.zeros_like(grads_ND).at[first_N].add(grads_ND[order_N])


def _starts(index_N: mx.array) -> mx.array:
    """Whether an entry is the first of its value, in a sorted array."""
    return mx.concatenate([mx.array([True]), index_N[1:] != index_N[:-1]])


class Grouped:
    """One optimizer a parameter group; weight decay spares vectors (gains, biases) and tables."""

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
        self,
        params: Named,
        states: State,
        grads: Named,
        lr_scale: mx.array,
        touched: Mapping[str, mx.array] = MappingProxyType({}),
    ) -> tuple[Named, State]:
        """New parameters and state; those given stay as they are.

        Of tables, whose `touched` rows the gradients are for, parameters are changes of these.
        """
        if self._clip:
            grads, _ = stock.clip_grad_norm(grads, self._clip)
        updated, after = dict(params), []
        for (optimizer, members), peak, state in zip(self._parts, self._peaks, states, strict=True):
            optimizer.state = tree_map(lambda leaf: leaf, state)  # new dictionaries
            optimizer.state["learning_rate"] = peak * lr_scale
            if isinstance(optimizer, RowAdam):
                optimizer.touched = dict(touched)
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
    if group == "table":
        return RowAdam(learning_rate=recipe.lr_table, beta2=recipe.beta2, eps=recipe.eps)
    return stock.AdamW(
        learning_rate=recipe.lr,
        betas=[recipe.beta1, recipe.beta2],
        eps=recipe.eps,
        weight_decay=0.0 if group == "vector" else recipe.weight_decay,
        bias_correction=True,  # not MLX's default
    )


def visit(tree: Any, leaf: Callable[[str, Any], Any], path: str = "") -> Any:
    """The tree of `leaf(path, value)`; names in a path are parted by slashes, as they have dots."""
    if isinstance(tree, dict):
        return {key: visit(value, leaf, f"{path}/{key}".strip("/")) for key, value in tree.items()}
    if isinstance(tree, list):
        return [visit(value, leaf, f"{path}/{i}") for i, value in enumerate(tree)]
    return leaf(path, tree)


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
        before: tuple[Named, State],
        scaling: Named,
        grads: Named,
        step: Callable[[Named], tuple[Named, State]],
    ) -> tuple[Named, State, Named]:
        """The results of a step on scaled gradients if these are finite, or else as before."""
        if not self._enabled:
            return *step(grads), scaling
        scale, num_good = scaling["scale"], scaling["num_good"]
        grads = {name: grad / scale for name, grad in grads.items()}
        is_good = mx.stack([mx.isfinite(grad).all() for grad in grads.values()]).all()
        params, states = tree_map(lambda new, old: mx.where(is_good, new, old), step(grads), before)
        grows = num_good + 1 >= 2000
        scale = mx.where(is_good, mx.where(grows, 2 * scale, scale), 0.5 * scale)
        num_good = mx.where(is_good & ~grows, num_good + 1, 0)
        return params, states, {"scale": scale, "num_good": num_good}
