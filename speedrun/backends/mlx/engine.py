"""An MLX model in training: precision, accumulation, lazy evaluation and optimizers."""

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import mlx.core as mx
import numpy as np
from mlx.utils import tree_flatten, tree_unflatten
from numpy.typing import NDArray

from speedrun.backends import common, contract
from speedrun.backends.engine import GradientEngine
from speedrun.backends.mlx import devices, losses, optimizers, profiler
from speedrun.backends.mlx.compile import CheckedCompile
from speedrun.backends.mlx.optimizers import Grouped, LossScaling, Named, State, coalesced
from speedrun.device import Profile
from speedrun.protocols import EngineSpec, EngineState, Rows, Weights


class GivenRows:
    """A model whose tables are not read: it is given the rows that are looked up."""

    def __init__(self, model: Any, rows: Named) -> None:
        self._model = model
        self.features = functools.partial(model.features, table_rows=rows)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


class MlxEngine(GradientEngine):
    """See `speedrun.protocols.Engine`.

    Weights and the optimizers' state are kept here, in fp32, and put into the model where it is
    used. A step is two functions of them, compiled once: gradients of a piece of the rows, and
    the update. They are lazy, so that one evaluation a step covers both.
    """

    def __init__(self, spec: EngineSpec) -> None:
        super().__init__(spec)
        architecture, config = spec.architecture, spec.config
        precision = common.precision(self._recipe.precision, spec.device, devices.matmul_gflops)
        compiling = {"compiled": self._recipe.compile}
        if self._recipe.compile and spec.execution.compile is None:  # not measured for this model
            compiling = devices.compiling()
        self._facts = devices.prepare() | compiling | {"precision": precision}
        self._dtype = devices.DTYPES[precision]
        self.model: Any = architecture.model("mlx")(config)
        parameters: Any = tree_flatten(self.model.parameters())
        self._shapes = {name: parameter.shape for name, parameter in parameters}
        self._table_names = contract.table_names(
            self.model, self._shapes, architecture.PARAM_GROUPS
        )
        contract.expect_methods(self.model, architecture.LIKELIHOOD)
        self._initial = common.without_zeros(architecture.initial(config, spec.seed))
        contract.expect_same(self._initial, dict(parameters), "mlx_model.py")
        self.losses = losses.build(architecture, config)
        half = mx.float32 if precision == "fp32" else mx.bfloat16
        self._optimizers = Grouped(self._shapes, architecture.PARAM_GROUPS, self._recipe, half)
        self._loss_scaling = LossScaling(enabled=precision == "fp16")
        self.gradients = CheckedCompile(self._piece_gradients, precision, self._facts)
        self.update = CheckedCompile(self._updated, precision, self._facts)
        self._fitting_rows: set[int] = set()  # sizes of pieces that memory is known to hold
        self.reset()

    # -- training

    def step(self, rows: Rows, lr_scale: float) -> None:
        """Enqueue one training step; raises OutOfMemory with weights untouched."""
        found = common.on_every_rank(self._group, lambda: self._own_gradients(rows))
        with self._raising_out_of_memory(self._memory_error_after_exchange()):
            if self._group.size > 1:
                found = self._exchange(*found)
            self._apply(*found, lr_scale)

    def _own_gradients(self, rows: Rows) -> tuple[mx.array, Named, Named]:
        """This rank's share of the mean loss and its gradients, both times the ranks.

        And the rows of tables [N] that gradients [N, D] belong to, one for each time it was read.
        """
        self._be_training(True)
        with self._raising_out_of_memory():
            batch = self.losses.batch(rows, self._noise)  # of all ranks, so noise is the same
            num_terms = max(1, self.losses.num_terms(batch)) / self._group.size
            size, own = self._micro_batch_rows, self._group.part(len(rows))
            loss, grads, touched = mx.zeros(()), None, {}
            for start in range(own.start, own.stop, size):
                piece: Any = batch[start : min(start + size, own.stop)]
                arrays, scale = self.losses.arrays(piece), self._scaling["scale"]
                index = self.model.table_index(arrays[0]) if self._table_names else {}
                read = {name: self._tables[name][i] for name, i in index.items()}
                part, more = self.gradients(
                    self._params | read, mx.array(num_terms), scale, *arrays
                )
                for name, rows_ND in read.items():
                    more[name] = more[name].reshape(-1, rows_ND.shape[-1])
                loss = loss + part
                grads = more if grads is None else self._sums(grads, more)
                flat = {name: i.flatten() for name, i in index.items()}
                touched = self._sums(touched, flat) if touched else flat
                if size < len(own):
                    mx.eval(loss, grads, touched)  # before the next piece takes memory
            assert grads is not None, "a step without rows"
            if self._group.size > 1 and size not in self._fitting_rows:
                mx.eval(loss, grads, touched)  # or memory would run out after the exchange
            return loss, grads, touched

    def _sums(self, grads: Named, more: Named) -> Named:
        """Gradients of two pieces together: sums, and of tables the rows of both."""
        return {
            name: mx.concatenate([g, more[name]]) if name in self._table_names else g + more[name]
            for name, g in grads.items()
        }

    def _exchange(
        self, loss: mx.array, grads: Named, touched: Named
    ) -> tuple[mx.array, Named, Named]:
        """Means over the ranks, and of tables the rows of all."""
        from speedrun.backends.mlx.process_group import averaged, gathered

        of_tables = {name: grads[name] / self._group.size for name in touched}
        loss, dense = averaged(loss, {n: g for n, g in grads.items() if n not in touched})
        return loss, dense | gathered(of_tables), gathered(touched)

    def _apply(self, loss: mx.array, grads: Named, touched: Named, lr_scale: float) -> None:
        for name, index_N in touched.items():
            touched[name], grads[name] = coalesced(index_N, grads[name])
        after = self.update(
            self._params, self._states, self._scaling, grads, touched, mx.array(float(lr_scale))
        )
        loss_sum = self._loss_sum + loss
        with self._waiting():
            if self._micro_batch_rows in self._fitting_rows:
                mx.async_eval(after, loss_sum)
            else:  # memory suffices only when it has; until then nothing is given up
                mx.eval(after, loss_sum)
                self._fitting_rows.add(self._micro_batch_rows)
        params, self._states, self._scaling = after
        for name, index_N in touched.items():  # in place, where nothing else holds the table
            self._tables[name] = self._tables[name].at[index_N].add(params.pop(name))
        with self._waiting():
            mx.async_eval(self._tables)
        self._params, self._loss_sum = params, loss_sum
        self._num_losses += 1

    def _piece_gradients(
        self, params: Named, num_terms: mx.array, scale: mx.array, *arrays: mx.array
    ) -> tuple[mx.array, Named]:
        """A piece's share of the mean loss in nats, and its scaled gradients.

        Of tables, parameters are the rows that the piece reads.
        """

        def scaled_loss(params: Named) -> mx.array:
            cast = {n: p.astype(self._dtype) for n, p in params.items()}
            rows = {name: cast.pop(name) for name in self._table_names}
            model = self._with(cast)
            model = GivenRows(model, rows) if rows else model
            return scale * self.losses.loss_sum(model, *arrays) / num_terms

        loss, grads = mx.value_and_grad(scaled_loss)(params)
        return loss / scale, grads

    def _updated(
        self, params: Any, states: Any, scaling: Any, grads: Any, touched: Any, lr_scale: Any
    ) -> Any:
        params = params | {name: mx.zeros_like(grads[name]) for name in touched}  # no change yet

        def step(grads: Named) -> tuple[Named, State]:
            return self._optimizers.apply(params, states, grads, lr_scale, touched)

        return self._loss_scaling.apply((params, states), scaling, grads, step)

    def _with(self, params: Named) -> Any:
        """The model with these weights."""
        return self.model.update(tree_unflatten(list(params.items())))

    def _free_memory(self) -> None:
        mx.clear_cache()

    def sync(self) -> None:
        """Wait until the device has finished."""
        with self._waiting():
            mx.eval(self._params, self._tables, self._states, self._scaling, self._loss_sum)

    @contextlib.contextmanager
    def _waiting(self) -> Iterator[None]:
        """Around evaluations that may wait for what other ranks give to a step."""
        try:
            yield
        except RuntimeError as error:
            if self._group.size == 1 or common.is_out_of_memory(error):
                raise
            with self._group.guarding():
                raise

    def train_loss(self) -> float:
        """Mean nats per token over the steps since the last call."""
        mean = float(self._loss_sum) / max(1, self._num_losses)
        self._loss_sum, self._num_losses = mx.zeros(()), 0
        return mean

    def profile(self, batches: Sequence[Rows]) -> Profile:
        """Train on these batches, a step each, and time the parts of a step."""
        return profiler.profile(self, batches)

    def _seed_framework(self, seed: int) -> None:
        mx.random.seed(seed)

    def _framework_random(self) -> list[list[int]]:
        keys: Any = mx.random.state
        return [np.array(key).tolist() for key in keys]

    def _restore_framework_random(self, states: Sequence[Sequence[int]]) -> None:
        high, low = states[0]  # a generator's state is what it would be seeded with
        mx.random.seed(high << 32 | low)

    def _score(self, function: Callable[..., mx.array], *args: Any) -> NDArray[Any]:
        try:
            return np.array(function(self._with(self._params | self._tables), *args))
        finally:
            self._drop_tables()

    def _drop_tables(self) -> None:
        """Have the model hold no tables: an update could not be made in place."""
        self._with({name: mx.zeros((0, self._shapes[name][1])) for name in self._table_names})

    # -- state

    def weights(self) -> Weights:
        """Copies of the parameters by name, in fp32."""
        held = self._params | self._tables
        return {name: np.array(held[name]) for name in self._shapes}

    def load(self, weights: Mapping[str, NDArray[Any]]) -> None:
        """Set the parameters; ValueError where names or shapes differ."""
        common.check_fit(weights, self._shapes)
        self._params: Named = {
            name: mx.array(np.asarray(weights[name], dtype=np.float32)) for name in self._shapes
        }
        self._tables: Named = {name: self._params.pop(name) for name in self._table_names}

    def reset(self) -> None:
        """Restore initial weights, optimizers and random state."""
        self.load(self._initial)
        self._drop_tables()
        self._states = self._optimizers.start(self._params | self._tables)
        self._scaling = self._loss_scaling.start()
        self._noise = self._new_noise()
        self._loss_sum, self._num_losses = mx.zeros(()), 0
        self.sync()
        mx.reset_peak_memory()

    def state(self) -> EngineState:
        """Weights, the optimizers' state and the loss scale."""
        named = {f"model/{name}": array for name, array in self.weights().items()}
        rest = {"optimizers": self._states, "scaling": self._scaling}
        optimizers.visit(rest, lambda path, leaf: named.update({path: np.array(leaf)}))
        return EngineState(arrays=named, facts={"micro_batch_rows": self._micro_batch_rows})

    def restore(self, state: EngineState, random_state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self.reset()
        self.load(common.parts(state.arrays)["model"])
        self._drop_tables()
        rest = {"optimizers": self._states, "scaling": self._scaling}
        rest = optimizers.visit(rest, lambda path, leaf: mx.array(state.arrays[path]))
        self._states, self._scaling = rest["optimizers"], rest["scaling"]
        self._micro_batch_rows = state.facts["micro_batch_rows"]
        self._restore_random(random_state)
        self.sync()

    def peak_bytes(self) -> int:
        """Most memory in use so far."""
        return devices.peak_bytes()
