"""What a model is trained for and scored by: next tokens, or a bound under noise.

Shapes: B rows, T positions, N tokens, D width, V vocab.
"""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from speedrun.backends import contract
from speedrun.backends.timesteps import stratified_timesteps
from speedrun.backends.torch.lm_head import Output, logits, mean_nats, token_nats
from speedrun.config import ModelConfig
from speedrun.protocols import Architecture, NoisedBatch, Rows

_CHUNK_TERMS = 128  # their probabilities stay in a processor's cache

Place = Callable[[NDArray[Any]], Tensor]  # to the device; integers as int64
Run = Callable[..., Tensor]  # the model's main method, perhaps compiled


class Objective(Protocol):
    """How an engine turns rows into a loss and into nats."""

    method: str  # of the model, the one worth compiling

    def batch(self, rows: Rows, rng: np.random.Generator) -> Any:
        """What a step works on: can be cut into pieces of rows."""
        ...

    def num_terms(self, batch: Any) -> int:
        """What the mean of a loss is taken over."""
        ...

    def loss(self, batch: Any, run: Run) -> Tensor:
        """Mean nats in training, a scalar."""
        ...

    def nll(
        self, rows: Rows, seed: int, prefix_length: int, shares: NDArray[np.float64] | None
    ) -> Tensor:
        """Nats [B, T] of the targets."""
        ...

    def logits(self, tokens: NDArray[np.int32], steps: NDArray[np.int32] | None) -> Tensor:
        """Logits [B, T, V] in fp32."""
        ...


class Exact:
    """Next tokens; the model gives `features` and `output`, or `logits`, and perhaps
    `new_cache`, which these then take as well."""

    def __init__(self, model: Any, place: Place, vocab: int) -> None:
        self._model, self._place, self._vocab = model, place, vocab
        self._has_features = hasattr(model, "features")
        self.method = "features" if self._has_features else "logits"

    def batch(self, rows: Rows, rng: np.random.Generator) -> Rows:
        return rows

    def num_terms(self, batch: Rows) -> int:
        return len(batch)

    def loss(self, batch: Rows, run: Run) -> Tensor:
        placed = self._place(batch)
        inputs, targets = placed[:, :-1], placed[:, 1:]
        values = run(inputs)
        if self._has_features:
            return mean_nats(values, Output(*self._model.output()), targets)
        return F.cross_entropy(values.float().flatten(0, 1), targets.flatten())

    def nll(
        self, rows: Rows, seed: int, prefix_length: int, shares: NDArray[np.float64] | None
    ) -> Tensor:
        placed = self._place(rows)
        inputs, targets = placed[:, :-1], placed[:, 1:]
        if self._has_features:
            features_BTD, output = _features(self._model, self._vocab, inputs)
            nats = token_nats(features_BTD.flatten(0, 1), output, targets.flatten())
        else:
            by_vocab = self._by_vocab(inputs).flatten(0, 1)
            nats = F.cross_entropy(by_vocab, targets.flatten(), reduction="none")
        return nats.view(targets.shape)

    def logits(self, tokens: NDArray[np.int32], steps: NDArray[np.int32] | None) -> Tensor:
        placed = self._place(tokens)
        if self._has_features:
            return logits(*_features(self._model, self._vocab, placed))
        return self._by_vocab(placed)

    def next_logits(self, tokens: NDArray[np.int32], cache: Any) -> Tensor:
        """Logits [V] in fp32 of the token after `tokens` [T]; see `common.TextReader`."""
        placed = self._place(tokens[None])
        caches = () if cache is None else (cache,)
        if self._has_features:
            features_BTD, output = _features(self._model, self._vocab, placed, *caches)
            return logits(features_BTD[:, -1], output)[0]
        return self._by_vocab(placed, *caches)[0, -1]

    def _by_vocab(self, tokens_BT: Tensor, *caches: Any) -> Tensor:
        logits_BTV = self._model.logits(tokens_BT, *caches)
        expected = (*tokens_BT.shape, self._vocab)
        contract.expect("logits", logits_BTV, expected, "rows x context x vocabulary")
        return logits_BTV.float()


class Bound:
    """Clean tokens behind noisy ones: the architecture makes the noise, in NumPy; the model
    gives `features`, `output` and `bound_nats`, the bound's terms from log-probabilities."""

    method = "features"

    def __init__(
        self, model: Any, place: Place, architecture: Architecture, config: ModelConfig
    ) -> None:
        self._model, self._place = model, place
        self._architecture, self._config = architecture, config
        # How much of the training loss is the bound itself and how much cross-entropy.
        self._weights: tuple[float, float] = model.loss_weights()

    def batch(self, rows: Rows, rng: np.random.Generator) -> NoisedBatch:
        shares = stratified_timesteps(len(rows), rng)
        return self._architecture.q_sample(self._config, rows, shares, rng)

    def num_terms(self, batch: NoisedBatch) -> int:
        return int(batch.active.sum())

    def loss(self, batch: NoisedBatch, run: Run) -> Tensor:
        features_BTD = run(self._place(batch.noisy), self._place(batch.steps))
        active = _where(batch)
        features_ND = features_BTD.flatten(0, 1)[self._place(active)]
        clean_N = self._place(batch.clean.reshape(-1)[active])
        of_bound, of_cross_entropy = self._weights
        loss = torch.zeros((), device=features_BTD.device)
        if of_cross_entropy and len(active):
            nats = mean_nats(features_ND, Output(*self._model.output()), clean_N)
            loss = loss + of_cross_entropy * nats
        if of_bound and len(active):
            nats_N = self._terms(features_ND, batch, active)
            loss = loss + of_bound * nats_N.mean()
        return loss + 0.0 * features_BTD.sum()  # has gradients even where nothing is noisy

    def nll(
        self, rows: Rows, seed: int, prefix_length: int, shares: NDArray[np.float64] | None
    ) -> Tensor:
        rng = np.random.default_rng([seed, 0xD1FF])
        if shares is None:
            shares = stratified_timesteps(len(rows), rng)
        batch = self._architecture.q_sample(self._config, rows, shares, rng, prefix_length)
        noisy, steps = self._place(batch.noisy), self._place(batch.steps)
        features_BTD, _ = _features(self._model, self._config.vocab, noisy, steps)
        index = _where(batch)
        active = self._place(index)
        nats = torch.zeros(batch.noisy.size, device=features_BTD.device)
        nats[active] = self._terms(features_BTD.flatten(0, 1)[active], batch, index)
        return nats.view(batch.noisy.shape)[:, 1:]

    def _terms(self, features_ND: Tensor, batch: NoisedBatch, active: NDArray[np.int64]) -> Tensor:
        """The bound's terms [N] at the active places."""
        length = batch.noisy.shape[1]
        arrays = (
            batch.clean.reshape(-1)[active],
            batch.noisy.reshape(-1)[active],
            batch.steps[active // length],
        )
        weights_N = torch.from_numpy(batch.weights[active // length]).to(features_ND.device)
        output = Output(*self._model.output())
        chunks = zip(
            features_ND.split(_CHUNK_TERMS),
            *(self._place(array).split(_CHUNK_TERMS) for array in arrays),
            strict=True,
        )
        terms_N = torch.cat(
            [
                self._model.bound_nats(logits(x, output).log_softmax(dim=-1), *chunk)
                for x, *chunk in chunks
            ]
        )
        return terms_N * weights_N

    def logits(self, tokens: NDArray[np.int32], steps: NDArray[np.int32] | None) -> Tensor:
        assert steps is not None, "a bound's logits need noise steps"
        placed = self._place(tokens), self._place(steps)
        return logits(*_features(self._model, self._config.vocab, *placed))


def _features(model: Any, vocab: int, tokens_BT: Tensor, *others: Any) -> tuple[Tensor, Output]:
    """A model's features and output weights, of the shapes that they must have; `others` is a
    bound's noise steps, or an exact model's cache."""
    features_BTD, output = model.features(tokens_BT, *others), model.output()
    contract.expect_output(output, vocab)
    expected = (*tokens_BT.shape, output[0].shape[1])
    contract.expect("features", features_BTD, expected, "rows x context x width of output()")
    return features_BTD, Output(*output)


def _where(batch: NoisedBatch) -> NDArray[np.int64]:
    """Flat places of the active tokens, known on the host: no waiting for the device."""
    return np.flatnonzero(batch.active)


def of(model: Any, place: Place, architecture: Architecture, config: ModelConfig) -> Objective:
    """The objective that an architecture's likelihood asks for."""
    contract.expect_methods(model, architecture.LIKELIHOOD)
    if architecture.LIKELIHOOD == "exact":
        return Exact(model, place, config.vocab)
    return Bound(model, place, architecture, config)
