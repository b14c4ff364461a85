"""The output layer: logits and loss from features, owned by the harness, not by the model.

Shapes: N tokens, D width, V vocab, C common tokens.
"""

from collections.abc import Iterator
from typing import NamedTuple

import mlx.core as mx

CHUNK_TOKENS = 4096  # scored at once: their logits are what memory has to hold


class Output(NamedTuple):
    """Output weights; with `rare_1D` the softmax has two levels (Grave et al. 2017).

    The first `num_common` ids and one entry for "a rarer one" share the first softmax, the
    rare ids the second.
    """

    weight_VD: mx.array
    rare_1D: mx.array | None = None
    num_common: int = 0


def logits(features: mx.array, output: Output) -> mx.array:
    """Logits [..., V] in fp32 whose softmax is the model's distribution."""
    by_vocab = _linear(features, output.weight_VD)
    if output.rare_1D is None:
        return by_vocab
    C = output.num_common
    entry = _linear(features, output.rare_1D)
    return mx.concatenate([by_vocab[..., :C], entry + log_softmax(by_vocab[..., C:])], axis=-1)


def token_nats(features_ND: mx.array, output: Output, targets_N: mx.array) -> mx.array:
    """Nats of each target in fp32.

    Rare logits are made for every token: picking out those with rare targets would make shapes
    that change from step to step, and every new shape would be compiled.
    """
    weight_VD, rare_1D, C = output
    if rare_1D is None:
        return mx.fast.cross_entropy(_linear(features_ND, weight_VD), targets_N)
    first = _linear(features_ND, mx.concatenate([weight_VD[:C], rare_1D]))
    nats_N = mx.fast.cross_entropy(first, mx.minimum(targets_N, C))
    second = _linear(features_ND, weight_VD[C:])
    rare_nats_N = mx.fast.cross_entropy(second, mx.maximum(targets_N - C, 0))
    return nats_N + mx.where(targets_N >= C, rare_nats_N, 0.0)


def log_softmax(x: mx.array) -> mx.array:
    """Log-probabilities over the last axis."""
    return x - mx.logsumexp(x, axis=-1, keepdims=True)


def chunks(*arrays: mx.array) -> Iterator[tuple[mx.array, ...]]:
    """Pieces of `CHUNK_TOKENS` along the first axis, the same of each array."""
    for start in range(0, len(arrays[0]), CHUNK_TOKENS):
        yield tuple(array[start : start + CHUNK_TOKENS] for array in arrays)


def _linear(features: mx.array, weight: mx.array) -> mx.array:
    return (features @ weight.T).astype(mx.float32)
