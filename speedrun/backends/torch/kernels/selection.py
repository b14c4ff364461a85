"""The kernels of an engine: those that are proven here and faster, in use while it steps."""

import contextlib
import functools
import hashlib
import json
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from speedrun.backends.torch.kernels import build, operators, proof
from speedrun.backends.torch.kernels.operators import OPERATORS, SUFFIXES, Tensors
from speedrun.system.files import write_atomic
from speedrun.system.subprocesses import Child, ChildError

CHUNK_TOKENS = 512  # of the output layer at once
_MIN_SPEEDUP = 1.1  # a smaller lead may be the machine's noise
_CLEARLY = 0.1  # so near to it the next race measures again
_PROBE_TIMEOUT_S = 60.0
_ODD_SHAPES = {2: (5, 37), 4: (2, 3, 53, 20)}  # by number of axes
_FLASH = "_scaled_dot_product_flash_attention_for_cpu"

Shapes = Mapping[str, Sequence[int]]  # of a step's inputs, by operator

_active: "Selection | None" = None


class Selection:
    """Kernels chosen for the shapes of a step; none is built where no shape is given."""

    def __init__(self, shapes: Shapes, dtype: torch.dtype) -> None:
        self.dropped: dict[str, str] = {}  # operators whose kernels failed, with the reason
        self.names = frozenset(self._proven(shapes, dtype) if dtype in SUFFIXES else ())
        self.used: list[str] = []
        if self.names & {"attention", "attention_backward"}:
            _override_attention()

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        """Inside it operators take these kernels, in every thread of the process."""
        global _active
        before, _active = _active, self
        try:
            yield
        finally:
            _active = before

    def error(self) -> str | None:
        """One line on what was dropped."""
        reasons: dict[str, list[str]] = {}
        for name, why in self.dropped.items():
            reasons.setdefault(why, []).append(name)
        lines = [f"{', '.join(names)}: {why}" for why, names in reasons.items()]
        return "; ".join(lines) or None

    def _proven(self, shapes: Shapes, dtype: torch.dtype) -> Iterator[str]:
        try:
            if shapes:
                build.compiled()
        except build.BuildError as error:  # of all of them alike
            self.dropped |= dict.fromkeys(shapes, str(error))
            return
        probe = _Probe()
        try:
            for name, shape in shapes.items():
                try:
                    speedup = probe.speedup(name, shape, dtype)
                    if speedup < _MIN_SPEEDUP:
                        continue
                    for proved in (_ODD_SHAPES[len(shape)], (min(2, shape[0]), *shape[1:])):
                        if problem := proof.problem(OPERATORS[name], proved, dtype):
                            raise ChildError(problem)
                    yield name
                except ChildError as error:
                    self.dropped[name] = str(error)
        finally:
            probe.end()


def shapes(model: Any, config: Any, num_rows: int, *, is_causal: bool) -> Shapes:
    """Shapes of the operators' inputs in a step whose pieces have so many rows."""
    found: dict[str, Sequence[int]] = {}
    heads = getattr(config, "heads", 0)
    if is_causal and heads and getattr(model, "uses_attention", False):
        of_attention = (num_rows, heads, config.context, config.width // heads)
        found |= dict.fromkeys(("attention", "attention_backward"), of_attention)
    if hasattr(model, "output"):
        weight_VD, tail_1D, head_size = model.output()
        num_logits = len(weight_VD) if tail_1D is None else head_size + 1
        found["softmax_gradient"] = (min(CHUNK_TOKENS, num_rows * config.context), num_logits)
    return found


class _Probe:
    """First proofs in a child process, and their outcomes on disk beside the library."""

    def __init__(self) -> None:
        self._child: Child | None = None

    def speedup(self, name: str, shape: Sequence[int], dtype: torch.dtype) -> float:
        """Speedup of a kernel; ChildError where it fails."""
        case = {"name": name, "shape": list(shape), "dtype": str(dtype).partition(".")[2]}
        path = self._path(case)
        with contextlib.suppress(OSError, ValueError, KeyError):
            return float(json.loads(path.read_text(encoding="utf-8"))["speedup"])
        if self._child is None:
            self._child = Child(proof.__name__)
            self._call("start", num_threads=torch.get_num_threads())
        outcome = self._call("prove", **case)
        if outcome["problem"]:
            raise ChildError(outcome["problem"])
        if abs(outcome["speedup"] - _MIN_SPEEDUP) > _CLEARLY:
            with contextlib.suppress(OSError):
                write_atomic(path, json.dumps(case | outcome))
        return outcome["speedup"]

    def _call(self, kind: str, **values: Any) -> Any:
        assert self._child is not None
        try:
            return self._child.call(kind, timeout_s=_PROBE_TIMEOUT_S, **values)
        except ChildError as error:
            self.end()  # the next kernel gets a process of its own
            raise ChildError(f"its probe fails: {error}") from None

    def end(self) -> None:
        """End the child."""
        if self._child is not None:
            self._child.kill()
            self._child = None

    @staticmethod
    def _path(case: Mapping[str, Any]) -> Path:
        of = [case, torch.__version__, torch.get_num_threads()]
        digest = hashlib.sha256(json.dumps(of).encode()).hexdigest()[:16]
        library = build.compiled()
        return library.with_name(f"{library.stem}-{digest}.json")


def _uses(name: str, *inputs: Tensor) -> bool:
    """Whether a kernel is in use and takes inputs of these formats; notes that it ran."""
    if _active is None or name not in _active.names:
        return False
    if any(x.dtype != inputs[0].dtype or x.dtype not in SUFFIXES for x in inputs):
        return False
    if name not in _active.used:
        _active.used.append(name)
    return True


def softmax_gradient(logits_RV: Tensor, targets_R: Tensor) -> Tensors:
    """Nats [R] of the targets and their gradient by the logits, which may take their place."""
    is_whole = logits_RV.stride(-1) == 1 and targets_R.is_contiguous()
    if is_whole and _uses("softmax_gradient", logits_RV):
        return operators.softmax_gradient(logits_RV, targets_R)
    return operators.plain_softmax_gradient(logits_RV, targets_R)


@functools.cache
def _override_attention() -> torch.library.Library:
    """Have PyTorch's own operator take the kernels, so that they serve every architecture.

    Autograd, compilation and the choice of the operator stay PyTorch's.
    """
    library = torch.library.Library("aten", "IMPL")
    with warnings.catch_warnings(action="ignore"):  # PyTorch warns of what is overridden
        _override(library, _FLASH, "attention", operators.attention)
        _override(library, f"{_FLASH}_backward", "attention_backward", operators.attention_backward)
    return library


def _override(
    library: torch.library.Library, replaced: str, name: str, kernel: Callable[..., Tensors]
) -> None:
    plain = torch.library.get_kernel(f"aten::{replaced}", "CPU")

    def call(keyset: Any, *inputs: Any, **options: Any) -> Tensors:
        tensors = tuple(x for x in inputs if isinstance(x, Tensor))
        others = inputs[len(tensors) :]  # dropout, causal; without those that are at their default
        of_heads, scale = tensors[:5], options.get("scale")  # behind them is the logsumexp
        is_plain = options.get("attn_mask") is None and not any(others[:1]) and any(others[1:])
        if is_plain and len({x.shape for x in of_heads}) == 1 and _uses(name, *of_heads):
            return kernel(tensors, of_heads[0].shape[-1] ** -0.5 if scale is None else scale)
        return plain.call_boxed(keyset, *inputs, **options)

    library.impl(replaced, call, "CPU", with_keyset=True)
