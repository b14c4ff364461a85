"""One race in several processes: how they find each other, and what those behind rank 0 do."""

import contextlib
import dataclasses
import os
import signal
import sys
import time
from collections.abc import Iterator
from typing import NoReturn

from speedrun.backends import registry
from speedrun.backends.coordinator import Leader, obey
from speedrun.config import Run
from speedrun.distributed import launcher
from speedrun.distributed.group import Lost, Message, ProcessGroup, pack, unpack
from speedrun.distributed.launcher import Launched
from speedrun.models import loader
from speedrun.protocols import Device, Engine, EngineSpec
from speedrun.training.request import RunRequest, resolve

# Beyond the budget, for which rank 0 may wait for data: a process that says nothing for so long
# is given up. One that has died is noticed at once.
PATIENCE_S = 900.0
# A launcher ends all processes when one has failed: rank 0 must have said why before that.
_SOON_S, _AT_LAST_S = 1.0, 15.0

_MENDABLE = (ValueError, LookupError, OSError, MemoryError)


def joined(request: RunRequest) -> tuple[RunRequest, ProcessGroup]:
    """What was asked, and the team that a launcher started this process for, if one did.

    Raises ValueError or LookupError, on all ranks alike, for what they cannot race together.
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
        run = resolve(architecture, request, request.data.vocab)
    _check_rows(run, started)
    group = registry.backend(device.backend).join(device, request.budget_s + PATIENCE_S)
    _check_alike(group, device)
    return request, group


def _check_rows(run: Run, started: Launched) -> None:
    num_rows, size = run.recipe.batch_rows, started.size
    if num_rows % size:
        near = size * max(1, round(num_rows / size))
        raise ValueError(
            f"recipe.batch_rows={num_rows}: {size} processes share the rows of a step evenly;"
            f" take a multiple of {size}, such as --set recipe.batch_rows={near}"
        )


def _check_alike(group: ProcessGroup, device: Device) -> None:
    """One hardware class for all; and how many devices that is."""
    own = pack("here", {"name": device.name, "model": device.accelerator, "place": group.place})
    there = [unpack(answer).values for answer in group.all_gather(own)]
    for rank, values in enumerate(there):
        for key in ("name", "model"):
            if values[key] != there[0][key]:
                raise ValueError(
                    f"rank {rank} has {values['model'] or values['name']}, rank 0"
                    f" {there[0]['model'] or there[0]['name']}: one race, one hardware class"
                )
    group.num_devices = len({values["place"] for values in there})


def assembled(engine: Engine, group: ProcessGroup, run: Run) -> Engine:
    """Rank 0's engine and its like on all ranks, as one."""
    if group.size == 1:
        return engine
    values = {
        "seed": run.seed,
        "vocab": run.model.vocab,
        "precision": engine.metadata()["precision"],  # measured, where asked for was auto
    }
    group.broadcast(pack("build", values))
    for rank, answer in enumerate(group.all_gather(pack("built", {"problem": ""}))):
        if problem := unpack(answer).values["problem"]:
            raise ValueError(f"rank {rank}: {problem}")
    return Leader(engine, group)


def outlast_launcher(group: ProcessGroup) -> None:
    """Ignore its requests to end where the race itself does not listen to them: once it is over.

    A launcher that sees another rank gone makes one at that very moment, and how the race ended
    is still to be said.
    """
    if group.size > 1:
        for number in group.stop_signals:
            signal.signal(number, signal.SIG_IGN)


@contextlib.contextmanager
def leading(group: ProcessGroup) -> Iterator[None]:
    """Around all that rank 0 does: whatever ends it, the other ranks are told to leave."""
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
        if not group.is_broken:
            with contextlib.suppress(Lost):
                group.broadcast(pack("leave", {"code": code}))
        group.leave()
        if code in (0, 1) and launcher.launched() is not None:
            _exit_at_once(code)


def follow(request: RunRequest, group: ProcessGroup) -> int:
    """Do as rank 0 says until it says to leave, with which exit code."""
    engine: Engine | None = None
    for number in group.stop_signals:  # rank 0 hears them, too, and says what follows from them
        signal.signal(number, signal.SIG_IGN)
    try:
        while (broadcast := unpack(group.broadcast())).what != "leave":
            if broadcast.what == "build":
                engine = _built(request, group, broadcast)
            else:
                assert engine is not None, "told to train before told what"
                obey(engine, group, broadcast)
    except (KeyError, IndexError):
        raise
    except _MENDABLE as error:
        print(f"error: rank {group.rank}: {error}", file=sys.stderr, flush=True)
        return 1
    group.leave()
    code: int = broadcast.values["code"]
    if code:
        time.sleep(_SOON_S)
    return code


def follow_and_exit(request: RunRequest, group: ProcessGroup) -> NoReturn:
    """`follow` to the end of the process."""
    _exit_at_once(follow(request, group))


def _exit_at_once(code: int) -> NoReturn:
    """End the process, of which everything is said and saved.

    Taken apart slowly, threads of the exchange now and then meet an interpreter that is half gone,
    and abort a race that ended well.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _built(request: RunRequest, group: ProcessGroup, broadcast: Message) -> Engine | None:
    """The engine that rank 0 has; None, and rank 0 is told why, if it cannot be built here."""
    engine, problem = None, ""
    try:
        architecture = loader.architecture(request.arch)
        device = registry.device(request.backend, architecture)
        with architecture.plugin_errors():
            request = dataclasses.replace(request, seed=broadcast.values["seed"])
            run = resolve(architecture, request, broadcast.values["vocab"])
            recipe = dataclasses.replace(run.recipe, precision=broadcast.values["precision"])
            engine = registry.engine(
                EngineSpec(
                    architecture=architecture,
                    config=run.model,
                    recipe=recipe,
                    device=device,
                    seed=run.seed,
                    group=group,
                )
            )
    except _MENDABLE as error:
        problem = " ".join(str(error).split()) or type(error).__name__
    group.all_gather(pack("built", {"problem": problem}))
    return engine


def leave_it_to_rank_0() -> None:
    """Wait, where every rank finds the same mistake, until the first has said it.

    Its launcher then asks the others to end.
    """
    asked_to: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: asked_to.append(number))
    deadline = time.monotonic() + _AT_LAST_S
    while not asked_to and time.monotonic() < deadline:
        time.sleep(0.05)
