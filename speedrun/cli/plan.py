"""The command `plan`."""

from typing import Annotated

from cyclopts import Group, Parameter

from speedrun.plan.request import Options
from speedrun.training.options import FLAG

_DEFAULTS = Options()
_OUTPUT = Group("Output", sort_key=9)


def plan(
    *,
    options: Options = _DEFAULTS,
    full: Annotated[bool, FLAG, Parameter(group=_OUTPUT)] = False,
    json_: Annotated[bool, FLAG, Parameter(name="--json", group=_OUTPUT)] = False,
) -> None:
    """Estimate memory, compute and time of a training: see `speedrun.cli.app`.

    Parameters
    ----------
    full
        Show every figure with its formula.
    json_
        Print every number as JSON.
    """
    from speedrun.plan import report
    from speedrun.plan.plan import make_plan
    from speedrun.ui.live import waiting

    with waiting("planning"):
        found = make_plan(options)
    report.show(found, as_json=json_, is_full=full)
