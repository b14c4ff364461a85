"""A PyTorch model in training: precision, compilation, accumulation and placement live here."""

import contextlib
import gc
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from speedrun.backends import common, contract
from speedrun.backends.torch import attention, devices, embedding, losses, optimizers, profiler
from speedrun.backends.torch.compile import CheckedCompile
from speedrun.protocols import EngineSpec, OutOfMemory, Profile, Reader, Rows, Weights


class TorchEngine:
    """See `speedrun.protocols.Engine`."""

    def __init__(self, spec: EngineSpec) -> None:
        architecture, config, device = spec.architecture, spec.config, spec.device
        self._team, self._settings, self._seed = spec.group, spec.execution, spec.seed
        self._row = devices.row(device.name)
        self._facts: dict[str, Any] = dict(devices.prepare(device.name, spec.execution))
        recipe = common.tuned(spec.recipe, spec.execution)
        self._recipe, self._config = recipe, config
        self._device = torch.device(device.name)
        self._precision = common.precision(
            recipe.precision, device, lambda p: devices.matmul_gflops(device.name, p)
        )
        self._micro_batch_rows = common.rows_at_once(recipe, spec.group)
        self._model: Any = architecture.model("torch")(config).to(self._device)
        if device.name == "cpu" and recipe.compile:  # GPUs add atomically by themselves
            embedding.keep_plain(self._model)
        self._initial = architecture.initial(config, spec.seed)
        self._patterns = architecture.PARAM_GROUPS
        self._scaler = torch.amp.GradScaler(device.name, enabled=self._precision == "fp16")
        self._facts |= {
            "precision": self._precision,
            "compiled": recipe.compile,
            "num_threads": torch.get_num_threads() if device.name == "cpu" else None,
        }
        self._objective = losses.of(self._model, self._placed, architecture, config)
        self._run = CheckedCompile(
            self._model,
            self._objective.method,
            self._precision,
            self._facts,
            spec.execution.compile,
        )
        self._mark: profiler.Mark = _unmarked
        contract.expect_same(self._initial, self.weights(), "torch_model.py")
        self.reset()

    # -- training

    def step(self, rows: Rows, lr_scale: float) -> None:
        try:
            loss = common.on_every_rank(self._team, lambda: self._gradients(rows))
        except OutOfMemory:
            self._zero_grad()  # those of a rank that had room, too
            raise
        # After the exchange the other ranks take this step, so trying again would be another.
        with self._watching_memory(OutOfMemory if self._team.size == 1 else MemoryError):
            if self._team.size > 1:
                self._mark(profiler.EXCHANGE)
                self._add_up(loss)
            self._mark(profiler.OPTIMIZER)
            self._update(lr_scale)
            self._mark(profiler.REST)
        self._loss_sum += loss
        self._num_losses += 1

    @contextlib.contextmanager
    def _watching_memory(self, means: type[MemoryError]) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            if not devices.is_out_of_memory(error):
                raise
            self._zero_grad()
            gc.collect()
            if self._device.type == "cuda":
                torch.cuda.empty_cache()
            raise means(str(error).splitlines()[0]) from None

    def _gradients(self, rows: Rows) -> Tensor:
        """Accumulate gradients of this rank's rows; return their share of the mean loss."""
        with self._watching_memory(OutOfMemory):
            self._mark(profiler.DATA)
            batch = self._objective.batch(rows, self._noise)  # of all ranks, so noise is the same
            num_terms = max(1, self._objective.num_terms(batch))
            loss, own = torch.zeros((), device=self._device), self._team.part(len(rows))
            for start in range(own.start, own.stop, self._micro_batch_rows):
                piece = batch[start : min(start + self._micro_batch_rows, own.stop)]
                self._mark(profiler.DATA)
                part = self._loss(piece) * (self._objective.num_terms(piece) / num_terms)
                self._scaler.scale(part).backward()
                loss += part.detach()
            return loss

    def _add_up(self, loss: Tensor) -> None:
        """Make of every rank's gradients and loss their sums over the ranks."""
        from speedrun.backends.torch.process_group import add_up

        for param in self._model.parameters():
            if param.grad is None:  # of no use to this rank's rows; perhaps to another's
                param.grad = torch.zeros_like(param)
        add_up(self._team, [loss, *(param.grad for param in self._model.parameters())])

    def _update(self, lr_scale: float) -> None:
        if self._recipe.grad_clip:
            for optimizer in self._optimizers:
                self._scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(self._model.parameters(), self._recipe.grad_clip)
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["peak_lr"] * lr_scale
            self._scaler.step(optimizer)
        self._scaler.update()
        self._zero_grad()

    def _loss(self, piece: Any) -> Tensor:
        with self._autocast(), attention.kernel(self._settings.attention):
            return self._objective.loss(piece, self._run)

    def _autocast(self) -> contextlib.AbstractContextManager:
        if self._precision == "fp32":
            return contextlib.nullcontext()
        return torch.autocast(self._device.type, dtype=devices.DTYPES[self._precision])

    def _placed(self, array: NDArray[Any]) -> Tensor:
        tensor = torch.from_numpy(array)
        if self._device.type == "cuda":  # elsewhere a copy that does not wait can be overtaken
            return tensor.pin_memory().to(self._device, torch.long, non_blocking=True)
        return tensor.to(self._device, torch.long)

    def _zero_grad(self) -> None:
        for optimizer in self._optimizers:
            optimizer.zero_grad(set_to_none=True)

    def sync(self) -> None:
        self._row.synchronize()

    def finalize_s(self) -> float:
        return 0.0  # every step is whole

    def finalize(self) -> None: ...

    def train_loss(self) -> float:
        mean = float(self._loss_sum) / max(1, self._num_losses)
        self._loss_sum.zero_()
        self._num_losses = 0
        return mean

    def halve_micro_batch(self) -> int:
        if self._micro_batch_rows == 1:
            raise OutOfMemory("one row a time does not fit; ask for a smaller --params or context")
        self._micro_batch_rows //= 2
        return self._micro_batch_rows

    def profile(self, batches: Sequence[Rows]) -> Profile:
        def steps(run: profiler.Run, mark: profiler.Mark) -> int:
            kept = self._run
            self._run, self._mark = run, mark
            try:
                for rows in batches:
                    self.step(rows, 1.0)
            finally:
                self._run, self._mark = kept, _unmarked
            return len(batches)

        return profiler.profile(
            self._model,
            self._run,
            self._run.eager,
            self._row,
            steps,
            is_compiled=bool(self._facts["compiled"]),
        )

    # -- scoring

    @torch.no_grad()
    def nll(
        self,
        rows: Rows,
        seed: int,
        prefix_length: int = 0,
        shares: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float64]:
        return self._objective.nll(rows, seed, prefix_length, shares).double().cpu().numpy()

    @torch.no_grad()
    def logits(
        self, tokens: NDArray[np.int32], steps: NDArray[np.int32] | None = None
    ) -> NDArray[np.float32]:
        return self._objective.logits(tokens, steps).cpu().numpy()

    def reader(self) -> Reader:
        new_cache = getattr(self._model, "new_cache", None)
        return common.TextReader(self._next_logits, self._config.context, new_cache)

    @torch.inference_mode()
    def _next_logits(self, tokens: NDArray[np.int32], cache: Any) -> NDArray[np.float32]:
        assert isinstance(self._objective, losses.Exact), "a bound does not read on"
        return self._objective.next_logits(tokens, cache).cpu().numpy()

    # -- state

    def weights(self) -> Weights:
        named = self._model.named_parameters()
        return {name: param.detach().float().cpu().numpy().copy() for name, param in named}

    @torch.no_grad()
    def load(self, weights: Mapping[str, NDArray[Any]]) -> None:
        params = dict(self._model.named_parameters())
        common.check_fit(weights, {name: tuple(param.shape) for name, param in params.items()})
        for name, param in params.items():
            param.copy_(torch.from_numpy(np.asarray(weights[name], dtype=np.float32)))

    def reset(self) -> None:
        self.load(self._initial)
        half = torch.float32 if self._precision == "fp32" else torch.bfloat16
        self._optimizers = optimizers.build(
            self._model, self._patterns, self._recipe, half, self._settings.fused is not False
        )
        self._zero_grad()
        self._noise = np.random.default_rng([self._seed, 0x4E01])
        self._loss_sum = torch.zeros((), device=self._device)
        self._num_losses = 0
        self._scaler = torch.amp.GradScaler(self._device.type, enabled=self._precision == "fp16")

    def peak_bytes(self) -> int:
        return self._row.peak_bytes()

    def metadata(self) -> dict[str, Any]:
        return self._facts | {"micro_batch_rows": self._micro_batch_rows}


def _unmarked(part: str) -> None:
    """Nobody is looking where the time goes."""
