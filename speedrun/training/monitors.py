"""Monitors of a training: its host, and the energy of its devices."""

import platform

from speedrun.backends import registry
from speedrun.system.energy.monitor import EnergyMonitor, Sensors, find
from speedrun.system.host import HostMonitor
from speedrun.training.prepare import Built, Context


def of_host(built: Built, context: Context) -> HostMonitor | None:
    """The monitor of the host, on rank 0; the others wait while it measures."""
    backend, device, group = registry.backend(built.device.backend), built.device, context.group
    made = []
    with context.clock.account("warmup"):
        group.decide(
            lambda: made.append(
                HostMonitor(backend.sustained_gflops(device), of_launcher=group.size > 1)
            )
        )
    return made[0] if made else None


def of_energy(built: Built, context: Context) -> EnergyMonitor:
    """The monitor of what all devices of the group consume, on rank 0; one of nothing on others."""
    backend, device, group = registry.backend(built.device.backend), built.device, context.group
    with context.clock.account("warmup"):
        # Asked again: since the device was chosen each rank has taken one of its own.
        uuids = [found.uuid for found in backend.devices() if found.name == device.name]
        places = group.gather([platform.node(), *uuids])
        # Sensors of other machines cannot be read here.
        if group.rank > 0 or len({node for node, _ in places}) > 1:
            return EnergyMonitor(Sensors(None, None))
        return EnergyMonitor(find(device.accelerator, [uuid for _, uuid in places]))
