"""The command `plan`."""

from typing import Annotated

from cyclopts import Parameter

from speedrun.plan.options import Options

_NOTHING_TYPED = Options()


def plan(
    *,
    options: Options = _NOTHING_TYPED,
    json_: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Say what a race would need and give before it runs: memory, compute, time, data, hints.

    Parameters
    ----------
    json_
        Print every number as JSON.
    """
    from speedrun.plan.plan import answer
    from speedrun.plan.report import show

    show(answer(options), as_json=json_)
