"""An engine for counted models: no gradient, no seed, no precision to choose.

The model (`architectures/<name>/numpy_model.py`) has `count(rows)`, `finalize()`, `num_entries`,
`running_nats(rows)`, `make_room()`, `nll(rows)`, `log_probs(tokens)`, `weights()`, `load()`,
`max_history`, the number of tokens that a prediction looks back on at most, and a class method
`trial(config)`: a small model that has counted and is not finalized.
"""

import time
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from speedrun.backends import common, contract
from speedrun.backends.reader import TextReader
from speedrun.config import ModelConfig
from speedrun.device import Profile
from speedrun.protocols import (
    EngineSpec,
    EngineState,
    OutOfMemory,
    Reader,
    Rows,
    UnfairModelError,
    Weights,
)

# `finalize` takes 0.4 to 1.4 times as long an entry as on the trial's rows (measured).
_FINALIZE_MARGIN = 1.6
_NUM_COMPARED = 16  # rows of a call whose nats are compared with the probabilities of all tokens
_TOLERANCE = 1e-3  # log-probabilities are float32


class NumpyEngine:
    """See `speedrun.protocols.Engine`."""

    def __init__(self, spec: EngineSpec, finalize_s_per_entry: float | None = None) -> None:
        recipe, config = spec.recipe, spec.config
        self._spec, self._make = spec, spec.architecture.model("numpy")
        self._config = config
        self._micro_batch_rows = recipe.micro_batch_rows or recipe.batch_rows
        if finalize_s_per_entry is None:
            finalize_s_per_entry = _finalize_s_per_entry(self._make, config)
        self._finalize_s_per_entry = finalize_s_per_entry
        self.reset()

    def step(self, rows: Rows, lr_scale: float) -> None:
        """Count the rows; there is no learning rate to scale."""
        if self._wants_loss:
            # Before they are counted, so that the loss is one of unseen text.
            self._loss = self._model.running_nats(rows[:1])
            self._wants_loss = False
        while self._num_done < len(rows):
            piece = rows[self._num_done : self._num_done + self._micro_batch_rows]
            try:
                self._model.count(piece)
            except MemoryError as error:
                raise OutOfMemory(str(error) or "no room for more counts") from None
            self._num_done += len(piece)
        self._num_done = 0

    def sync(self) -> None:
        """Nothing is enqueued."""

    def finalize_s(self) -> float:
        """Seconds that `finalize` would take now, rather too many."""
        return _FINALIZE_MARGIN * self._finalize_s_per_entry * self._model.num_entries

    def finalize(self) -> None:
        """Turn the counts into probabilities."""
        self._model.finalize()

    def train_loss(self) -> float:
        """Nats of the first row counted since the last call, under the counts before it."""
        self._wants_loss = True
        return self._loss

    def rebuilt(self) -> Self:
        """A new engine of these counts that only scores, of code executed again."""
        made = type(self)(common.anew(self._spec), self._finalize_s_per_entry)
        made.load(self.weights())
        return made

    def halve_micro_batch(self) -> int:
        """Count in smaller pieces, and hold half as many different ones."""
        if self._micro_batch_rows == 1:
            raise OutOfMemory("the counts of one row more do not fit; ask for a smaller --params")
        self._micro_batch_rows //= 2
        self._model.make_room()
        return self._micro_batch_rows

    def nll(
        self,
        rows: Rows,
        seed: int,
        prefix_length: int = 0,
        timesteps: NDArray[np.float64] | None = None,
        where: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.float64]:
        """Nats [rows, context] of the targets; UnfairModelError where they are the model's word.

        A table gives one token's probability much faster than all of them: the harness's softmax
        is taken at a few places of each call. The model cannot know which, and is not shown there
        what follows.
        """
        nats = self._model.nll(rows)
        contract.expect("nll", nats, (len(rows), rows.shape[1] - 1), "rows x context")
        self._compare_some(rows, nats)
        return nats

    def _compare_some(self, rows: Rows, nats: NDArray[np.float64]) -> None:
        rng = np.random.default_rng()  # of the system's entropy
        end = int(rng.integers(1, rows.shape[1]))
        some = rng.permutation(len(rows))[:_NUM_COMPARED]
        seen = rows[some, max(0, end - self._model.max_history) : end]
        log_probs = self._model.log_probs(seen)
        contract.expect(
            "log_probs", log_probs, (*seen.shape, self._config.vocab), "rows x length x vocabulary"
        )
        log_probs = log_probs[:, -1].astype(np.float64)
        with np.errstate(invalid="ignore", over="ignore"):
            sums = np.exp(log_probs).sum(axis=-1)
            off = np.abs(log_probs[np.arange(len(some)), rows[some, end]] + nats[some, end - 1])
        if not np.all(np.abs(sums - 1) <= _TOLERANCE):
            raise UnfairModelError(
                f"not normalised: after {seen.shape[1]} tokens the model's probabilities add up to"
                f" {sums[np.abs(sums - 1).argmax()]:.6g}"
            )
        if not np.all((off <= _TOLERANCE) | (nats[some, end - 1] == np.inf)):
            raise UnfairModelError(
                f"not normalised: scores differ from the model's own probabilities after"
                f" {seen.shape[1]} tokens by {off.max():.2g} nats"
            )

    def logits(
        self, tokens: NDArray[np.int32], steps: NDArray[np.int32] | None = None
    ) -> NDArray[np.float32]:
        """Log-probabilities [rows, length, vocab] of the next tokens."""
        return self._model.log_probs(tokens)

    def reader(self) -> Reader:
        """The model at the start of a text."""
        # A prediction looks back on few tokens: no cache is needed.
        seen = min(self._config.context, self._model.max_history)
        return TextReader(self._next_log_probs, seen)

    def _next_log_probs(self, tokens: NDArray[np.int32], cache: None) -> NDArray[np.float32]:
        return self._model.log_probs(tokens[None])[0, -1]

    def state(self) -> None:
        """None: a counted model reads its data in minutes, and holds them sorted in pieces."""

    def random_state(self) -> dict[str, Any]:
        """The global generators'."""
        return common.random_state()

    def restore(self, state: EngineState, random_state: Mapping[str, Any]) -> None:
        """Never called: there is no state."""
        raise ValueError("a counted model has no checkpoints")

    def weights(self) -> Weights:
        """The stored counts by name."""
        return self._model.weights()

    def load(self, weights: Mapping[str, NDArray[Any]]) -> None:
        """Set the stored counts; ValueError where they do not fit."""
        self._model.load(weights)

    def reset(self) -> None:
        """Start again with no counts."""
        common.seed_generators(self._spec.seed, rank=0)
        self._model: Any = self._make(self._config)
        self._wants_loss, self._loss = True, float("nan")
        self._num_done = 0  # rows of the step under way; kept when memory fails

    def profile(self, batches: Sequence[Rows]) -> Profile:
        """Count these batches, and time a step of it."""
        since_s = time.perf_counter()
        for rows in batches:
            self.step(rows, 1.0)
        return Profile(parts_s={"counting": (time.perf_counter() - since_s) / len(batches)})

    def peak_bytes(self) -> int:
        """Largest resident size of this process."""
        return common.peak_resident_bytes()

    def metadata(self) -> dict[str, Any]:
        """Facts for the record."""
        return {
            "precision": "fp32",
            "compiled": False,
            "num_threads": 1,
            "micro_batch_rows": self._micro_batch_rows,
        }


@cache
def _finalize_s_per_entry(make: Any, config: ModelConfig) -> float:
    """Seconds that `finalize` takes here for each entry; measured once a process."""
    trial = make.trial(config)
    num_entries = trial.num_entries
    before_s = time.perf_counter()
    trial.finalize()
    return (time.perf_counter() - before_s) / num_entries
