"""Processes that train together through `mx.distributed`."""

import os
import platform
import signal
from typing import Any

import mlx.core as mx
import numpy as np
from mlx.nn import average_gradients

from speedrun.backends.mlx.optimizers import Named
from speedrun.distributed import launcher
from speedrun.distributed.group import Buffer, ProcessGroup


class MlxProcessGroup(ProcessGroup):
    """The processes that mlx.launch started."""

    # mlx.launch sends SIGTERM only when a process has failed. MLX 0.32 may then wait for it for
    # ever, where Python receives no signal: it must end the process by itself.
    stop_signals = (signal.SIGINT,)

    def __init__(self) -> None:
        started = launcher.launched()
        assert started is not None and started.backend == "mlx", "mlx.launch started nothing"
        try:
            group = mx.distributed.init(strict=True)
        except (RuntimeError, ValueError) as error:  # all that MLX raises
            raise ValueError(
                f"the {started.size} processes of {started.by} did not find each other"
                f" ({str(error).splitlines()[0]:.200})"
            ) from error
        self.rank, self.size = group.rank(), group.size()
        # Under NCCL each process is given a GPU of its own; elsewhere a machine has one device.
        self.place = f"{platform.node()}/{os.environ.get('CUDA_VISIBLE_DEVICES', '')}"

    def metadata(self) -> dict[str, Any]:
        """Number of processes and what they exchange through."""
        return {"world_size": self.size, "exchange": "mx.distributed"}

    def _broadcast(self, data: Buffer) -> Buffer:
        return np.array(mx.distributed.all_sum(mx.array(data)))  # zeros but for rank 0's

    def _all_gather(self, data: Buffer) -> Buffer:
        return np.array(mx.distributed.all_gather(mx.array(data))).reshape(self.size, -1)


def gathered(rows: Named) -> Named:
    """Rows of all ranks, in the order of these; each rank has as many."""
    return {name: mx.distributed.all_gather(array) for name, array in rows.items()}


def averaged(loss: mx.array, grads: Named) -> tuple[mx.array, Named]:
    """Means over the ranks, in as few exchanges as 32 MiB each make.

    A list goes in, because the names have dots, which MLX would take for branches of a tree.
    """
    found: Any = average_gradients([loss, *grads.values()])
    return found[0], dict(zip(grads, found[1:], strict=True))
