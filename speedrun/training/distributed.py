"""One race in several processes: how they join a group, and how all of them end."""

import contextlib
import dataclasses
import os
import signal
import sys
import time
from collections.abc import Iterator
from typing import NoReturn

from speedrun.backends import registry
from speedrun.device import Device
from speedrun.distributed import launcher
from speedrun.distributed.group import MENDABLE, ProcessGroup, RaceOver
from speedrun.models import loader
from speedrun.protocols import OutOfMemory
from speedrun.training import request as request_
from speedrun.training.race import take_part
from speedrun.training.request import RunRequest

# Beyond the budget, while rank 0 may wait for data: a process that is silent for so long is given
# up. One that has died is noticed at once.
TIMEOUT_S = 900.0
# A launcher ends all processes when one has failed; rank 0 must have said why by then.
_GRACE_S, _MAX_GRACE_S = 1.0, 15.0


def join(request: RunRequest) -> tuple[RunRequest, ProcessGroup]:
    """The request, and the process group that a launcher started this process for.

    Raises ValueError or LookupError, on all ranks alike, for what they cannot train together.
    """
    started = launcher.launched()
    if started is None:
        return request, ProcessGroup()
    if request.backend == "auto":
        request = dataclasses.replace(request, backend=started.backend)
    architecture = loader.architecture(request.arch)
    device = registry.device(request.backend, architecture)
    if device.backend != started.backend:
        raise ValueError(
            f"--device {request.backend}: {started.by} joins processes of {started.backend} only;"
            f" start it without {started.by}, or leave --device out"
        )
    with architecture.plugin_errors():
        num_rows, size = request_.check(architecture, request).recipe.batch_rows, started.size
    if num_rows % size:
        near = size * max(1, round(num_rows / size))
        raise ValueError(
            f"recipe.batch_rows={num_rows}: {size} processes share the rows of a step evenly;"
            f" take a multiple of {size}, such as --set recipe.batch_rows={near}"
        )
    group = registry.backend(device.backend).join(device, request.budget_s + TIMEOUT_S)
    count_devices(group, device)
    return request, group


@contextlib.contextmanager
def as_rank_0(request: RunRequest) -> Iterator[tuple[RunRequest, ProcessGroup]]:
    """`join`, and all that rank 0 does; the others take part in its races and exit here."""
    request, group = join(request)
    if group.rank > 0:
        take_part_and_exit(request, group)
    ignore_launcher(group)
    with dismissing(group):
        yield request, group


def count_devices(group: ProcessGroup, device: Device) -> None:
    """Set the group's number of devices; ValueError unless all are of one hardware class."""
    names, places = zip(
        *group.gather([device.accelerator or device.name, group.place]), strict=True
    )
    for rank, name in enumerate(names):
        if name != names[0]:
            raise ValueError(
                f"rank {rank} has {name}, rank 0 {names[0]}: one race, one hardware class"
            )
    group.num_devices = len(set(places))


def ignore_launcher(group: ProcessGroup) -> None:
    """Ignore signals of the launcher outside of a race, whose own handler replaces this.

    A launcher that sees a rank gone sends one at once, and rank 0 has yet to report why.
    """
    if group.size > 1:
        for number in group.stop_signals:
            signal.signal(number, signal.SIG_IGN)


@contextlib.contextmanager
def dismissing(group: ProcessGroup) -> Iterator[None]:
    """All that rank 0 does: however it ends, the other ranks leave with the same exit code."""
    code = 2
    try:
        yield
        code = 0
    except KeyboardInterrupt:
        code = 130
        raise
    except SystemExit as leaving:
        code = _code(leaving)
        raise
    finally:
        group.dismiss(code)
        group.leave()
        if code in (0, 1) and launcher.launched() is not None:
            _exit_at_once(code)


def _code(leaving: SystemExit) -> int:
    return leaving.code if isinstance(leaving.code, int) else 1


def take_part_and_exit(request: RunRequest, group: ProcessGroup) -> NoReturn:
    """Take part in the races of rank 0 until it leaves, and leave with its exit code."""
    ignore_launcher(group)  # rank 0 handles signals for all
    code = 0
    try:
        with contextlib.suppress(OutOfMemory):  # raised on all ranks together
            take_part(request, group)
        group.decide(lambda: None)
    except RaceOver as over:
        code = _code(over)
    except (KeyError, IndexError):
        raise
    except MENDABLE as error:
        print(f"error: rank {group.rank}: {error}", file=sys.stderr, flush=True)
        _exit_at_once(1)
    group.leave()
    if code:
        time.sleep(_GRACE_S)
    _exit_at_once(code)


def _exit_at_once(code: int) -> NoReturn:
    """End the process, whose output is complete.

    In an orderly shutdown the threads of the exchange now and then meet an interpreter that is
    half gone, and abort a race that ended well.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def wait_for_rank_0() -> None:
    """Wait, where every rank finds the same mistake, until rank 0 has reported it.

    Its launcher then asks the other ranks to end.
    """
    asked_to: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: asked_to.append(number))
    deadline = time.monotonic() + _MAX_GRACE_S
    while not asked_to and time.monotonic() < deadline:
        time.sleep(0.05)
