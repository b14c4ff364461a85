"""A PyTorch model in training: precision, accumulation, placement and optimizers."""

import contextlib
import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from speedrun.backends import common, contract
from speedrun.backends.engine import GradientEngine
from speedrun.backends.torch import (
    checkpointing,
    devices,
    embedding,
    losses,
    optimizers,
    profiler,
    states,
    tuning_space,
    workers,
)
from speedrun.backends.torch.compile import CheckedCompile
from speedrun.backends.torch.kernels import selection
from speedrun.backends.torch.kernels.selection import Selection
from speedrun.backends.torch.trained_forward import TrainedForward
from speedrun.backends.torch.workers import Workers
from speedrun.device import Profile
from speedrun.protocols import EngineSpec, EngineState, OutOfMemory, Rows, Weights


class TorchEngine(GradientEngine):
    """See `speedrun.protocols.Engine`."""

    def __init__(self, spec: EngineSpec) -> None:
        super().__init__(spec)
        architecture, config, device = spec.architecture, spec.config, spec.device
        self.device_row = devices.row(device.name)
        self._device = torch.device(device.name)
        shared_facts = devices.prepare(device.name, spec.execution)
        self._precision = common.precision(
            self._recipe.precision, device, lambda p: devices.matmul_gflops(device.name, p)
        )
        self.model: Any = architecture.model("torch")(config).to(self._device)
        if self._recipe.activation_checkpointing:
            checkpointing.checkpoint_blocks(self.model)
        if device.name == "cpu" and self._recipe.compile:  # GPUs add atomically by themselves
            embedding.keep_plain(self.model)
        self._initial = common.without_zeros(architecture.initial(config, spec.seed))
        # As they are before training: `reset` restores them, nothing else may rest on them.
        self._unsaved = {name: buffer.clone() for name, buffer in self._buffers(saved=False)}
        self._patterns = architecture.PARAM_GROUPS
        self._facts = shared_facts | {
            "precision": self._precision,
            "compiled": self._recipe.compile,
            "num_threads": torch.get_num_threads() if device.name == "cpu" else None,
            "workers": 1,
        }
        self.workers = self._new_workers()
        self.losses = losses.build(self.model, self._place, architecture, config)
        self._kernels = self._new_kernels()
        self.forward = CheckedCompile(
            self.model, self.losses.method, self._precision, self._facts, spec.execution.compile
        )
        self._trained = TrainedForward(self.model, self.forward, self._in_step)
        if isinstance(self.losses, losses.NextTokenLoss):
            self.losses.as_trained = self._as_trained
        contract.expect_same(self._initial, self._saved(), "torch_model.py")
        self._tables = optimizers.tables(self.model)
        self._has_stepped = False
        self.reset()

    def _new_workers(self) -> Workers | None:
        """Threads that share a batch, where the recipe asks for them on a processor."""
        wanted = min(self._recipe.workers, self._recipe.batch_rows)
        is_one = wanted <= 1 or self._device.type != "cpu" or self._group.size > 1
        if is_one or not workers.are_possible():
            return None
        made = Workers(self.model, wanted)
        self._facts["workers"] = wanted
        self._micro_batch_rows = made.piece_rows(self._recipe.batch_rows, self._micro_batch_rows)
        return made

    def _new_kernels(self) -> Selection:
        """Kernels for the shapes of a step, where the recipe lets compilers in."""
        shapes: selection.Shapes = {}
        if self._device.type == "cpu" and self._recipe.compile and self._recipe.kernels:
            is_causal = self._spec.architecture.LIKELIHOOD == "exact"
            shapes = selection.shapes(
                self.model, self._spec.config, self._micro_batch_rows, is_causal=is_causal
            )
        made = Selection(shapes, devices.DTYPES[self._precision])
        self._facts["kernels"] = made.used  # as they are used
        if made.dropped:
            self._facts["kernel_error"] = made.error()
        return made

    # -- training

    def step(self, rows: Rows, lr_scale: float) -> None:
        """Take one training step; raises OutOfMemory with weights untouched."""
        try:
            loss = common.on_every_rank(self._group, lambda: self._gradients(rows))
        except OutOfMemory:
            self._zero_grad()  # those of a rank that had room, too
            raise
        with self._raising_out_of_memory(self._memory_error_after_exchange()):
            if self._group.size > 1:
                self._exchange(loss)
            self._update(lr_scale)
        self._loss_sum += loss
        self._num_losses += 1
        self._has_stepped = True

    def _gradients(self, rows: Rows) -> Tensor:
        """Accumulate gradients of this rank's rows; return their share of the mean loss."""
        self._be_training(True)
        with self._raising_out_of_memory():
            batch: Any = self.losses.batch(rows, self._noise)  # of all ranks: noise is the same
            num_terms = max(1, self.losses.num_terms(batch))
            own, size = self._group.part(len(rows)), self._micro_batch_rows
            starts = range(own.start, own.stop, size)
            pieces = [batch[start : min(start + size, own.stop)] for start in starts]

            def loss_of(piece: Any) -> Tensor:
                with self._autocast():
                    part = self.losses.loss(piece, self.forward)
                return part * (self.losses.num_terms(piece) / num_terms)

            with self._in_step():
                if self.workers is not None:
                    return self._split_over_workers(pieces, loss_of)
                loss = torch.zeros((), device=self._device)
                for piece in pieces:
                    part = loss_of(piece)
                    self._scaler.scale(part).backward()
                    loss += part.detach()
                return loss

    @contextlib.contextmanager
    def _in_step(self) -> Iterator[None]:
        """Inside it the kernels of a training step are in use."""
        kernel = tuning_space.attention_kernel(self._execution.attention)
        with kernel, self._kernels.active():
            yield

    def _as_trained(self, rows: Tensor) -> Tensor | None:
        """The model's outputs for rows to be scored, by the compiled pass of training.

        None before a step was taken, and where that pass does not compute in fp32 on a processor.
        """
        is_compiled = self._has_stepped and self._facts["compiled"] and self.workers is None
        is_exact = self._precision == "fp32" and self._device.type == "cpu"
        if not (is_compiled and is_exact) or rows.shape[1] != self._context + 1:
            return None
        return self._trained(rows, self._micro_batch_rows)

    def _split_over_workers(self, pieces: Sequence[Any], loss_of: Callable[..., Tensor]) -> Tensor:
        """Gradients by `Workers`; where the model turns out unfit, the last ones by them."""
        assert self.workers is not None and not self._scaler.is_enabled()
        loss = self.workers.gradients(pieces, loss_of)
        if (why := self.workers.unfit) is not None:
            self._facts |= {"workers": 1, "workers_unfit": why}
            self.workers = None
            self._micro_batch_rows = common.rows_at_once(self._recipe, self._group)
        return loss

    def _exchange(self, loss: Tensor) -> None:
        from speedrun.backends.torch import process_group

        process_group.exchange(self._group, loss, self.model.parameters(), self._tables)

    def _update(self, lr_scale: float) -> None:
        optimizers.coalesce(self._tables)
        if self._recipe.grad_clip:
            for optimizer in self._optimizers:
                self._scaler.unscale_(optimizer)
            optimizers.clip_grad_norm(self.model.parameters(), self._recipe.grad_clip)
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["peak_lr"] * lr_scale
            self._scaler.step(optimizer)
        self._scaler.update()
        self._zero_grad()

    def _autocast(self) -> contextlib.AbstractContextManager:
        if self._precision == "fp32":
            return contextlib.nullcontext()
        return torch.autocast(self._device.type, dtype=devices.DTYPES[self._precision])

    def _place(self, array: NDArray[Any]) -> Tensor:
        tensor = torch.from_numpy(array)
        if self._device.type == "cuda":  # elsewhere a copy that does not wait can be overtaken
            return tensor.pin_memory().to(self._device, torch.long, non_blocking=True)
        return tensor.to(self._device, torch.long)

    def _zero_grad(self) -> None:
        for optimizer in self._optimizers:
            optimizer.zero_grad(set_to_none=True)

    def _free_memory(self) -> None:
        self._zero_grad()
        gc.collect()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def sync(self) -> None:
        """Wait until the device has finished."""
        self.device_row.synchronize()

    def train_loss(self) -> float:
        """Mean nats per token over the steps since the last call."""
        mean = float(self._loss_sum) / max(1, self._num_losses)
        self._loss_sum.zero_()
        self._num_losses = 0
        return mean

    def profile(self, batches: Sequence[Rows]) -> Profile:
        """Train on these batches, a step each, and time the parts of a step."""
        return profiler.profile(self, batches)

    def _seed_framework(self, seed: int) -> None:
        torch.manual_seed(seed)

    def _framework_random(self) -> list[list[int]]:
        return self.device_row.random_states()

    def _restore_framework_random(self, states: Sequence[Sequence[int]]) -> None:
        self.device_row.restore_random(states)

    @torch.no_grad()
    def _score(self, function: Callable[..., Tensor], *args: Any) -> NDArray[Any]:
        return function(*args).cpu().numpy()

    # -- state

    def _saved(self) -> dict[str, Tensor]:
        """Parameters, and buffers that `initial` gives, such as BatchNorm's statistics."""
        return dict(self.model.named_parameters()) | dict(self._buffers(saved=True))

    def _buffers(self, *, saved: bool) -> list[tuple[str, Tensor]]:
        named = self.model.named_buffers()
        return [(name, buffer) for name, buffer in named if (name in self._initial) == saved]

    def weights(self) -> Weights:
        """Copies of what is saved, by name, in fp32."""
        named = self._saved().items()
        return {name: value.detach().float().cpu().numpy().copy() for name, value in named}

    @torch.no_grad()
    def load(self, weights: Mapping[str, NDArray[Any]]) -> None:
        """Set what is saved; ValueError where names or shapes differ."""
        saved = self._saved()
        common.check_fit(weights, {name: tuple(value.shape) for name, value in saved.items()})
        for name, value in saved.items():
            array = np.asarray(weights[name], dtype=np.float32)
            if any(array.strides):
                value.copy_(torch.from_numpy(array))
            else:  # one number for all, and of an array that PyTorch must not share
                value.fill_(float(array.flat[0]))

    def reset(self) -> None:
        """Restore initial weights, buffers, optimizers and random state."""
        self.load(self._initial)
        for name, buffer in self._buffers(saved=False):
            if (before := self._unsaved.get(name)) is not None and before.shape == buffer.shape:
                buffer.copy_(before)
        half = torch.float32 if self._precision == "fp32" else torch.bfloat16
        self._optimizers = optimizers.build(
            self.model, self._patterns, self._recipe, half, self._execution.fused is not False
        )
        self._zero_grad()
        self._noise = self._new_noise()
        self._loss_sum = torch.zeros((), device=self._device)
        self._num_losses = 0
        self._scaler = torch.amp.GradScaler(self._device.type, enabled=self._precision == "fp16")

    def state(self) -> EngineState:
        """Weights, all buffers and the optimizers' state."""
        parts = self.weights(), self._buffers(saved=False), self._optimizers
        facts = {"micro_batch_rows": self._micro_batch_rows, "scaler": self._scaler.state_dict()}
        return EngineState(arrays=states.arrays(*parts), facts=facts)

    def restore(self, state: EngineState, random_state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self.reset()
        self.load(states.restore(state.arrays, self._buffers(saved=False), self._optimizers))
        self._micro_batch_rows = state.facts["micro_batch_rows"]
        self._scaler.load_state_dict(state.facts["scaler"])
        self._restore_random(random_state)

    def peak_bytes(self) -> int:
        """Most memory in use so far."""
        return self.device_row.peak_bytes()
