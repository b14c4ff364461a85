"""The state of a training as NumPy arrays, and back: what a checkpoint holds of an engine.

Names are `model/<name>`, `buffer/<name>` and `optimizer/<optimizer>/<parameter>/<name>`. Whole
numbers of an optimizer, such as a count of steps that is no tensor, are int64 without dimensions.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from speedrun.backends import common
from speedrun.protocols import Weights

Optimizers = Sequence[torch.optim.Optimizer]
Buffers = Sequence[tuple[str, Tensor]]
Arrays = dict[str, NDArray[Any]]


def arrays(weights: Weights, buffers: Buffers, optimizers: Optimizers) -> Arrays:
    """Copies of weights, of buffers that are not among them, and of all optimizer state."""
    found = {f"model/{name}": array for name, array in weights.items()}
    found |= {f"buffer/{name}": _copied(buffer) for name, buffer in buffers}
    for number, optimizer in enumerate(optimizers):
        for param, values in optimizer.state_dict()["state"].items():
            for path, value in _leaves(values):
                array = np.int64(value) if isinstance(value, int) else _copied(value)
                found[f"optimizer/{number}/{param}{path}"] = np.asarray(array)
    return found


def _leaves(values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Tensors and numbers of a parameter's state, which some optimizers nest."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{path}/{key}")
        else:
            yield f"{path}/{key}", value


def restore(saved: Mapping[str, NDArray[Any]], buffers: Buffers, optimizers: Optimizers) -> Arrays:
    """Set buffers, and the state of new optimizers, in place; the weights, which are not set."""
    parts = common.parts(saved)
    for name, buffer in buffers:
        buffer.copy_(torch.from_numpy(parts["buffer"][name]))
    states: list[dict[int, dict[str, Any]]] = [{} for _ in optimizers]
    for name, array in parts.get("optimizer", {}).items():
        number, param, *path, key = name.split("/")
        into = states[int(number)].setdefault(int(param), {})
        for outer in path:
            into = into.setdefault(outer, {})
        is_int = array.dtype == np.int64 and not array.ndim
        into[key] = int(array) if is_int else torch.from_numpy(np.array(array))
    for optimizer, state in zip(optimizers, states, strict=True):
        groups = optimizer.state_dict()["param_groups"]  # as they are made: rates are set anew
        optimizer.load_state_dict({"state": state, "param_groups": groups})
    return parts["model"]


def _copied(tensor: Tensor) -> NDArray[Any]:
    return tensor.detach().cpu().numpy().copy()
