"""Parts that the trained networks share whatever the framework: sizes, checks, FLOP, caches."""

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from architectures import hashed_ngrams

TOLERANCE = 0.03  # how far from the size asked for a configuration may be
_CLOSE = 0.01
_LEAST_ROWS = 1024  # of a table of n-grams that `--tables` asks for
_STEP = 8  # of width
_WIDEST = 8192
# Larger ones would take hours to count, let alone to train.
_LIMITS = {"depth": 1024, "width": 1 << 16}

# With normalised queries and keys 1/sqrt(K) leaves attention too flat (modded-nanogpt: 0.12).
QK_NORM_SCALE = 0.12

Shape = tuple[int, ...]
Kept = dict[str, Any]  # state that one layer keeps of a text


class Cache:
    """State of one text, so that its next token costs one token; empty where the text begins."""

    def __init__(self, num_layers: int) -> None:
        self.num_read = 0  # tokens read: the position of the next one
        self.stem: Kept = {}
        self.layers: list[Kept] = [{} for _ in range(num_layers)]


@dataclasses.dataclass(frozen=True)
class NetworkConfig:
    """A configuration whose parameters are those of its `shapes`."""

    TABLES: ClassVar[tuple[str, ...]]  # beginnings of the names that are looked up, not multiplied
    TABLE_FIELDS: ClassVar = tuple(hashed_ngrams.ORDERS)  # number of rows of each table, if any
    SIZED_TABLES: ClassVar[tuple[str, ...]] = ("input_bigrams",)  # those that `--tables` asks for
    # Fields that records of old do not have, with the value at which they have no effect.
    LATER_FIELDS: ClassVar = dict.fromkeys((*hashed_ngrams.ORDERS, "table_width"), 0)

    def shapes(self) -> Iterator[tuple[str, Shape]]:
        """Name and shape of every parameter."""
        raise NotImplementedError

    @property
    def num_params(self) -> int:
        """Trainable parameters, a tied output counted once."""
        return sum(math.prod(shape) for _, shape in self.shapes())

    @property
    def num_params_tables(self) -> int:
        """Parameters of the tables of n-grams."""
        prefix = hashed_ngrams.TABLES
        return sum(math.prod(shape) for name, shape in self.shapes() if name.startswith(prefix))

    def with_tables(self, num_params: int) -> Self:
        """The same model with about so many parameters in tables, equally many rows in each.

        Raises ValueError where they are so few that most n-grams would share a row.
        """
        fields = self.SIZED_TABLES
        row = len(fields) * hashed_ngrams.row_width(self)
        if num_params < row * _LEAST_ROWS:
            raise ValueError(
                f"--tables {num_params}: at this width 0 is allowed, and {row * _LEAST_ROWS} or"
                f" more ({_LEAST_ROWS} rows of {' and '.join(fields)})"
            )
        return dataclasses.replace(self, **dict.fromkeys(fields, round(num_params / row)))

    @property
    def num_params_non_embedding(self) -> int:
        """Parameters outside the tables."""
        return sum(math.prod(s) for name, s in self.shapes() if not name.startswith(self.TABLES))


def drawn(
    shapes: Iterable[tuple[str, Shape]], stream: Sequence[int], draw: Callable[..., Any]
) -> dict[str, NDArray[np.float32]]:
    """Initial weights by name, each `draw(name, shape, rng)`, from a random stream of their own."""
    rng = np.random.default_rng(stream)
    return {name: draw(name, shape, rng).astype(np.float32, copy=False) for name, shape in shapes}


def orthogonal(size: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Uniform among orthogonal matrices [size, size] (Saxe et al. 2014).

    The signs of R's diagonal are undone.
    """
    q, r = np.linalg.qr(rng.normal(size=(size, size)))
    return q * np.sign(np.diag(r))


# From a number of parameters to a configuration.


def solve(
    config_type: type[Any],
    target: int,
    given: Mapping[str, Any],
    penalty: Callable[[Any], float],
    hidden_steps: Sequence[int] = (8,),
) -> Any:
    """The configuration nearest to `target` parameters, of least `penalty` within 1 %.

    Width steps by 8, and the hidden size takes up the rest, rounded to each of `hidden_steps`;
    fields in `given` stay. Raises ValueError, saying what to ask for, where none is within 3 %.
    """
    found = list(_candidates(config_type, target, given, hidden_steps))
    if not found:
        has_tables = any(map(given.get, hashed_ngrams.ORDERS))
        fewer = " or fewer rows of n-gram tables" if has_tables else ""
        raise ValueError(
            f"--params {target}: too small for a vocabulary of {given['vocab']} with these"
            f" settings; ask for more, or for a smaller --vocab{fewer}"
        )
    close = [c for c in found if abs(c.num_params / target - 1) <= _CLOSE]
    if close:
        return min(close, key=penalty)
    nearest = min(found, key=lambda c: abs(c.num_params / target - 1))
    if abs(nearest.num_params / target - 1) > TOLERANCE:
        raise ValueError(
            f"--params {target:,}: the nearest size with these settings and a vocabulary of"
            f" {given['vocab']} is {nearest.num_params:,}; ask for that size, for another"
            " --vocab, or fix fewer --set model.… fields"
        )
    return nearest


def _candidates(
    config_type: type[Any], target: int, given: Mapping[str, Any], hidden_steps: Sequence[int]
) -> Iterator[Any]:
    """One for each width and rounding, as far as widths are not too large for `target`."""
    is_width_given = "width" in given
    for width in [given["width"]] if is_width_given else range(_STEP, _WIDEST, _STEP):
        shape = {"width": width, "hidden": 8}
        if hasattr(config_type, "heads"):
            shape["heads"] = given.get("heads") or heads_for(width)
            if width % shape["heads"] and not is_width_given:
                continue
        config = config_type(**{**shape, **given})
        if not is_width_given and config.num_params > target * (1 + TOLERANCE):
            return
        if "hidden" in given:
            yield config
            continue
        exact = _exact_hidden(config, target)
        for step in hidden_steps:
            hidden = round(exact / step) * step
            if hidden >= config.hidden or is_width_given:
                yield dataclasses.replace(config, hidden=max(config.hidden, hidden))


def _exact_hidden(config: Any, target: int) -> float:
    """The hidden size that meets `target`: the number of parameters is a quadratic in it."""
    p1, p2, p3 = (dataclasses.replace(config, hidden=h).num_params for h in (1, 2, 3))
    a = (p3 - 2 * p2 + p1) / 2
    b = p2 - p1 - 3 * a
    c = p1 - a - b - target
    if a == 0:
        return -c / b
    return (math.sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a)


# Defaults that the families have found worth it at a size.


def num_common_for(vocab: int) -> int:
    """Ids in the first softmax of two; 0 where a vocabulary is too small to be divided."""
    return 1024 if vocab > 2048 else 0


def defaults(
    target: int, vocab: int, depth: int, tables: str, two_from: int = 1_500_000
) -> dict[str, Any]:
    """Fields that follow from the size; the field `tables` counts layers that look up by token."""
    num_tables = 0 if target < 500_000 else 1 if target < two_from else 2
    return {
        "vocab": vocab,
        "depth": depth,
        tables: max(0, min(depth, num_tables)),
        "num_common": num_common_for(vocab),
    }


def transformer_depth_for(target: int) -> int:
    """Blocks of a transformer that trains in minutes."""
    return 2 if target < 900_000 else 3 if target < 8_000_000 else 4


def heads_for(width: int) -> int:
    """Heads of about 64, the size that attention kernels like best; head sizes are even."""
    divisors = [n for n in range(1, min(width, _LIMITS["width"]) // 2 + 1) if width % (2 * n) == 0]
    return min(divisors or [1], key=lambda n: abs(width / n - 64))


def lm_head_flops(width: int, vocab: int, num_common: int, tail_share: float) -> float:
    """FLOP of a target's logits in a forward pass, two for every weight that is multiplied.

    With `num_common` the softmax has two levels: every target needs the common ids and the
    entry of the tail, only `tail_share` of them the ids of the tail too.
    """
    if not num_common:
        return 2.0 * width * vocab
    return 2.0 * width * (num_common + 1) + tail_share * 2.0 * width * (vocab - num_common)


# Checks of fields; each raises ValueError naming the field and what is allowed.


def check_positive(config: Any, *names: str) -> None:
    """Refuse fields below 1, and depths and widths beyond reason."""
    for name in names:
        value, most = getattr(config, name), _LIMITS.get(name, math.inf)
        if value < 1:
            raise ValueError(f"model.{name}={value}: must be 1 or more")
        if value > most:
            raise ValueError(f"model.{name}={value}: allowed are 1 to {most}")


def check_tables(config: Any, name: str) -> None:
    """Refuse more tables than layers, and a first softmax of all ids or more."""
    if not 0 <= getattr(config, name) <= config.depth:
        raise ValueError(
            f"model.{name}={getattr(config, name)}: allowed are 0 to model.depth={config.depth}"
        )
    if not 0 <= config.num_common < config.vocab:
        raise ValueError(
            f"model.num_common={config.num_common}: allowed are 0 to below {config.vocab}"
        )


def check_heads(width: int, heads: int, *, is_rotary: bool) -> None:
    """Refuse heads that do not divide the width, and odd head sizes for rotary positions."""
    if width % heads:
        fitting = ", ".join(str(n) for n in range(1, width + 1) if width % n == 0)
        raise ValueError(f"model.heads={heads} must divide model.width={width}: {fitting}")
    if is_rotary and width // heads % 2:
        raise ValueError(
            f"rotary positions need an even head size, not {width // heads}:"
            " change model.heads or model.width"
        )
