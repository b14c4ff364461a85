"""Plans of a few options."""

from typing import Any

from speedrun.plan.plan import make_plan
from speedrun.plan.report import Plan
from speedrun.plan.request import Options


def plan(**options: Any) -> Plan:
    """The plan of these options, for a device of 20 TFLOP/s."""
    return make_plan(Options(**{"tflops": 20.0, **options}))


def on(device: str, **options: Any) -> Plan:
    """The plan of these options on a device of the table."""
    return make_plan(Options(device=device, **options))
