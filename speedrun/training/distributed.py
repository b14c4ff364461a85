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
from speedrun.distributed.launcher import Launched
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
        batch_rows = request_.check(architecture, request).recipe.batch_rows
    _check_rows(batch_rows, started)
    group = registry.backend(device.backend).join(device, request.budget_s + TIMEOUT_S)
    count_devices(group, device)
    return request, group


def _check_rows(num_rows: int, started: Launched) -> None:
    size = started.size
    if num_rows % size:
        near = size * max(1, round(num_rows / size))
        raise ValueError(
            f"recipe.batch_rows={num_rows}: {size} processes share the rows of a step evenly;"
            f" take a multiple of {size}, such as --set recipe.batch_rows={near}"
        )


def count_devices(group: ProcessGroup, device: Device) -> None:
    """Set the group's number of devices; ValueError unless all are of one hardware class."""
    name = device.accelerator or device.name
    found = group.gather({"name": name, "place": group.place})
    for rank, each in enumerate(found):
        if each["name"] != found[0]["name"]:
            raise ValueError(
                f"rank {rank} has {each['name']}, rank 0 {found[0]['name']}:"
                " one race, one hardware class"
            )
    group.num_devices = len({each["place"] for each in found})


def ignore_launcher(group: ProcessGroup) -> None:
    """Ignore signals of the launcher outside of a race, whose own handler replaces this.

    A launcher that sees another rank gone sends one at that very moment, and rank 0 has yet to
    report how the race ended.
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
        code = leaving.code if isinstance(leaving.code, int) else 1
        raise
    finally:
        group.dismiss(code)
        group.leave()
        if code in (0, 1) and launcher.launched() is not None:
            _exit_at_once(code)


def take_part_and_exit(request: RunRequest, group: ProcessGroup) -> NoReturn:
    """Take part in the races of rank 0, to the end of this process."""
    _exit_at_once(follow(request, group))


def follow(request: RunRequest, group: ProcessGroup) -> int:
    """Take part in the races of rank 0 until it leaves; returns its exit code."""
    for number in group.stop_signals:  # rank 0 handles them for all
        signal.signal(number, signal.SIG_IGN)
    code = 0
    try:
        with contextlib.suppress(OutOfMemory):  # raised on all ranks together
            take_part(request, group)
        group.decide(lambda: None)
    except RaceOver as over:
        code = over.code if isinstance(over.code, int) else 1
    except (KeyError, IndexError):
        raise
    except MENDABLE as error:
        print(f"error: rank {group.rank}: {error}", file=sys.stderr, flush=True)
        return 1
    group.leave()
    if code:
        time.sleep(_GRACE_S)
    return code


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
