"""The compiled forward pass of training, used for scoring where it gives what plain code gives."""

import contextlib
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from speedrun.backends.torch.compile import CheckedCompile

_TOLERANCE = 1e-4  # relative difference in norm: another order of rounding, in fp32


class TrainedForward:
    """Features of many rows from the pass that was compiled for the rows of a training step.

    Compiling another one for scoring would take longer than it saves. This one is compiled for
    gradients and for a model in training, so it serves models that compute the same in training
    and leave their buffers as they are: the first rows are computed both ways. `context` is what
    steps run in: the kernels.
    """

    def __init__(
        self,
        model: nn.Module,
        forward: CheckedCompile,
        context: Callable[[], contextlib.AbstractContextManager[object]],
    ) -> None:
        self._model, self._forward, self._context = model, forward, context
        self._agrees: bool | None = None  # None: not tried yet

    def __call__(self, rows: Tensor, num_rows: int) -> Tensor | None:
        """Features [B, T, D] of rows [B, T + 1], so many at a time; None where it does not serve.

        The last token of a row is a target and not read.
        """
        if self._agrees is False:
            return None
        rest = -len(rows) % num_rows
        whole = torch.cat([rows, rows[:1].expand(rest, -1)]) if rest else rows
        # Copies, as a view into many rows would be compiled for its own strides.
        pieces = [piece.clone()[:, :-1] for piece in whole.split(num_rows)]
        if self._agrees is None:
            self._agrees = self._tried(pieces[0])
        if not self._agrees:
            return None
        return torch.cat([self._compiled(piece) for piece in pieces])[: len(rows)]

    def _tried(self, tokens: Tensor) -> bool:
        """Whether the pass gives what plain code gives, and changes no buffer."""
        before = [buffer.clone() for buffer in self._model.buffers()]
        features = self._compiled(tokens)
        is_same = all(map(torch.equal, before, self._model.buffers()))
        for buffer, value in zip(self._model.buffers(), before, strict=True):
            buffer.copy_(value)
        plain = self._forward.eager(tokens)
        return is_same and bool((features - plain).norm() <= _TOLERANCE * plain.norm())

    def _compiled(self, tokens: Tensor) -> Tensor:
        with self._as_in_training(), self._context(), torch.enable_grad():
            return self._forward(tokens).detach()

    @contextlib.contextmanager
    def _as_in_training(self) -> Iterator[None]:
        self._model.train()
        try:
            yield
        finally:
            self._model.eval()
