"""Training losses and negative log-likelihoods: next tokens, or a diffusion bound (NELBO).

A batch comes in as NumPy arrays; the model's features go to `lm_head`. Shapes: B rows,
T positions, N terms, D width, V vocab.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from speedrun.backends import contract
from speedrun.backends.contract import LMHead
from speedrun.backends.targets import CleanTokens, NextTokens
from speedrun.backends.torch import row_threads
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
        # The method worth compiling.
        self.method = "features" if hasattr(model, "features") else "logits"
        # Its outputs by the compiled pass of training, where there is one that serves.
        self.as_trained: Callable[[Tensor], Tensor | None] = lambda rows: None

    def loss(self, batch: Rows, forward: Forward) -> Tensor:
        """Mean nats in training, a scalar."""
        placed = self.place(batch)
        values = forward(placed[:, :-1])
        head = LMHead(*self._model.output()) if self.method == "features" else None
        return mean_nll(values, head, placed[:, 1:])

    def nll(self, rows: Rows, where: NDArray[np.bool_]) -> Tensor:
        """Nats [B, T] of the targets, 0 but for those to be scored."""
        placed, scored_BT = self.place(rows), torch.from_numpy(where)
        if (values_BTD := self.as_trained(placed)) is not None:
            return self._nll_of([values_BTD[scored_BT]], placed, scored_BT)
        own = getattr(self._model, "rows_per_thread", None)
        if own is None or placed.device.type != "cpu":
            return self._nll(placed, scored_BT.to(placed.device), len(rows))
        parts = row_threads.shares(len(rows), own)
        found = row_threads.run(lambda part: self._nll(placed[part], scored_BT[part], own), parts)
        return torch.cat(found)

    def _nll(self, placed: Tensor, scored_BT: Tensor, num_rows: int) -> Tensor:
        """The same, of rows that go through the model `num_rows` at a time."""
        values = []
        for rows, scored in zip(placed.split(num_rows), scored_BT.split(num_rows), strict=True):
            values_BTD, _ = contract.outputs(self._model, self._vocab, rows[:, :-1])
            values.append(values_BTD[scored])
        return self._nll_of(values, placed, scored_BT)

    def _nll_of(self, values: Sequence[Tensor], placed: Tensor, scored_BT: Tensor) -> Tensor:
        """Nats [B, T] from the model's values at the targets to be scored."""
        head = LMHead(*self._model.output()) if self.method == "features" else None
        nll_BT = torch.zeros(scored_BT.shape, device=placed.device)
        nll_BT[scored_BT] = token_nll(torch.cat([*values]), head, placed[:, 1:][scored_BT])
        return nll_BT

    def logits(self, tokens: NDArray[np.int32], steps: NDArray[np.int32] | None) -> Tensor:
        """Logits [B, T, V] in fp32 of the next tokens."""
        return logits(*contract.outputs(self._model, self._vocab, self.place(tokens)))

    def next_logits(self, tokens: NDArray[np.int32], cache: Any) -> Tensor:
        """Logits [V] in fp32 of the token after `tokens` [T]; see `reader.TextReader`."""
        caches = () if cache is None else (cache,)
        values, head = contract.outputs(self._model, self._vocab, self.place(tokens[None]), *caches)
        return logits(values[:, -1], head)[0]


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
        active = np.flatnonzero(batch.active)  # known on the host: no waiting for the device
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

    def nll(self, batch: NoisedBatch) -> Tensor:
        """Nats [B, T] of the targets, one draw of the bound for each row."""
        noisy, steps = self.place(batch.noisy), self.place(batch.steps)
        features_BTD, _ = contract.outputs(self._model, self._vocab, noisy, steps)
        index = np.flatnonzero(batch.active)
        active = self.place(index)
        nll = torch.zeros(batch.noisy.size, device=features_BTD.device)
        nll[active] = self._terms(features_BTD.flatten(0, 1)[active], batch, index)
        return nll.view(batch.noisy.shape)[:, 1:]

    def _terms(self, features_ND: Tensor, batch: NoisedBatch, active: NDArray[np.int64]) -> Tensor:
        """The NELBO's terms [N] at the active positions."""
        rows = active // batch.noisy.shape[1]
        clean, noisy = batch.clean.reshape(-1)[active], batch.noisy.reshape(-1)[active]
        placed = (features_ND, *map(self.place, (clean, noisy, batch.steps[rows])))
        head = LMHead(*self._model.output())
        terms = [
            self._model.bound_nats(logits(x, head).log_softmax(dim=-1), *chunk)
            for x, *chunk in zip(*(one.split(_CHUNK_TERMS) for one in placed), strict=True)
        ]
        return torch.cat(terms) * torch.from_numpy(batch.weights[rows]).to(features_ND.device)

    def logits(self, tokens: NDArray[np.int32], steps: NDArray[np.int32] | None) -> Tensor:
        """Logits [B, T, V] in fp32 of the clean tokens behind noisy ones at `steps` [B]."""
        assert steps is not None, "logits of a diffusion model need noise steps"
        placed = self.place(tokens), self.place(steps)
        return logits(*contract.outputs(self._model, self._vocab, *placed))


def build(
    model: Any, place: Place, architecture: Architecture, config: ModelConfig
) -> NextTokenLoss | DiffusionLoss:
    """The loss that an architecture's likelihood asks for."""
    contract.expect_methods(model, architecture.LIKELIHOOD)
    if architecture.LIKELIHOOD == "exact":
        return NextTokenLoss(model, place, config.vocab)
    return DiffusionLoss(model, place, architecture, config)
