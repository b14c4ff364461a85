"""The command `score`: finishes a run that was trained and not scored."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from speedrun.cli.options import Json
from speedrun.system import interrupts
from speedrun.training.options import DEVICE, TEXT_FIELD


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ScoreOptions:
    """Options of `score`.

    Parameters
    ----------
    data
        The data of the run, as for a race. Default: where the run was trained from.
    arch
        Folder of the architecture, where the run was raced with --arch ./folder.
    json_
        Print only the record on standard output, as one line of JSON.
    """

    data: str | None = None
    text_field: Annotated[str | None, TEXT_FIELD] = None
    device: Annotated[str, DEVICE] = "auto"
    arch: str | None = None
    json_: Json = False


_DEFAULTS = ScoreOptions()


def score(
    run: Annotated[Path, Parameter(help="Folder of the run.")], /, options: ScoreOptions = _DEFAULTS
) -> None:
    """Score a run whose training ended and whose scoring failed or was stopped."""
    from rich.console import Console

    from speedrun.data.hub.repos import is_address
    from speedrun.training.runs.score_later import Request, score_later
    from speedrun.ui import live, summary

    if is_address(str(run)):
        raise ValueError(
            f"{run}: a published run has its score, which `verify` computes again; score takes the"
            " folder of a run"
        )
    stopping = interrupts.current()
    stopping.outcome = f"{run} is as it was: the same command scores it"
    console = Console(stderr=options.json_)
    names = ("data", "text_field", "device", "arch")
    request = Request(**{name: getattr(options, name) for name in names})
    with live.view(console) as view:
        record = score_later(run, request, view)
    stopping.outcome = f"recorded as {record.status} in {run}"
    if options.json_:
        print(json.dumps(json.loads(record.to_json())), flush=True)
    summary.finished(console, record, run)
    if record.status == "diverged":
        sys.exit(1)
