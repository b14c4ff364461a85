"""The command `doctor`: facts about this machine, its devices, the hub and the caches."""

import contextlib
import dataclasses
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from speedrun.backends import registry
from speedrun.cli.options import Json
from speedrun.data.hub import client
from speedrun.device import Device
from speedrun.models import loader
from speedrun.records import host, sections
from speedrun.system import git, hardware, paths
from speedrun.system.energy import monitor as energy
from speedrun.system.host import HostMonitor
from speedrun.text import counted
from speedrun.ui import live


def doctor(*, json_: Json = False) -> None:
    """Show what this machine can do.

    Parameters
    ----------
    json_
        Print the findings as JSON.
    """
    with live.waiting("examining this machine"):
        findings = examine()
    if json_:
        print(json.dumps(findings, indent=1))
    else:
        _print(Console(), findings)


def examine() -> dict[str, Any]:
    """Findings as plain values: rates in GFLOP/s, sizes in bytes."""
    machine = hardware.machine()
    chosen = registry.device("auto")
    monitor = HostMonitor(registry.backend(chosen.backend).sustained_gflops(chosen))
    monitor.start()
    devices = registry.devices()
    # Devices on one accelerator: a race times a few steps on each.
    candidates = [d.name for d in devices if d.available and d.shared and d.shared == chosen.shared]
    hub_notices: list[str] = []
    unreachable = client.unreachable(hub_notices.append)
    hub_cache = Path(os.environ.get("HF_HOME") or "~/.cache/huggingface")
    with contextlib.suppress(RuntimeError):  # a user whom the system does not know
        hub_cache = hub_cache.expanduser()
    rated = [
        {**dataclasses.asdict(d), "matmul_gflops": _rates(d) if d.available else {}}
        for d in devices
    ]
    found = sections.Host(**dataclasses.asdict(monitor.stop()))
    return {
        "machine": {
            **dataclasses.asdict(machine),
            "class": hardware.hardware_class(machine, chosen.name, chosen.accelerator),
            "load_per_core": hardware.load_per_core(),
        },
        "host": {
            **found.content(),
            "unfit_because": host.judge(found, machine.cores, chosen.accelerator),
        },
        "energy": energy.find(chosen.accelerator, [chosen.uuid]).describe(),
        "auto": chosen.name,
        "auto_among": candidates or [chosen.name],
        "devices": rated,
        "versions": {
            name: version
            for backend in registry.backend_names()
            for name, version in registry.versions(registry.backend(backend)).items()
        },
        "architectures": loader.architecture_names(),
        "warnings": list(_warnings()),
        "problems": list(filter(None, _problems())),
        "hub": " ".join(
            [f"cannot be read: {unreachable}" if unreachable else "answers", *hub_notices]
        ),
        "caches": [_cache(paths.cache_dir()), _cache(hub_cache)],
    }


def _rates(device: Device) -> dict[str, float | None]:
    backend = registry.backend(device.backend)
    return {precision: backend.matmul_gflops(device, precision) for precision in ("fp32", "bf16")}


def _warnings() -> Iterator[dict[str, str]]:
    for name in loader.architecture_names():
        try:
            architecture = loader.architecture(name)
            for device in filter(lambda device: device.available, registry.devices()):
                for text in architecture.warnings(device):
                    yield {"architecture": name, "device": device.name, "text": text}
        except ValueError as error:  # an installed package's; the others are still worth knowing
            yield {"architecture": name, "device": "any device", "text": f"fails: {error}"}


def _problems() -> Iterator[str | None]:
    """Sentences on what is not as it should be on this machine; races say them, too."""
    yield hardware.limits()
    yield paths.cache_problem()
    yield git.code_version().problem


def _cache(path: Path) -> dict[str, Any]:
    sizes = []
    for file in path.rglob("*"):
        with contextlib.suppress(OSError):  # gone between the listing and now
            sizes += [file.stat().st_size] if file.is_file() else []
    return {"path": str(path), "num_files": len(sizes), "bytes": sum(sizes)}


def _print(console: Console, findings: dict[str, Any]) -> None:
    machine, load = findings["machine"], findings["machine"]["load_per_core"]
    features = ", ".join(machine["features"]) or "none known"
    unfit = findings["host"]["unfit_because"]
    numbers = {name: findings["host"][name] for name in sections.Host.model_fields}
    seen = sections.Host(**numbers)
    busy = ": busy; results will be slower and not comparable" if (load or 0.0) > 0.5 else ""
    rows = [
        ("machine", f"{machine['cpu']}, {machine['cores']} cores ({features})"),
        ("class", f"{machine['class']}: {_made_of(machine)}"),
        ("host", f"{host.describe(seen)}: {unfit or 'fit for a record'}"),
        ("energy", findings["energy"]),
        ("memory", f"{machine['memory_bytes'] / 2**30:.1f} GiB"),
        ("load", "unknown" if load is None else f"{load:.2f} per core{busy}"),
        ("versions", ", ".join(f"{k} {v}" for k, v in findings["versions"].items())),
        ("architectures", ", ".join(findings["architectures"])),
        ("hub", findings["hub"]),
    ]
    rows += [
        ("cache", f"{c['path']}: {c['bytes'] / 2**20:.1f} MiB in {c['num_files']} files")
        for c in findings["caches"]
    ]
    rows += [
        ("warning", f"{warning['architecture']} on {warning['device']}: {warning['text']}")
        for warning in findings["warnings"]
    ]
    rows += [("problem", problem) for problem in findings["problems"]]
    for device in findings["devices"]:
        rows += [("warning", f"{device['name']}: {warning}") for warning in device["warnings"]]
        if not device["available"]:
            rows.append(("missing", f"{device['name']}: {device['detail']}"))
    console.print(live.grid(*rows))
    table = _device_table(findings)
    table.box = table.box if console.is_terminal else None
    console.print(table)


def _made_of(machine: dict[str, Any]) -> str:
    """The facts that a hardware class follows from."""
    parts = [machine["arch"], counted(machine["physical_cores"], "physical core")]
    if machine["cpu_quota"] is not None:
        parts.append(f"a quota of {machine['cpu_quota']:.3g} of them")
    parts += machine["features"][:1]
    if machine["memory_limit"] is not None:
        parts.append(f"at most {machine['memory_limit'] / 2**30:.1f} GiB of memory")
    return ", ".join(parts)


def _device_table(findings: dict[str, Any]) -> Table:
    table = Table(title="what can train here", title_justify="left")
    for column in ("--device", "what", "precision", "GFLOP/s fp32", "bf16"):
        table.add_column(column)
    for device in filter(lambda device: device["available"], findings["devices"]):
        name = device["name"] + (" (auto)" if device["name"] in findings["auto_among"] else "")
        what = ", ".join(filter(None, (device["accelerator"], device["detail"], device["backend"])))
        rates = [device["matmul_gflops"].get(p) for p in ("fp32", "bf16")]
        table.add_row(
            Text(name),
            Text(what),
            Text(", ".join(device["precisions"])),
            *("-" if rate is None else f"{rate:,.0f}" for rate in rates),
        )
    return table
