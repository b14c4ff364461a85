"""What a model is trained for and scored by: next tokens, or a bound under noise.

Shapes: B rows, T positions, N tokens, D width, V vocab.
"""

from typing import Any, Protocol

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from speedrun.backends import contract
from speedrun.backends.mlx.lm_head import Output, chunks, log_softmax, logits, token_nats
from speedrun.backends.timesteps import stratified_timesteps
from speedrun.config import ModelConfig
from speedrun.protocols import Architecture, NoisedBatch, Rows

Arrays = tuple[mx.array, ...]


class Objective(Protocol):
    """How an engine turns rows into a loss and into nats.

    The model is an argument: in a step its weights are those that gradients are taken by.
    """

    def batch(self, rows: Rows, rng: np.random.Generator) -> Any:
        """What a step works on: can be cut into pieces of rows."""
        ...

    def num_terms(self, batch: Any) -> int:
        """What the mean of a loss is taken over."""
        ...

    def arrays(self, batch: Any) -> Arrays:
        """A batch on the device; shapes depend on the number of rows alone."""
        ...

    def loss_sum(self, model: Any, *arrays: mx.array) -> mx.array:
        """Sum of the training loss over its terms, a scalar in fp32."""
        ...

    def nll(
        self, model: Any, rows: Rows, seed: int, prefix_length: int, shares: NDArray[Any] | None
    ) -> mx.array:
        """Nats [B, T] of the targets."""
        ...

    def logits(
        self, model: Any, tokens: NDArray[np.int32], steps: NDArray[np.int32] | None
    ) -> mx.array:
        """Logits [B, T, V] in fp32."""
        ...


class Exact:
    """Next tokens; the model gives `features` and `output`, or `logits`, and perhaps
    `new_cache`, which these then take as well."""

    def __init__(self, vocab: int) -> None:
        self._vocab = vocab

    def batch(self, rows: Rows, rng: np.random.Generator) -> Rows:
        return rows

    def num_terms(self, batch: Rows) -> int:
        return batch[:, 1:].size

    def arrays(self, batch: Rows) -> Arrays:
        return mx.array(batch[:, :-1]), mx.array(batch[:, 1:])

    def loss_sum(self, model: Any, *arrays: mx.array) -> mx.array:
        inputs, targets = arrays
        if hasattr(model, "features"):
            features_ND = model.features(inputs).reshape(targets.size, -1)
            return token_nats(features_ND, Output(*model.output()), targets.flatten()).sum()
        by_vocab = model.logits(inputs).astype(mx.float32)
        return mx.fast.cross_entropy(by_vocab, targets).sum()

    def nll(
        self, model: Any, rows: Rows, seed: int, prefix_length: int, shares: NDArray[Any] | None
    ) -> mx.array:
        inputs, targets = self.arrays(rows)
        if not hasattr(model, "features"):
            return mx.fast.cross_entropy(self._by_vocab(model, inputs), targets)
        features_BTD, output = _features(model, self._vocab, inputs)
        features_ND, parts = features_BTD.reshape(targets.size, -1), []
        for x_ND, targets_N in chunks(features_ND, targets.flatten()):
            parts.append(token_nats(x_ND, output, targets_N))
            mx.eval(parts[-1])  # or the logits of all chunks would be held at once
        return mx.concatenate(parts).reshape(targets.shape)

    def logits(
        self, model: Any, tokens: NDArray[np.int32], steps: NDArray[np.int32] | None
    ) -> mx.array:
        if hasattr(model, "features"):
            return logits(*_features(model, self._vocab, mx.array(tokens)))
        return self._by_vocab(model, mx.array(tokens))

    def next_logits(self, model: Any, tokens: NDArray[np.int32], cache: Any) -> mx.array:
        """Logits [V] in fp32 of the token after `tokens` [T]; see `common.TextReader`."""
        tokens_BT = mx.array(tokens[None])
        caches = () if cache is None else (cache,)
        if hasattr(model, "features"):
            features_BTD, output = _features(model, self._vocab, tokens_BT, *caches)
            return logits(features_BTD[:, -1], output)[0]
        return self._by_vocab(model, tokens_BT, *caches)[0, -1]

    def _by_vocab(self, model: Any, tokens_BT: mx.array, *caches: Any) -> mx.array:
        logits_BTV = model.logits(tokens_BT, *caches)
        expected = (*tokens_BT.shape, self._vocab)
        contract.expect("logits", logits_BTV, expected, "rows x context x vocabulary")
        return logits_BTV.astype(mx.float32)


class Bound:
    """Clean tokens behind noisy ones: the architecture makes the noise, in NumPy; the model
    gives `features`, `output` and `bound_nats`, the bound's terms from log-probabilities.

    Terms are made at every place and those of places without one are put to zero.
    """

    def __init__(self, architecture: Architecture, config: ModelConfig) -> None:
        self._architecture, self._config = architecture, config

    def batch(self, rows: Rows, rng: np.random.Generator) -> NoisedBatch:
        shares = stratified_timesteps(len(rows), rng)
        return self._architecture.q_sample(self._config, rows, shares, rng)

    def num_terms(self, batch: NoisedBatch) -> int:
        return int(batch.active.sum())

    def arrays(self, batch: NoisedBatch) -> Arrays:
        parts: tuple[Any, ...] = (
            batch.noisy,
            batch.clean,
            batch.steps,
            batch.active,
            batch.weights,
        )
        return tuple(mx.array(part) for part in parts)

    def loss_sum(self, model: Any, *arrays: mx.array) -> mx.array:
        noisy_BT, clean_BT, steps_B, active_BT, _ = arrays
        features_ND = model.features(noisy_BT, steps_B).reshape(noisy_BT.size, -1)
        # How much of the training loss is the bound itself and how much cross-entropy.
        of_bound, of_cross_entropy = model.loss_weights()
        output, nats_N = Output(*model.output()), mx.zeros(noisy_BT.size)
        if of_cross_entropy:
            nats_N += of_cross_entropy * token_nats(features_ND, output, clean_BT.flatten())
        if of_bound:
            flat = _flat(noisy_BT, clean_BT, steps_B)
            nats_N += of_bound * _terms(model, output, features_ND, *flat)
        return mx.where(active_BT.flatten(), nats_N, 0.0).sum()

    def nll(
        self, model: Any, rows: Rows, seed: int, prefix_length: int, shares: NDArray[Any] | None
    ) -> mx.array:
        rng = np.random.default_rng([seed, 0xD1FF])
        if shares is None:
            shares = stratified_timesteps(len(rows), rng)
        batch = self._architecture.q_sample(self._config, rows, shares, rng, prefix_length)
        noisy_BT, clean_BT, steps_B, active_BT, weights_B = self.arrays(batch)
        features_BTD, output = _features(model, self._config.vocab, noisy_BT, steps_B)
        features_ND, parts = features_BTD.reshape(noisy_BT.size, -1), []
        for piece in chunks(features_ND, *_flat(noisy_BT, clean_BT, steps_B)):
            parts.append(_terms(model, output, *piece))
            mx.eval(parts[-1])
        nats_BT = mx.concatenate(parts).reshape(noisy_BT.shape)
        return mx.where(active_BT, nats_BT * weights_B[:, None], 0.0)[:, 1:]

    def logits(
        self, model: Any, tokens: NDArray[np.int32], steps: NDArray[np.int32] | None
    ) -> mx.array:
        assert steps is not None, "a bound's logits need noise steps"
        placed = mx.array(tokens), mx.array(steps)
        return logits(*_features(model, self._config.vocab, *placed))


def _features(model: Any, vocab: int, tokens_BT: mx.array, *others: Any) -> tuple[mx.array, Output]:
    """A model's features and output weights, of the shapes that they must have; `others` is a
    bound's noise steps, or an exact model's cache."""
    features_BTD, output = model.features(tokens_BT, *others), model.output()
    contract.expect_output(output, vocab)
    expected = (*tokens_BT.shape, output[0].shape[1])
    contract.expect("features", features_BTD, expected, "rows x context x width of output()")
    return features_BTD, Output(*output)


def _flat(noisy_BT: mx.array, clean_BT: mx.array, steps_B: mx.array) -> Arrays:
    """Clean and noisy token and noise step of every place, [N] each."""
    steps_BT = mx.broadcast_to(steps_B[:, None], noisy_BT.shape)
    return clean_BT.flatten(), noisy_BT.flatten(), steps_BT.flatten()


def _terms(model: Any, output: Output, features_ND: mx.array, *flat: mx.array) -> mx.array:
    """The bound's terms [N] in fp32."""
    return model.bound_nats(log_softmax(logits(features_ND, output)), *flat)


def of(architecture: Architecture, config: ModelConfig) -> Objective:
    """The objective that an architecture's likelihood asks for."""
    if architecture.LIKELIHOOD == "exact":
        return Exact(config.vocab)
    return Bound(architecture, config)
