"""Shapes that a model's results must have, checked before a framework fails in its own words."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from speedrun.backends import common

Groups = Sequence[tuple[str, str]]


class LMHead(NamedTuple):
    """Output weights; with `tail_1D` an adaptive softmax of two levels (Grave et al. 2017).

    The first `head_size` ids and one entry for the tail share the first softmax, the ids of the
    tail the second. Exact and normalised; at 1,024 of 4,096 ids nine tokens in ten need only a
    quarter of the products.
    """

    weight_VD: Any
    tail_1D: Any = None
    head_size: int = 0


def outputs(model: Any, vocab: int, tokens_BT: Any, *others: Any) -> tuple[Any, LMHead | None]:
    """A model's features [B, T, D] and output weights, or its logits [B, T, V] and None; checked.

    `others` is the noise step of each row, or a cache.
    """
    if not hasattr(model, "features"):
        logits_BTV = model.logits(tokens_BT, *others)
        expect("logits", logits_BTV, (*tokens_BT.shape, vocab), "rows x context x vocabulary")
        return logits_BTV, None
    features_BTD, output = model.features(tokens_BT, *others), model.output()
    expect_output(output, vocab)
    expected = (*tokens_BT.shape, output[0].shape[1])
    expect("features", features_BTD, expected, "rows x context x width of output()")
    return features_BTD, LMHead(*output)


def expect(what: str, value: Any, expected: tuple[int, ...], axes: str) -> None:
    """Refuse the result of a model's method unless it is an array of this shape."""
    if not hasattr(value, "shape"):
        raise ValueError(f"the model's {what} gave {type(value).__name__}, not an array")
    if tuple(value.shape) != expected:
        raise ValueError(
            f"the model's {what} has shape {tuple(value.shape)}, expected {axes} = {expected}"
        )


def expect_output(output: Any, vocab: int) -> None:
    """Refuse the result of a model's `output` unless it is weights, a tail or None, a count."""
    if not isinstance(output, tuple) or len(output) != 3:
        raise ValueError(
            "the model's output() must give (weight_VD, tail_1D or None, num_common), not"
            f" {f'{len(output)} things' if isinstance(output, tuple) else type(output).__name__}"
        )
    weight_VD, tail_1D, _ = output
    if len(getattr(weight_VD, "shape", ())) != 2 or weight_VD.shape[0] != vocab:
        raise ValueError(
            f"the model's output() weights have shape {tuple(getattr(weight_VD, 'shape', ()))},"
            f" expected vocabulary x width = ({vocab}, …)"
        )
    if tail_1D is not None:
        expect("output() tail entry", tail_1D, (1, weight_VD.shape[1]), "1 x width")


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


def table_names(model: Any, names: Iterable[str], groups: Groups) -> list[str]:
    """Names in the group "table"; refuses them where an MLX model cannot say what it reads."""
    found = [name for name in names if common.group_of(name, groups) == "table"]
    if found and not hasattr(model, "table_index"):
        raise ValueError(
            f"mlx_model.py: {found[0]!r} is in the group 'table' of PARAM_GROUPS, so Model must"
            " have table_index(tokens), and features must take table_rows"
        )
    return found


def expect_same(initial: Mapping[str, Any], model: Mapping[str, Any], file: str) -> None:
    """Refuse initial weights that are not the model's parameters, name by name."""
    for name in sorted(initial.keys() | model.keys()):
        if name not in model:
            raise ValueError(f"initial() gives {name!r}, which Model of {file} does not have")
        if name not in initial:
            raise ValueError(f"Model of {file} has {name!r}, which initial() does not give")
        if initial[name].shape != (shape := tuple(model[name].shape)):
            raise ValueError(
                f"initial() gives {name!r} the shape {initial[name].shape}, Model of {file} {shape}"
            )
