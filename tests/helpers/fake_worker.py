"""The probe's child process with a backend whose engines do what their threads tell them."""

import dataclasses
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a script

from helpers.fakes import run_of

from speedrun.autotune import worker
from speedrun.backends import registry
from speedrun.models import loader
from speedrun.protocols import Device, OutOfMemory

STEP_S = 0.002
CRASH, HANG, MEMORY, FAIL, TALK, NAN = 11, 12, 13, 14, 15, 16  # what num_threads stands for


class Engine:
    def __init__(self, settings: Any) -> None:
        self.what = settings.num_threads
        self.rows = settings.micro_batch_rows or 4
        self.num_steps = 0

    def step(self, rows: Any, lr_scale: float) -> None:
        if self.what == CRASH:
            os.kill(os.getpid(), signal.SIGSEGV)
        elif self.what == HANG:
            time.sleep(60)
        elif self.what == MEMORY and self.rows > 2:
            raise OutOfMemory("no room")
        elif self.what == FAIL:
            raise RuntimeError("no kernel for it\nand a long story")
        elif self.what == TALK:
            print("compiling, please wait", flush=True)
            print("warning: slow", file=sys.stderr)
        self.num_steps += 1
        time.sleep(STEP_S)

    def halve_micro_batch(self) -> int:
        self.rows //= 2
        return self.rows

    def train_loss(self) -> float:
        return float("nan") if self.what == NAN else 8.0 - self.num_steps

    def sync(self) -> None: ...

    def metadata(self) -> dict[str, Any]:
        return {"micro_batch_rows": self.rows}


class Backend:
    def engine(self, spec):
        return Engine(spec.execution)

    def prepare(self, device, settings):
        return {}


class Architecture:
    Config = type(run_of(1.0).model)


def subject() -> dict[str, Any]:
    run = run_of(1.0)
    return worker.subject("fake", "fake", run.model, run.recipe, 0)


if __name__ == "__main__":
    there = Device(name="fake", backend="fake", available=True, detail="")
    changes: dict[str, Any] = {
        "architecture": lambda name: Architecture(),
        "device": lambda name, architecture: dataclasses.replace(there, name=name),
        "backend": lambda name: Backend(),
    }
    for name, value in changes.items():
        setattr(loader if name == "architecture" else registry, name, value)
    worker.main()
