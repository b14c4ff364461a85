"""The command `bench`."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from speedrun.text import StrictInt
from speedrun.training.options import ARCH, DATA, FLAG, TEXT_FIELD

if TYPE_CHECKING:
    from rich.console import Console

    from speedrun.bench.result import Bench


_ARCHS = "Architectures, separated by commas. Default: all that are found."


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of the command; None where one was not given.

    Parameters
    ----------
    params
        Sizes in ascending order, separated by commas.
    device
        auto: the candidates of a race; all: every device here; or devices by name.
    repeats
        Repeats of each measurement. Default: 5.
    minutes
        Measure for this time instead, not counting building and compiling.
    profile
        Profile a training step, too.
    """

    arch: Annotated[str | None, ARCH, Parameter(help=_ARCHS)] = None
    params: str = "2M"
    device: Annotated[str, Parameter(name=("--device", "--backend"))] = "auto"
    repeats: StrictInt | None = None
    minutes: str | None = None
    data: Annotated[str | None, DATA] = None
    text_field: Annotated[str | None, TEXT_FIELD] = None
    profile: Annotated[bool, FLAG] = False


_DEFAULTS = Options()


def bench(
    *,
    options: Options = _DEFAULTS,
    save: Path | None = None,
    against: Path | None = None,
    json_: Annotated[bool, FLAG, Parameter(name="--json")] = False,
) -> None:
    """Measure the speed of training, scoring and sampling: see `speedrun.cli.app`.

    Parameters
    ----------
    save
        Write the measurements to a new file.
    against
        Compare with such a file, of another commit or machine.
    json_
        Print every number as JSON.
    """
    from rich.console import Console

    from speedrun.bench import compare, report, result

    before = result.load(against) if against is not None else None
    if save is not None:
        _expect_new(save)
    console = Console(stderr=json_)  # with --json standard output carries the numbers alone
    found = _measure(console, options, before)
    comparison = None if before is None else compare.compare(before, found)
    try:
        if save is not None:
            text = found.model_dump_json(by_alias=True, indent=1) + "\n"
            save.write_text(text, encoding="utf-8", newline="\n")
    finally:  # minutes were spent on it: shown even where the disk is full
        if json_:
            print(report.as_json(found, comparison))
        else:
            report.show(console, found, comparison)
    if found.failed:
        sys.exit(1)


def _measure(console: "Console", options: Options, before: "Bench | None") -> "Bench":
    from speedrun.bench import compare, runner
    from speedrun.bench.cases import cases
    from speedrun.config import Data
    from speedrun.data import open
    from speedrun.ui import live

    effort = runner.Effort.parse(options.repeats, options.minutes, with_profile=options.profile)
    with live.view(console) as view:
        view.phase("choosing the cases")
        chosen, left_out = cases(
            options.arch, options.params, options.device, options.data, options.text_field
        )
        if before is not None:
            compare.expect_common(before, chosen)
        for line in left_out:
            view.notice(line)
        if options.data is not None:
            # Unreadable data is reported at once.
            wanted = Data(path=options.data, text_field=options.text_field)
            open.open_source(wanted, view.notice)
        return runner.measure(chosen, effort, phase=view.phase, notice=view.notice)


def _expect_new(path: Path) -> None:
    """Refuse a file that could not be written, or would be lost, before minutes are spent."""
    if not path.parent.is_dir():
        raise ValueError(f"--save {path}: there is no folder {path.parent}; make it first")
    try:
        path.touch(exist_ok=False)
        path.unlink()
    except FileExistsError:
        raise ValueError(f"--save {path}: the file exists; choose another name") from None
    except OSError as error:
        raise ValueError(
            f"--save {path}: cannot be written ({error.strerror}); choose another place"
        ) from None
