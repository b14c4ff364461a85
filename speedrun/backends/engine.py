"""Parts that the engines that train by gradients share."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from speedrun.backends import common
from speedrun.backends.reader import TextReader
from speedrun.protocols import Engine, EngineSpec, OutOfMemory, Reader, Rows


class GradientEngine:
    """Micro-batches, facts and readers; see `speedrun.protocols.Engine`.

    A subclass sets `model`, `losses` and `_facts`, and has `_free_memory`, `_seed_framework` and
    `_score`.
    """

    model: Any
    losses: Any
    _facts: dict[str, Any]
    _noise: np.random.Generator

    def __init__(self, spec: EngineSpec) -> None:
        self._spec, self._group, self._execution = spec, spec.group, spec.execution
        self._recipe = common.tuned(spec.recipe, spec.execution)
        self._context = spec.config.context
        self._micro_batch_rows = common.rows_at_once(self._recipe, spec.group)
        self._seed_generators()  # a model may draw from them where it is built

    def rebuilt(self) -> Self:
        """A new engine of these weights that only scores, of code executed again."""
        made = type(self)(common.anew(self._spec))
        cast(Engine, made).load(cast(Engine, self).weights())
        return made

    def finalize_s(self) -> float:
        """Seconds that `finalize` would take: none, every step is complete."""
        return 0.0

    def finalize(self) -> None:
        """Nothing is put off."""

    def halve_micro_batch(self) -> int:
        """Split a step's rows into pieces of half the size; the new size."""
        if self._micro_batch_rows == 1:
            raise OutOfMemory(
                "one row at a time does not fit; ask for a smaller --params or context"
            )
        self._micro_batch_rows //= 2
        return self._micro_batch_rows

    def metadata(self) -> dict[str, Any]:
        """Precision, compilation, micro-batch and other facts for the record."""
        return self._facts | {"micro_batch_rows": self._micro_batch_rows}

    def reader(self) -> Reader:
        """The model at the start of a text."""
        new_cache = getattr(self.model, "new_cache", None)
        return TextReader(self._next_logits, self._context, new_cache)

    def nll(
        self,
        rows: Rows,
        seed: int,
        prefix_length: int = 0,
        timesteps: NDArray[np.float64] | None = None,
        where: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.float64]:
        """Nats [rows, context] of the targets."""
        batch = self.losses.scored(rows, seed, prefix_length, timesteps, where)
        return self._scored(self.losses.nll, *batch).astype(np.float64)

    def logits(
        self, tokens: NDArray[np.int32], steps: NDArray[np.int32] | None = None
    ) -> NDArray[np.float32]:
        """Logits [rows, length, vocab]."""
        return self._scored(self.losses.logits, tokens, steps)

    def _next_logits(self, tokens: NDArray[np.int32], cache: Any) -> NDArray[np.float32]:
        return self._scored(self.losses.next_logits, tokens, cache)

    def _scored(self, function: Callable[..., Any], *args: Any) -> NDArray[Any]:
        """The result of a function of `losses`: no gradients, no dropout, statistics at rest."""
        self._be_training(False)
        return self._score(function, *args)

    def _be_training(self, wanted: bool) -> None:
        """Set the model's mode where it is another: telling all of its modules takes time."""
        if self.model.training != wanted:
            self.model.train(wanted)

    def _score(self, function: Callable[..., Any], *args: Any) -> NDArray[Any]:
        """The result of a function of `losses`, without gradients."""
        raise NotImplementedError

    def _new_noise(self) -> np.random.Generator:
        """The random state of a training from its start; the global ones start with it."""
        self._seed_generators()
        return np.random.default_rng([self._spec.seed, 0x4E01])

    def _seed_generators(self) -> None:
        self._seed_framework(common.seed_generators(self._spec.seed, self._group.rank))

    def _seed_framework(self, seed: int) -> None:
        """Seed the framework's own generators."""
        raise NotImplementedError

    def random_state(self) -> dict[str, Any]:
        """The state of all generators that a step may draw from."""
        own = {"noise": self._noise.bit_generator.state, "framework": self._framework_random()}
        return common.random_state() | own

    def _restore_random(self, state: Mapping[str, Any]) -> None:
        common.restore_random(state)
        self._noise.bit_generator.state = state["noise"]
        self._restore_framework_random(state["framework"])

    def _framework_random(self) -> list[list[int]]:
        """States of the framework's own generators."""
        raise NotImplementedError

    def _restore_framework_random(self, states: Sequence[Sequence[int]]) -> None:
        raise NotImplementedError

    @contextlib.contextmanager
    def _raising_out_of_memory(self, kind: type[MemoryError] = OutOfMemory) -> Iterator[None]:
        """Inside it the framework's errors that say so become `kind`, and memory is freed."""
        try:
            yield
        except (RuntimeError, MemoryError) as error:
            if not common.is_out_of_memory(error):
                raise
            self._free_memory()
            raise kind(str(error).splitlines()[0]) from None

    def _memory_error_after_exchange(self) -> type[MemoryError]:
        """OutOfMemory alone means that a step may be tried again.

        After an exchange the other ranks take the step, so trying again would be another one.
        """
        return OutOfMemory if self._group.size == 1 else MemoryError

    def _free_memory(self) -> None:
        raise NotImplementedError
