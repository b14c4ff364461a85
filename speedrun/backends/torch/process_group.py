"""Processes that train together through `torch.distributed`: gloo, and NCCL between GPUs."""

import os
import platform
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from speedrun.device import Device
from speedrun.distributed import launcher
from speedrun.distributed.group import Buffer, ProcessGroup
from speedrun.distributed.launcher import Launched
from speedrun.system import hardware

# Broadcasts from rank 0 travel through memory, even where gradients go from GPU to GPU: no rank
# waits for its device to learn what to do next.
_EXCHANGES = {"cpu": "gloo", "cuda": "cpu:gloo,cuda:nccl"}


class TorchProcessGroup(ProcessGroup):
    """See `speedrun.distributed.group.ProcessGroup`; joins the processes that torchrun started."""

    def __init__(self, device: Device, timeout_s: float) -> None:
        started = launcher.launched()
        assert started is not None and started.backend == "torch", "torchrun started nothing"
        _check_device(device, started)
        self.rank, self.size = started.rank, started.size
        self.place = platform.node()
        if device.name == "cuda":
            torch.cuda.set_device(started.local_rank)
            self.place += f"/{started.local_rank}"
        else:
            self.warnings = _divide_cores(started)
        self._exchange = _EXCHANGES[device.name]
        try:
            dist.init_process_group(self._exchange, timeout=timedelta(seconds=timeout_s))
        except RuntimeError as error:
            raise ValueError(
                f"the {self.size} processes of {started.by} did not find each other"
                f" ({str(error).splitlines()[0]:.200})"
            ) from error

    def metadata(self) -> dict[str, Any]:
        """Number of processes and what they exchange through."""
        return {"world_size": self.size, "exchange": self._exchange}

    def leave(self) -> None:
        """Leave the group, unless it is broken."""
        if not self.is_broken:
            dist.destroy_process_group()

    def _broadcast(self, data: Buffer) -> Buffer:
        dist.broadcast(torch.from_numpy(data), 0)
        return data

    def _all_gather(self, data: Buffer) -> Buffer:
        found = [torch.empty(data.shape, dtype=torch.uint8) for _ in range(self.size)]
        dist.all_gather(found, torch.from_numpy(data.copy()))
        return torch.stack(found).numpy()


def _check_device(device: Device, started: Launched) -> None:
    if device.name not in _EXCHANGES:
        raise ValueError(
            f"--device {device.name}: {started.by} joins processes on cuda or on cpu only;"
            " several Macs race together under mlx.launch, with --device mlx"
        )
    if not dist.is_available():
        raise ValueError(f"this PyTorch is built without torch.distributed: no {started.by} here")
    if device.name == "cuda" and started.local_size > torch.cuda.device_count():
        num_devices = torch.cuda.device_count()
        raise ValueError(
            f"{started.local_size} processes on a machine with {num_devices} CUDA device(s): start"
            f" at most {num_devices} (--nproc-per-node {num_devices}), or race with --device cpu"
        )


def _divide_cores(started: Launched) -> tuple[str, ...]:
    """Give each process its share of the cores, unless OMP_NUM_THREADS is set.

    torchrun sets that to 1 where nobody else did; then it is respected, and a warning says so.
    """
    own = max(1, hardware.usable_cores() // started.local_size)
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(own)
    num_threads = torch.get_num_threads()
    if num_threads >= own:
        return ()
    return (
        f"each of {started.local_size} processes here has {num_threads} thread(s);"
        f" OMP_NUM_THREADS={own} before {started.by} would use all cores",
    )


def exchange(
    group: ProcessGroup, loss: Tensor, params: Iterable[Tensor], tables: Sequence[Tensor]
) -> None:
    """Sum every rank's gradients and loss over the ranks, in place."""
    sparse = {id(table) for table in tables}
    dense = [param for param in params if id(param) not in sparse]
    for param in dense:
        if param.grad is None:  # of no use to this rank's rows; perhaps to another's
            param.grad = torch.zeros_like(param)
    all_reduce_sum(group, [loss, *(param.grad for param in dense if param.grad is not None)])
    all_gather_rows(group, tables)


def all_gather_rows(group: ProcessGroup, tables: Sequence[Tensor]) -> None:
    """Give each table a gradient with the rows of all ranks, in the order of the ranks.

    Rows are summed before they travel, and padded to the longest list of a rank.
    """
    for table_RD in tables:
        index_N = torch.empty(0, dtype=torch.long, device=table_RD.device)
        rows_ND = table_RD.new_empty(0, table_RD.shape[1])
        if table_RD.grad is not None:
            own = table_RD.grad.coalesce()
            index_N, rows_ND = own.indices()[0], own.values()
        with group.guarding():
            lengths = [int(length) for length in _gathered(index_N.new_tensor([len(index_N)]))]
            padding = max(lengths) - len(index_N)
            lists = _gathered(nn.functional.pad(index_N, (0, padding)))
            rows = _gathered(nn.functional.pad(rows_ND, (0, 0, 0, padding)))
        index_M = torch.cat([part[:length] for part, length in zip(lists, lengths, strict=True)])
        rows_MD = torch.cat([part[:length] for part, length in zip(rows, lengths, strict=True)])
        shape = tuple(table_RD.shape)
        table_RD.grad = torch.sparse_coo_tensor(index_M[None], rows_MD, shape)


def _gathered(tensor: Tensor) -> list[Tensor]:
    """This tensor of every rank; all have one shape."""
    found = [torch.empty_like(tensor) for _ in range(dist.get_world_size())]
    dist.all_gather(found, tensor.contiguous())
    return found


def all_reduce_sum(group: ProcessGroup, tensors: Sequence[Tensor]) -> None:
    """Sum tensors over the ranks, in place, by one all-reduce of one flat vector.

    Not DistributedDataParallel: that wraps a module's `forward` and means over ranks. Here a
    compiled method is called and the loss made outside it, and a bound's terms are not as many
    on each rank, so gradients are those of shares of one global mean, and are summed. Once a
    step, whatever pieces it was cut into: what `no_sync` is for. The models are small, and
    exchange has little to hide behind the backward pass.
    """
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    with group.guarding():
        dist.all_reduce(flat)
    parts = flat.split([tensor.numel() for tensor in tensors])
    for tensor, part in zip(tensors, parts, strict=True):
        tensor.copy_(part.view_as(tensor))
