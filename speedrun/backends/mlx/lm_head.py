"""The output layer: logits and negative log-likelihoods from features.

It belongs to the harness, not to the model. Shapes: N tokens, D width, V vocab, C ids before
the tail.
"""

from collections.abc import Iterator

import mlx.core as mx

from speedrun.backends.contract import LMHead

CHUNK_TOKENS = 4096  # scored at once: their logits are what memory has to hold


def logits(values: mx.array, head: LMHead | None) -> mx.array:
    """Logits [..., V] in fp32 whose softmax is the model's distribution.

    `values` are features [..., D], or without a `head` the model's own logits.
    """
    if head is None:
        return values.astype(mx.float32)
    by_vocab = _linear(values, head.weight_VD)
    if head.tail_1D is None:
        return by_vocab
    C = head.head_size
    entry = _linear(values, head.tail_1D)
    return mx.concatenate([by_vocab[..., :C], entry + log_softmax(by_vocab[..., C:])], axis=-1)


def token_nll(values_N: mx.array, head: LMHead | None, targets_N: mx.array) -> mx.array:
    """Nats [N] of each target in fp32.

    Logits of the tail are made for every token: picking out those with targets in it would make
    shapes that change from step to step, and every new shape would be compiled.
    """
    if head is None or head.tail_1D is None:
        return mx.fast.cross_entropy(logits(values_N, head), targets_N)
    weight_VD, tail_1D, C = head
    first = _linear(values_N, mx.concatenate([weight_VD[:C], tail_1D]))
    nll_N = mx.fast.cross_entropy(first, mx.minimum(targets_N, C))
    second = _linear(values_N, weight_VD[C:])
    tail_nll_N = mx.fast.cross_entropy(second, mx.maximum(targets_N - C, 0))
    return nll_N + mx.where(targets_N >= C, tail_nll_N, 0.0)


def log_softmax(x: mx.array) -> mx.array:
    """Log-probabilities over the last axis."""
    return x - mx.logsumexp(x, axis=-1, keepdims=True)


def chunks(*arrays: mx.array) -> Iterator[tuple[mx.array, ...]]:
    """Pieces of `CHUNK_TOKENS` along the first axis, the same of each array."""
    for start in range(0, len(arrays[0]), CHUNK_TOKENS):
        yield tuple(array[start : start + CHUNK_TOKENS] for array in arrays)


def _linear(features: mx.array, weight: mx.array) -> mx.array:
    return (features @ weight.T).astype(mx.float32)
