"""Training losses and negative log-likelihoods: next tokens, or a diffusion bound (NELBO).

A batch comes in as NumPy arrays; the model's features go to `lm_head`. Shapes: B rows,
T positions, N terms, D width, V vocab.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from speedrun.backends import contract
from speedrun.backends.contract import LMHead
from speedrun.backends.targets import CleanTokens, NextTokens
from speedrun.backends.torch.lm_head import logits, mean_nll, token_nll
from speedrun.config import ModelConfig
from speedrun.protocols import Architecture, NoisedBatch, Rows

_CHUNK_TERMS = 128  # their probabilities stay in a processor's cache

Place = Callable[[NDArray[Any]], Tensor]  # to the device; integers as int64
Forward = Callable[..., Tensor]  # the model's main method, perhaps compiled


class NextTokenLoss(NextTokens):
    """Cross-entropy of the next token.

    The model gives `features` and `output`, or `logits`; with a cache from its `new_cache`
    where it has one.
    """

    def __init__(self, model: Any, place: Place, vocab: int) -> None:
        self._model, self.place, self._vocab = model, place, vocab
        self._has_features = hasattr(model, "features")
        self.method = "features" if self._has_features else "logits"  # the one worth compiling

    def loss(self, batch: Rows, forward: Forward) -> Tensor:
        """Mean nats in training, a scalar."""
        placed = self.place(batch)
        inputs, targets = placed[:, :-1], placed[:, 1:]
        values = forward(inputs)
        if self._has_features:
            return mean_nll(values, LMHead(*self._model.output()), targets)
        return F.cross_entropy(values.float().flatten(0, 1), targets.flatten())

    def nll(
        self, rows: Rows, seed: int, prefix_length: int, timesteps: NDArray[np.float64] | None
    ) -> Tensor:
        """Nats [B, T] of the targets."""
        placed = self.place(rows)
        inputs, targets = placed[:, :-1], placed[:, 1:]
        if self._has_features:
            features_BTD, head = contract.features(self._model, self._vocab, inputs)
            nll = token_nll(features_BTD.flatten(0, 1), head, targets.flatten())
        else:
            by_vocab = self._by_vocab(inputs).flatten(0, 1)
            nll = F.cross_entropy(by_vocab, targets.flatten(), reduction="none")
        return nll.view(targets.shape)

    def logits(self, tokens: NDArray[np.int32], steps: NDArray[np.int32] | None) -> Tensor:
        """Logits [B, T, V] in fp32 of the next tokens."""
        placed = self.place(tokens)
        if self._has_features:
            return logits(*contract.features(self._model, self._vocab, placed))
        return self._by_vocab(placed)

    def next_logits(self, tokens: NDArray[np.int32], cache: Any) -> Tensor:
        """Logits [V] in fp32 of the token after `tokens` [T]; see `reader.TextReader`."""
        placed = self.place(tokens[None])
        caches = () if cache is None else (cache,)
        if self._has_features:
            features_BTD, head = contract.features(self._model, self._vocab, placed, *caches)
            return logits(features_BTD[:, -1], head)[0]
        return self._by_vocab(placed, *caches)[0, -1]

    def _by_vocab(self, tokens_BT: Tensor, *caches: Any) -> Tensor:
        return contract.logits(self._model, self._vocab, tokens_BT, *caches).float()


class DiffusionLoss(CleanTokens):
    """NELBO and cross-entropy of the clean tokens behind noisy ones.

    The model gives `features`, `output`, `bound_nats` (the NELBO's terms from
    log-probabilities) and `loss_weights` (of the NELBO and of the cross-entropy in training).
    """

    method = "features"

    def __init__(
        self, model: Any, place: Place, architecture: Architecture, config: ModelConfig
    ) -> None:
        super().__init__(architecture, config)
        self._model, self.place, self._vocab = model, place, config.vocab
        self._weights: tuple[float, float] = model.loss_weights()

    def loss(self, batch: NoisedBatch, forward: Forward) -> Tensor:
        """Mean nats in training, a scalar."""
        features_BTD = forward(self.place(batch.noisy), self.place(batch.steps))
        active = _active(batch)
        features_ND = features_BTD.flatten(0, 1)[self.place(active)]
        nelbo_weight, cross_entropy_weight = self._weights
        loss = torch.zeros((), device=features_BTD.device)
        if cross_entropy_weight and len(active):
            clean_N = self.place(batch.clean.reshape(-1)[active])
            head = LMHead(*self._model.output())
            loss = loss + cross_entropy_weight * mean_nll(features_ND, head, clean_N)
        if nelbo_weight and len(active):
            loss = loss + nelbo_weight * self._terms(features_ND, batch, active).mean()
        return loss + 0.0 * features_BTD.sum()  # has gradients even where nothing is noisy

    def nll(
        self, rows: Rows, seed: int, prefix_length: int, timesteps: NDArray[np.float64] | None
    ) -> Tensor:
        """Nats [B, T] of the targets, one draw of the bound for each row."""
        batch = self.scored(rows, seed, prefix_length, timesteps)
        noisy, steps = self.place(batch.noisy), self.place(batch.steps)
        features_BTD, _ = contract.features(self._model, self._vocab, noisy, steps)
        index = _active(batch)
        active = self.place(index)
        nll = torch.zeros(batch.noisy.size, device=features_BTD.device)
        nll[active] = self._terms(features_BTD.flatten(0, 1)[active], batch, index)
        return nll.view(batch.noisy.shape)[:, 1:]

    def _terms(self, features_ND: Tensor, batch: NoisedBatch, active: NDArray[np.int64]) -> Tensor:
        """The NELBO's terms [N] at the active positions."""
        length = batch.noisy.shape[1]
        arrays = (
            batch.clean.reshape(-1)[active],
            batch.noisy.reshape(-1)[active],
            batch.steps[active // length],
        )
        weights_N = torch.from_numpy(batch.weights[active // length]).to(features_ND.device)
        head = LMHead(*self._model.output())
        chunks = zip(
            features_ND.split(_CHUNK_TERMS),
            *(self.place(array).split(_CHUNK_TERMS) for array in arrays),
            strict=True,
        )
        terms_N = torch.cat(
            [
                self._model.bound_nats(logits(x, head).log_softmax(dim=-1), *chunk)
                for x, *chunk in chunks
            ]
        )
        return terms_N * weights_N

    def logits(self, tokens: NDArray[np.int32], steps: NDArray[np.int32] | None) -> Tensor:
        """Logits [B, T, V] in fp32 of the clean tokens behind noisy ones at `steps` [B]."""
        assert steps is not None, "logits of a diffusion model need noise steps"
        placed = self.place(tokens), self.place(steps)
        return logits(*contract.features(self._model, self._vocab, *placed))


def _active(batch: NoisedBatch) -> NDArray[np.int64]:
    """Flat positions of the active tokens, known on the host: no waiting for the device."""
    return np.flatnonzero(batch.active)


def build(
    model: Any, place: Place, architecture: Architecture, config: ModelConfig
) -> NextTokenLoss | DiffusionLoss:
    """The loss that an architecture's likelihood asks for."""
    contract.expect_methods(model, architecture.LIKELIHOOD)
    if architecture.LIKELIHOOD == "exact":
        return NextTokenLoss(model, place, config.vocab)
    return DiffusionLoss(model, place, architecture, config)
