"""An MLX model in training: precision, compilation, accumulation and limits live here."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import mlx.core as mx
import numpy as np
from mlx.utils import tree_flatten, tree_unflatten
from numpy.typing import NDArray

from speedrun.backends import common, contract
from speedrun.backends.mlx import devices, losses, profiler
from speedrun.backends.mlx.compile import CheckedCompile
from speedrun.backends.mlx.optimizers import Grouped, LossScaling, Named
from speedrun.protocols import EngineSpec, OutOfMemory, Profile, Reader, Rows, Weights


class MlxEngine:
    """See `speedrun.protocols.Engine`.

    Weights and the optimizers' state are kept here, in fp32, and put into the model where it is
    used. A step is two functions of them, compiled once: gradients of a piece of the rows, and
    the update. They are lazy, so that one evaluation a step covers both.
    """

    def __init__(self, spec: EngineSpec) -> None:
        architecture, config, device = spec.architecture, spec.config, spec.device
        group, settings, seed = spec.group, spec.execution, spec.seed
        self._team = group
        recipe = common.tuned(spec.recipe, settings)
        precision = common.precision(recipe.precision, device, devices.matmul_gflops)
        is_measured = settings.compile is not None  # here, for this model: no rule is needed
        compiling = {"compiled": recipe.compile}
        if recipe.compile and not is_measured:
            compiling = devices.compiling()
        self._facts: dict[str, Any] = devices.prepare() | compiling | {"precision": precision}
        self._seed, self._context, self._dtype = seed, config.context, devices.DTYPES[precision]
        self._micro_batch_rows = common.rows_at_once(recipe, group)
        self._model: Any = architecture.model("mlx")(config)
        parameters: Any = tree_flatten(self._model.parameters())
        self._shapes = {name: parameter.shape for name, parameter in parameters}
        contract.expect_methods(self._model, architecture.LIKELIHOOD)
        self._initial = architecture.initial(config, seed)
        contract.expect_same(self._initial, dict(parameters), "mlx_model.py")
        self._objective = losses.of(architecture, config)
        half = mx.float32 if precision == "fp32" else mx.bfloat16
        self._optimizers = Grouped(self._shapes, architecture.PARAM_GROUPS, recipe, half)
        self._loss_scaling = LossScaling(enabled=precision == "fp16")
        self._gradients = CheckedCompile(self._piece_gradients, precision, self._facts)
        self._update = CheckedCompile(self._updated, precision, self._facts)
        self._mark: profiler.Mark = profiler.unmarked
        self._fitting_rows: set[int] = set()  # sizes of pieces that memory is known to hold
        self.reset()

    # -- training

    def step(self, rows: Rows, lr_scale: float) -> None:
        loss, grads = common.on_every_rank(self._team, lambda: self._own_gradients(rows))
        # After the exchange the other ranks take this step, so trying again would be another.
        with self._watching_memory(OutOfMemory if self._team.size == 1 else MemoryError):
            self._mark(profiler.EXCHANGE, loss, grads)
            if self._team.size > 1:
                loss, grads = self._averaged(loss, grads)
            self._mark(profiler.OPTIMIZER, loss, grads)
            self._apply(loss, grads, lr_scale)

    @contextlib.contextmanager
    def _watching_memory(self, means: type[MemoryError]) -> Iterator[None]:
        try:
            yield
        except (RuntimeError, MemoryError) as error:
            if not devices.is_out_of_memory(error):
                raise
            mx.clear_cache()
            raise means(str(error).splitlines()[0]) from None

    def _own_gradients(self, rows: Rows) -> tuple[mx.array, Named]:
        """This rank's share of the mean loss, and its gradients, both times the ranks."""
        with self._watching_memory(OutOfMemory):
            self._mark(profiler.DATA)
            batch = self._objective.batch(rows, self._noise)  # of all ranks, so noise is the same
            num_terms = max(1, self._objective.num_terms(batch)) / self._team.size
            size, own = self._micro_batch_rows, self._team.part(len(rows))
            loss, grads = mx.zeros(()), None
            for start in range(own.start, own.stop, size):
                piece = batch[start : min(start + size, own.stop)]
                self._mark(profiler.DATA)
                arrays, scale = self._objective.arrays(piece), self._scaling["scale"]
                self._mark(profiler.MODEL, *arrays)
                part, more = self._gradients(self._params, mx.array(num_terms), scale, *arrays)
                loss = loss + part
                grads = more if grads is None else {n: grads[n] + g for n, g in more.items()}
                if size < len(own):
                    mx.eval(loss, grads)  # before the next piece takes memory
                self._mark(profiler.REST, loss, grads)
            assert grads is not None, "a step without rows"
            if self._team.size > 1 and size not in self._fitting_rows:
                mx.eval(loss, grads)  # or memory would run out after the exchange
            return loss, grads

    def _averaged(self, loss: mx.array, grads: Named) -> tuple[mx.array, Named]:
        from speedrun.backends.mlx.process_group import averaged

        return averaged(loss, grads)

    def _apply(self, loss: mx.array, grads: Named, lr_scale: float) -> None:
        after = self._update(
            self._params, self._states, self._scaling, grads, mx.array(float(lr_scale))
        )
        self._mark(profiler.REST, after)
        loss_sum = self._loss_sum + loss
        with self._waiting():
            if self._micro_batch_rows in self._fitting_rows:
                mx.async_eval(after, loss_sum)
            else:  # memory suffices only when it has; until then nothing is given up
                mx.eval(after, loss_sum)
                self._fitting_rows.add(self._micro_batch_rows)
        self._params, self._states, self._scaling = after
        self._loss_sum = loss_sum
        self._num_losses += 1

    def _piece_gradients(
        self, params: Named, num_terms: mx.array, scale: mx.array, *arrays: mx.array
    ) -> tuple[mx.array, Named]:
        """A piece's share of the mean loss in nats, and its scaled gradients."""

        def scaled_loss(params: Named) -> mx.array:
            model = self._with({n: p.astype(self._dtype) for n, p in params.items()})
            return scale * self._objective.loss_sum(model, *arrays) / num_terms

        loss, grads = mx.value_and_grad(scaled_loss)(params)
        return loss / scale, grads

    def _updated(self, params: Any, states: Any, scaling: Any, grads: Any, lr_scale: Any) -> Any:
        return self._loss_scaling.apply(params, states, scaling, grads, lr_scale, self._optimizers)

    def _with(self, params: Named) -> Any:
        """The model with these weights."""
        return self._model.update(tree_unflatten(list(params.items())))

    def sync(self) -> None:
        with self._waiting():
            mx.eval(self._params, self._states, self._scaling, self._loss_sum)

    @contextlib.contextmanager
    def _waiting(self) -> Iterator[None]:
        """Around evaluations that may wait for what other ranks give to a step."""
        try:
            yield
        except RuntimeError as error:
            if self._team.size == 1 or devices.is_out_of_memory(error):
                raise
            with self._team.guarding():
                raise

    def finalize_s(self) -> float:
        return 0.0

    def finalize(self) -> None: ...

    def train_loss(self) -> float:
        mean = float(self._loss_sum) / max(1, self._num_losses)
        self._loss_sum, self._num_losses = mx.zeros(()), 0
        return mean

    def halve_micro_batch(self) -> int:
        if self._micro_batch_rows == 1:
            raise OutOfMemory("one row a time does not fit; ask for a smaller --params or context")
        self._micro_batch_rows //= 2
        return self._micro_batch_rows

    def profile(self, batches: Sequence[Rows]) -> Profile:
        def steps(mark: profiler.Mark) -> int:
            self._mark = mark
            try:
                for rows in batches:
                    self.step(rows, 1.0)
            finally:
                self._mark = profiler.unmarked
            return len(batches)

        return profiler.profile(steps)

    # -- scoring

    def nll(
        self,
        rows: Rows,
        seed: int,
        prefix_length: int = 0,
        shares: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float64]:
        model = self._with(self._params)
        return np.array(self._objective.nll(model, rows, seed, prefix_length, shares), np.float64)

    def logits(
        self, tokens: NDArray[np.int32], steps: NDArray[np.int32] | None = None
    ) -> NDArray[np.float32]:
        return np.array(self._objective.logits(self._with(self._params), tokens, steps))

    def reader(self) -> Reader:
        new_cache = getattr(self._model, "new_cache", None)
        return common.TextReader(self._next_logits, self._context, new_cache)

    def _next_logits(self, tokens: NDArray[np.int32], cache: Any) -> NDArray[np.float32]:
        assert isinstance(self._objective, losses.Exact), "a bound does not read on"
        model = self._with(self._params)
        return np.array(self._objective.next_logits(model, tokens, cache))

    # -- state

    def weights(self) -> Weights:
        return {name: np.array(param) for name, param in self._params.items()}

    def load(self, weights: Mapping[str, NDArray[Any]]) -> None:
        common.check_fit(weights, self._shapes)
        self._params: Named = {
            name: mx.array(np.asarray(weights[name], dtype=np.float32)) for name in self._shapes
        }

    def reset(self) -> None:
        self.load(self._initial)
        self._states = self._optimizers.start(self._params)
        self._scaling = self._loss_scaling.start()
        self._noise = np.random.default_rng([self._seed, 0x4E01])
        self._loss_sum, self._num_losses = mx.zeros(()), 0
        self.sync()
        mx.reset_peak_memory()

    def peak_bytes(self) -> int:
        return devices.peak_bytes()

    def metadata(self) -> dict[str, Any]:
        return self._facts | {"micro_batch_rows": self._micro_batch_rows}
