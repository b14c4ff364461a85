"""The command `bench`: its options, and what it does with them."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from speedrun.text import StrictInt

if TYPE_CHECKING:
    from rich.console import Console

    from speedrun.bench.result import Bench


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Options:
    """What was typed; None where nothing was.

    Parameters
    ----------
    arch
        Architectures, parted by commas. Default: all that are found.
    params
        Sizes in ascending order, parted by commas.
    backend
        auto: what a race would choose among; all: every device here; or devices by name.
    repeats
        How often each measurement is made. Default: 5.
    minutes
        Measure for so long instead, building and compiling not counted.
    data
        As for a race.
    profile
        Take training steps apart, too.
    """

    arch: str | None = None
    params: str = "2M"
    backend: str = "auto"
    repeats: StrictInt | None = None
    minutes: str | None = None
    data: str | None = None
    profile: Annotated[bool, Parameter(negative="")] = False


_NOTHING_TYPED = Options()


def bench(
    *,
    options: Options = _NOTHING_TYPED,
    save: Path | None = None,
    against: Path | None = None,
    json_: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Measure how fast training, scoring and sampling are here: see `speedrun.cli.app`.

    Parameters
    ----------
    save
        Write what was measured to a new file.
    against
        Compare with such a file, of another commit or machine.
    json_
        Print every number as JSON.
    """
    from rich.console import Console

    from speedrun.bench import compare, report, result, runner

    repeats, budget_s = runner.parse_repeats(options.repeats, options.minutes)
    before = result.load(against) if against is not None else None
    if save is not None:
        _expect_new(save)
    console = Console(stderr=json_)  # with --json standard output carries the numbers alone
    found = _measure(console, options, repeats, budget_s, before)
    comparison = None if before is None else compare.compare(before, found)
    try:
        if save is not None:
            save.write_text(found.to_json(), encoding="utf-8")
    finally:  # minutes were spent on it: shown even where the disk is full
        if json_:
            print(report.as_json(found, comparison))
        else:
            report.show(console, found, comparison)
    if found.failed:
        sys.exit(1)


def _measure(
    console: "Console",
    options: Options,
    repeats: int | None,
    budget_s: float | None,
    before: "Bench | None",
) -> "Bench":
    from rich.status import Status
    from rich.text import Text

    from speedrun.bench import cases, compare, runner
    from speedrun.data import open

    def notice(text: str) -> None:
        console.print(f"notice: {text}", style="yellow", markup=False, soft_wrap=True)

    def say(text: str) -> None:
        console.print(f"{text} …", markup=False, highlight=False, soft_wrap=True)

    chosen, left_out = cases.variants(options.arch, options.params, options.backend, options.data)
    if before is not None:
        compare.expect_common(before, chosen)
    for line in left_out:
        notice(line)
    if options.data is not None:
        open.open_source(options.data, notice)  # what cannot be read is said before building
    # Drawn twice a second, by a process that has nothing else to do.
    with Status("", console=console, refresh_per_second=2) as status:

        def show_phase(text: str) -> None:
            status.update(Text(f"{text} …"))

        return runner.measure(
            chosen,
            repeats=repeats,
            budget_s=budget_s,
            with_profile=options.profile,
            phase=show_phase if console.is_terminal else say,
            notice=notice,
        )


def _expect_new(path: Path) -> None:
    """Refuse a file that could not be written, or would be lost, before minutes are spent."""
    if path.exists():
        raise ValueError(f"--save {path}: is already there; choose another name")
    if not path.parent.is_dir():
        raise ValueError(f"--save {path}: there is no folder {path.parent}; make it first")
    try:
        path.touch()
        path.unlink()
    except OSError as error:
        raise ValueError(
            f"--save {path}: cannot be written ({error.strerror}); choose another place"
        ) from None
