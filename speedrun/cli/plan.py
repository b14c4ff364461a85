"""The command `plan`."""

from typing import Annotated

from cyclopts import Parameter

from speedrun.plan.request import Options

_DEFAULTS = Options()


def plan(
    *,
    options: Options = _DEFAULTS,
    full: Annotated[bool, Parameter(negative="")] = False,
    json_: Annotated[bool, Parameter(name="--json", negative="")] = False,
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
