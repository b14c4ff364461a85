"""A PyTorch model in training: precision, compilation, accumulation and placement live here."""

import contextlib
import gc
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from speedrun.backends.torch import devices, optimizers
from speedrun.backends.torch.output import Output, logits, mean_nats, token_nats
from speedrun.config import ModelConfig, Recipe
from speedrun.protocols import Architecture, Device, OutOfMemory, Rows, Weights

# Relative difference in norm that another order of rounding explains.
_COMPILED_TOLERANCE = {"fp32": 1e-3, "bf16": 5e-2, "fp16": 5e-2}


class TorchEngine:
    """See `speedrun.protocols.Engine`."""

    def __init__(
        self,
        architecture: Architecture,
        config: ModelConfig,
        recipe: Recipe,
        seed: int,
        device: Device,
    ) -> None:
        self._row = devices.row(device.name)
        self._facts: dict[str, Any] = dict(self._row.prepare())
        self._exact = architecture.LIKELIHOOD == "exact"
        self._recipe, self._seed, self._config = recipe, seed, config
        self._device = torch.device(device.name)
        self._precision = self._choose_precision(device)
        self._micro_batch_rows = recipe.micro_batch_rows or recipe.batch_rows
        self._model: Any = architecture.model("torch")(config).to(self._device)
        self._initial = architecture.initial(config, seed)
        self._patterns = architecture.PARAM_GROUPS
        self._scaler = torch.amp.GradScaler(device.name, enabled=self._precision == "fp16")
        self._compiled: Callable[[Tensor], Tensor] | None = None
        self._facts |= {
            "precision": self._precision,
            "compiled": recipe.compile,
            "num_threads": torch.get_num_threads() if device.name == "cpu" else None,
        }
        self.reset()

    def _choose_precision(self, device: Device) -> str:
        wanted = self._recipe.precision
        if wanted == "auto":
            rates = {
                precision: devices.matmul_gflops(device.name, precision) or 0.0
                for precision in device.precisions
                if precision in ("fp32", "bf16")
            }
            # Half precision also pays in memory traffic, but casts cost: it must win clearly.
            faster = rates.get("bf16", 0.0) > 1.5 * rates["fp32"]
            return "bf16" if faster else "fp32"
        if wanted not in device.precisions:
            raise ValueError(
                f"recipe.precision={wanted} is not there on {device.name}:"
                f" allowed are auto, {', '.join(device.precisions)}"
            )
        return wanted

    # -- training

    def step(self, rows: Rows, lr_scale: float) -> None:
        try:
            self._step(rows, lr_scale)
        except RuntimeError as error:
            if not _is_out_of_memory(error):
                raise
            self._zero_grad()
            gc.collect()
            if self._device.type == "cuda":
                torch.cuda.empty_cache()
            raise OutOfMemory(str(error).splitlines()[0]) from None

    def _step(self, rows: Rows, lr_scale: float) -> None:
        pieces = torch.from_numpy(rows).split(self._micro_batch_rows)
        loss = torch.zeros((), device=self._device)
        for piece in pieces:
            part = self._loss(self._placed(piece)) * (len(piece) / len(rows))
            self._scaler.scale(part).backward()
            loss += part.detach()
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
        self._loss_sum += loss
        self._num_losses += 1

    def _loss(self, rows: Tensor) -> Tensor:
        with self._autocast():
            if not self._exact:
                return self._model.loss(rows, self._noise)
            inputs, targets = rows[:, :-1], rows[:, 1:]
            if hasattr(self._model, "features"):
                features = self._run("features", inputs)
                return mean_nats(features, Output(*self._model.output()), targets)
            return F.cross_entropy(
                self._run("logits", inputs).float().flatten(0, 1), targets.flatten()
            )

    def _run(self, method: str, tokens: Tensor) -> Tensor:
        """The model's `method`, compiled if the recipe says so and it can be."""
        eager = getattr(self._model, method)
        if not self._facts["compiled"]:
            return eager(tokens)
        if self._compiled is None:
            self._compiled = self._proven(eager, tokens)
        return self._compiled(tokens)

    def _proven(self, eager: Callable[[Tensor], Tensor], tokens: Tensor) -> Callable:
        """`eager` compiled, if that works here and agrees in values and gradients; else itself.

        Compilers for some devices are young: one that fails, or is wrong, must not end a race.
        """
        try:
            compiled = torch.compile(eager, dynamic=False)
            off = max(
                _relative_difference(a, b)
                for a, b in zip(
                    self._values_and_grads(compiled, tokens),
                    self._values_and_grads(eager, tokens),
                    strict=True,
                )
            )
        except Exception as error:  # the compiler's errors have no common class
            if _is_out_of_memory(error):
                raise
            lines = str(error).strip().splitlines() or [type(error).__name__]
            why = lines[0][:200]
        else:
            if off <= _COMPILED_TOLERANCE[self._precision]:
                return compiled
            why = f"compiled values or gradients are off by {off:.2g}"
        self._facts |= {"compiled": False, "compile_error": why}
        return eager

    def _values_and_grads(self, run: Callable[[Tensor], Tensor], tokens: Tensor) -> list[Tensor]:
        values = run(tokens).float()
        # Not a sum of squares: behind a norm that is constant, and its gradient rounding alone.
        weights = torch.linspace(-1, 1, values.numel(), device=values.device).view_as(values)
        (values * weights).sum().backward()
        params = self._model.parameters()
        grads = [p.grad.float().flatten() for p in params if p.grad is not None]
        self._zero_grad()
        return [values.detach(), torch.cat(grads)]

    def _autocast(self) -> contextlib.AbstractContextManager:
        if self._precision == "fp32":
            return contextlib.nullcontext()
        return torch.autocast(self._device.type, dtype=devices.DTYPES[self._precision])

    def _placed(self, rows: Tensor) -> Tensor:
        if self._device.type == "cuda":  # elsewhere a copy that does not wait can be overtaken
            return rows.pin_memory().to(self._device, torch.long, non_blocking=True)
        return rows.to(self._device, torch.long)

    def _zero_grad(self) -> None:
        for optimizer in self._optimizers:
            optimizer.zero_grad(set_to_none=True)

    def sync(self) -> None:
        self._row.synchronize()

    def finish_s(self) -> float:
        return 0.0  # every step is whole

    def finish(self) -> None: ...

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

    # -- scoring

    @torch.no_grad()
    def nats(self, rows: Rows, seed: int) -> NDArray[np.float64]:
        tensor = torch.from_numpy(rows)
        if not self._exact:
            noise = torch.Generator(self._device).manual_seed(seed)
            nats = self._model.nats(tensor.to(self._device, torch.long), noise)
            return nats.double().cpu().numpy()
        placed = tensor.to(self._device, torch.long)
        inputs, targets = placed[:, :-1], placed[:, 1:]
        if hasattr(self._model, "features"):
            features_ND = self._model.features(inputs).flatten(0, 1)
            nats = token_nats(features_ND, Output(*self._model.output()), targets.flatten())
        else:
            by_vocab = self._model.logits(inputs).float().flatten(0, 1)
            nats = F.cross_entropy(by_vocab, targets.flatten(), reduction="none")
        return nats.view(targets.shape).double().cpu().numpy()

    @torch.no_grad()
    def logits(self, tokens: NDArray[np.int32]) -> NDArray[np.float32]:
        placed = torch.from_numpy(tokens).to(self._device, torch.long)
        if hasattr(self._model, "features"):
            layer = Output(*self._model.output())
            return logits(self._model.features(placed), layer).cpu().numpy()
        return self._model.logits(placed).float().cpu().numpy()

    # -- state

    def weights(self) -> Weights:
        named = self._model.named_parameters()
        return {name: param.detach().float().cpu().numpy().copy() for name, param in named}

    @torch.no_grad()
    def load(self, weights: Mapping[str, NDArray[Any]]) -> None:
        params = dict(self._model.named_parameters())
        if params.keys() != weights.keys():
            odd = sorted(params.keys() ^ weights.keys())
            raise ValueError(f"weights do not fit the model: {', '.join(odd[:4])}")
        for name, param in params.items():
            if param.shape != weights[name].shape:
                raise ValueError(
                    f"weight {name!r} has shape {weights[name].shape}, expected"
                    f" {tuple(param.shape)}"
                )
            param.copy_(torch.from_numpy(np.asarray(weights[name], dtype=np.float32)))

    def reset(self) -> None:
        self.load(self._initial)
        half = torch.float32 if self._precision == "fp32" else torch.bfloat16
        self._optimizers = optimizers.build(self._model, self._patterns, self._recipe, half)
        self._zero_grad()
        self._noise = torch.Generator(self._device).manual_seed(self._seed)
        self._loss_sum = torch.zeros((), device=self._device)
        self._num_losses = 0
        self._scaler = torch.amp.GradScaler(self._device.type, enabled=self._precision == "fp16")

    def peak_bytes(self) -> int:
        return self._row.peak_bytes()

    def facts(self) -> dict[str, Any]:
        return self._facts | {"micro_batch_rows": self._micro_batch_rows}


def _relative_difference(a: Tensor, b: Tensor) -> float:
    return float((a - b).norm() / b.norm().clamp(min=1e-12))


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, torch.OutOfMemoryError):
        return True
    text = str(error).lower()
    return any(s in text for s in ("out of memory", "can't allocate memory", "not enough memory"))
