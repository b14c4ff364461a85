"""Fairness checks on held-out text: rows that were scored, looked at again afterwards."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from speedrun.config import ModelConfig
from speedrun.distributed.group import ProcessGroup
from speedrun.evaluation.fairness import bound, exact
from speedrun.evaluation.fairness.common import CHECK_TOLERANCE_NATS
from speedrun.evaluation.scorer import Scorer, Witness
from speedrun.protocols import Architecture, Engine, UnfairModelError, Weights

_NUM_PLACES = 128


@dataclass(frozen=True, kw_only=True)
class HeldOutChecks:
    """A trained model, made before it is scored: with its `scorer`, and checked afterwards."""

    engine: Engine
    architecture: Architecture
    model: ModelConfig
    saved: Weights = field(init=False)
    witness: Witness = field(init=False)

    def __post_init__(self) -> None:
        is_exact = self.architecture.LIKELIHOOD == "exact"
        object.__setattr__(self, "saved", self.engine.weights())
        object.__setattr__(self, "witness", Witness(_NUM_PLACES, first_rows_only=not is_exact))

    def scorer(self, group: ProcessGroup | None = None) -> Scorer:
        """The engine as a scorer whose scores are witnessed."""
        return Scorer(self.engine, group or ProcessGroup(), self.witness)

    def check(self) -> None:
        """Check the scores that were witnessed; raises UnfairModelError.

        The engine must be as it was when scoring ended.
        """
        self._check_weights()
        rebuilt = self.engine.rebuilt()
        if self.architecture.LIKELIHOOD == "bound":

            def predict(tokens: NDArray[np.int32], num_given: int) -> NDArray[np.float64]:
                return self._predicted(rebuilt, tokens, num_given)

            bound.check(self.witness.kept, self.engine, rebuilt, predict)
            return
        if (least := self.witness.least_nats) < -CHECK_TOLERANCE_NATS:
            raise UnfairModelError(f"not normalised: a held-out token costs {least:.2g} nats")
        vocab = self.model.vocab
        exact.check(self.witness.kept, self.engine, rebuilt, vocab, _NUM_PLACES)

    def _check_weights(self) -> None:
        after = self.engine.weights()
        for name in sorted(self.saved.keys() | after.keys()):
            found, expected = after.get(name, ()), self.saved.get(name, ())
            if np.array_equal(found, expected):  # with NaN it takes three copies more
                continue
            if not np.array_equal(found, expected, equal_nan=True):
                raise UnfairModelError(f"not its weights alone: scoring changed {name!r}")

    def _predicted(
        self, engine: Engine, tokens: NDArray[np.int32], num_given: int
    ) -> NDArray[np.float64]:
        """The model's probabilities of the rest of a row where all of it is noise.

        `p_sample` says how such a row looks; whatever it says, the draws are the harness's.
        """
        asked: list[tuple[NDArray[np.int32], int]] = []

        def probs(noisy: NDArray[np.int32], step: int) -> NDArray[np.float64]:
            asked.append((noisy.copy(), step))
            return np.full((len(noisy), self.model.vocab), 1 / self.model.vocab)

        self.architecture.p_sample(self.model, tokens, num_given, 1, probs, np.random.default_rng())
        if not asked:
            raise UnfairModelError("p_sample draws tokens without a prediction")
        noisy, step = asked[0]
        logits_TV = engine.logits(noisy[None], np.array([step], dtype=np.int32))[0, num_given:]
        top_T1 = logits_TV.max(axis=-1, keepdims=True)
        probs_TV = np.exp(logits_TV.astype(np.float64) - top_T1)
        return probs_TV / probs_TV.sum(axis=-1, keepdims=True)
