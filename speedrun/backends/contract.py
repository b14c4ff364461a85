"""Shapes that a model's answers must have, said in words before a framework's own error."""

from collections.abc import Mapping
from typing import Any


def expect(what: str, value: Any, expected: tuple[int, ...], axes: str) -> None:
    """Refuse what a model's method gave unless it is an array of this shape."""
    if not hasattr(value, "shape"):
        raise ValueError(f"the model's {what} gave {type(value).__name__}, not an array")
    if tuple(value.shape) != expected:
        raise ValueError(
            f"the model's {what} has shape {tuple(value.shape)}, expected {axes} = {expected}"
        )


def expect_output(output: Any, vocab: int) -> None:
    """Refuse what a model's `output` gave unless it is weights, a rare entry or None, a count."""
    if not isinstance(output, tuple) or len(output) != 3:
        raise ValueError(
            "the model's output() must give (weight_VD, rare_1D or None, num_common), not"
            f" {f'{len(output)} things' if isinstance(output, tuple) else type(output).__name__}"
        )
    weight_VD, rare_1D, _ = output
    if len(getattr(weight_VD, "shape", ())) != 2 or weight_VD.shape[0] != vocab:
        raise ValueError(
            f"the model's output() weights have shape {tuple(getattr(weight_VD, 'shape', ()))},"
            f" expected vocabulary x width = ({vocab}, …)"
        )
    if rare_1D is not None:
        expect("output() rare entry", rare_1D, (1, weight_VD.shape[1]), "1 x width")


def expect_methods(model: Any, likelihood: str) -> None:
    """Refuse a model without the methods that its likelihood asks for."""
    if likelihood == "bound":
        ways = [("features", "output", "bound_nats", "loss_weights")]
    else:
        ways = [("features", "output"), ("logits",)]
    if not any(all(hasattr(model, method) for method in way) for way in ways):
        raise ValueError(
            f"{type(model).__module__.rpartition('.')[2]}.py: Model must have the methods"
            f" {', or '.join(' and '.join(way) for way in ways)}"
        )


def expect_same(initial: Mapping[str, Any], model: Mapping[str, Any], file: str) -> None:
    """Refuse initial weights that are not the model's parameters, name by name."""
    for name in sorted(initial.keys() | model.keys()):
        if name not in model:
            raise ValueError(f"initial() gives {name!r}, which Model of {file} does not have")
        if name not in initial:
            raise ValueError(f"Model of {file} has {name!r}, which initial() does not give")
        if initial[name].shape != model[name].shape:
            raise ValueError(
                f"initial() gives {name!r} the shape {initial[name].shape}, Model of {file}"
                f" {model[name].shape}"
            )
