"""Training losses and negative log-likelihoods: next tokens, or a diffusion bound (NELBO).

The model is an argument: in a step its weights are those that gradients are taken by. Shapes:
B rows, T positions, N tokens, D width, V vocab.
"""

from typing import Any

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from speedrun.backends import contract
from speedrun.backends.contract import LMHead
from speedrun.backends.mlx.lm_head import chunks, log_softmax, logits, token_nll
from speedrun.backends.targets import CleanTokens, NextTokens
from speedrun.config import ModelConfig
from speedrun.protocols import Architecture, NoisedBatch, Rows

Arrays = tuple[mx.array, ...]


class NextTokenLoss(NextTokens):
    """Cross-entropy of the next token.

    The model gives `features` and `output`, or `logits`; with a cache from its `new_cache`
    where it has one.
    """

    def __init__(self, vocab: int) -> None:
        self._vocab = vocab

    def arrays(self, batch: Rows) -> Arrays:
        """Inputs and targets [B, T] on the device."""
        return mx.array(batch[:, :-1]), mx.array(batch[:, 1:])

    def loss_sum(self, model: Any, *arrays: mx.array) -> mx.array:
        """Sum of the training loss over its terms, a scalar in fp32."""
        inputs, targets = arrays
        values, head = contract.outputs(model, self._vocab, inputs)
        return token_nll(values.reshape(targets.size, -1), head, targets.flatten()).sum()

    def nll(self, model: Any, rows: Rows, where: NDArray[np.bool_]) -> mx.array:
        """Nats [B, T] of the targets, 0 but for those to be scored."""
        inputs, targets = self.arrays(rows)
        values, head = contract.outputs(model, self._vocab, inputs)
        scored_N = mx.array(np.flatnonzero(where).astype(np.int32))
        values_ND = values.reshape(targets.size, -1)[scored_N]
        nll = mx.zeros(targets.size)
        for x, targets_N, index_N in chunks(values_ND, targets.flatten()[scored_N], scored_N):
            nll[index_N] = token_nll(x, head, targets_N)
            mx.eval(nll)  # or the logits of all chunks would be held at once
        return nll.reshape(targets.shape)

    def logits(
        self, model: Any, tokens: NDArray[np.int32], steps: NDArray[np.int32] | None
    ) -> mx.array:
        """Logits [B, T, V] in fp32 of the next tokens."""
        return logits(*contract.outputs(model, self._vocab, mx.array(tokens)))

    def next_logits(self, model: Any, tokens: NDArray[np.int32], cache: Any) -> mx.array:
        """Logits [V] in fp32 of the token after `tokens` [T]; see `reader.TextReader`."""
        caches = () if cache is None else (cache,)
        values, head = contract.outputs(model, self._vocab, mx.array(tokens[None]), *caches)
        return logits(values[:, -1], head)[0]


class DiffusionLoss(CleanTokens):
    """NELBO and cross-entropy of the clean tokens behind noisy ones.

    The model gives `features`, `output`, `bound_nats` (the NELBO's terms from
    log-probabilities) and `loss_weights` (of the NELBO and of the cross-entropy in training).
    Terms are made at every position and set to zero where there is none.
    """

    def __init__(self, architecture: Architecture, config: ModelConfig) -> None:
        super().__init__(architecture, config)
        self._vocab = config.vocab

    def arrays(self, batch: NoisedBatch) -> Arrays:
        """The batch on the device; shapes depend on the number of rows alone."""
        parts = (batch.noisy, batch.clean, batch.steps, batch.active, batch.weights)
        return tuple(mx.array(part) for part in parts)  # type: ignore[arg-type]

    def loss_sum(self, model: Any, *arrays: mx.array) -> mx.array:
        """Sum of the training loss over its terms, a scalar in fp32."""
        noisy_BT, clean_BT, steps_B, active_BT, _ = arrays
        features_ND = model.features(noisy_BT, steps_B).reshape(noisy_BT.size, -1)
        nelbo_weight, cross_entropy_weight = model.loss_weights()
        head, nats_N = LMHead(*model.output()), mx.zeros(noisy_BT.size)
        if cross_entropy_weight:
            nats_N += cross_entropy_weight * token_nll(features_ND, head, clean_BT.flatten())
        if nelbo_weight:
            flat = _flat(noisy_BT, clean_BT, steps_B)
            nats_N += nelbo_weight * _terms(model, head, features_ND, *flat)
        return mx.where(active_BT.flatten(), nats_N, 0.0).sum()

    def nll(self, model: Any, batch: NoisedBatch) -> mx.array:
        """Nats [B, T] of the targets, one draw of the bound for each row."""
        noisy_BT, clean_BT, steps_B, active_BT, weights_B = self.arrays(batch)
        features_BTD, head = contract.outputs(model, self._vocab, noisy_BT, steps_B)
        features_ND, parts = features_BTD.reshape(noisy_BT.size, -1), []
        for piece in chunks(features_ND, *_flat(noisy_BT, clean_BT, steps_B)):
            parts.append(_terms(model, head, *piece))
            mx.eval(parts[-1])
        nats_BT = mx.concatenate(parts).reshape(noisy_BT.shape)
        return mx.where(active_BT, nats_BT * weights_B[:, None], 0.0)[:, 1:]

    def logits(
        self, model: Any, tokens: NDArray[np.int32], steps: NDArray[np.int32] | None
    ) -> mx.array:
        """Logits [B, T, V] in fp32 of the clean tokens behind noisy ones at `steps` [B]."""
        assert steps is not None, "logits of a diffusion model need noise steps"
        placed = mx.array(tokens), mx.array(steps)
        return logits(*contract.outputs(model, self._vocab, *placed))


def _flat(noisy_BT: mx.array, clean_BT: mx.array, steps_B: mx.array) -> Arrays:
    """Clean and noisy token and noise step of every position, [N] each."""
    steps_BT = mx.broadcast_to(steps_B[:, None], noisy_BT.shape)
    return clean_BT.flatten(), noisy_BT.flatten(), steps_BT.flatten()


def _terms(model: Any, head: LMHead | None, features_ND: mx.array, *flat: mx.array) -> mx.array:
    """The NELBO's terms [N] in fp32."""
    return model.bound_nats(log_softmax(logits(features_ND, head)), *flat)


def build(architecture: Architecture, config: ModelConfig) -> NextTokenLoss | DiffusionLoss:
    """The loss that an architecture's likelihood asks for."""
    if architecture.LIKELIHOOD == "exact":
        return NextTokenLoss(config.vocab)
    return DiffusionLoss(architecture, config)
