"""The signatures of the leaderboard's commands and the help of their options, nothing else.

What each is for stands with the other commands, in `speedrun.cli.app`.
"""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from speedrun.text import StrictInt


def submit(
    *runs: Path,
    name: str | None = None,
    author: str | None = None,
    to: str | None = None,
    with_weights: Annotated[bool, Parameter(negative="")] = False,
    new_data: Annotated[bool, Parameter(negative="")] = False,
    json_: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Check finished runs and add their records: see `speedrun.cli.app`.

    Parameters
    ----------
    runs
        Folders of finished runs.
    name
        What is new in it, in a few words; runs of one config and name form an entry.
    author
        Who made it.
    to
        A folder, or any address that fsspec reaches (s3://…, hf://…). Default: the project's
        own leaderboard/records.
    with_weights
        Store weights and tokenizer beside the record, so that others can verify it.
    new_data
        Open a track for data, or held-out documents, that the leaderboard does not know yet.
    json_
        Print what became of each run as JSON.
    """
    from leaderboard.commands import submit_command

    submit_command(
        runs,
        name=name,
        author=author,
        to=to,
        with_weights=with_weights,
        new_data=new_data,
        as_json=json_,
    )


def verify(
    run: str,
    /,
    *,
    from_: Annotated[str | None, Parameter(name="--from")] = None,
    data: str | None = None,
    by: str | None = None,
    backend: Annotated[str, Parameter(name=("--device", "--backend"))] = "auto",
    arch: str | None = None,
    rerun: Annotated[bool, Parameter(negative="")] = False,
    json_: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Say whether the record of a run holds: see `speedrun.cli.app`.

    Parameters
    ----------
    run
        The folder of a finished run, or the id of a record in a leaderboard (its first digits).
    from_
        The leaderboard that the record is in. Default: the project's own leaderboard/records.
    data
        The data that the run was raced on, as for a race; streamed from the hub without it.
    by
        Who verifies; stands in the note. Default: the name of this machine's user.
    backend
        Where to score: auto, cuda, mlx, mps, cpu, numpy.
    arch
        The architecture's folder, where the run was raced with --arch ./folder.
    rerun
        Race the config and seed of the record again, too, and compare with the claim.
    json_
        Print the verification as JSON.
    """
    from leaderboard.verify.verify import verify_command

    verify_command(
        run, from_=from_, data=data, by=by, backend=backend, arch=arch, rerun=rerun, as_json=json_
    )


def leaderboard(
    *,
    from_: Annotated[str | None, Parameter(name="--from")] = None,
    track: str | None = None,
    format_: Annotated[str, Parameter(name="--format")] = "table",
    to: Path | None = None,
    top: StrictInt = 20,
    check: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Rank the records of a leaderboard: see `speedrun.cli.app`.

    Parameters
    ----------
    from_
        A folder, or any address that fsspec reaches. Default: the project's own
        leaderboard/records.
    track
        Show only tracks whose title has these words, such as "tinystories 5 min".
    format_
        table, markdown (LEADERBOARD.md), json, or html (a page that needs no server).
    to
        Folder to write to; Markdown and JSON are printed without it.
    top
        Entries of each track in the terminal; 0 shows all.
    check
        Check every file anew and fail if one does not hold.
    """
    from leaderboard.commands import leaderboard_command

    leaderboard_command(from_=from_, track=track, format_=format_, to=to, top=top, check=check)


def compare(
    a: str,
    b: str,
    /,
    *,
    from_: Annotated[str | None, Parameter(name="--from")] = None,
    json_: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Two runs or entries side by side: see `speedrun.cli.app`.

    Parameters
    ----------
    a
        The folder of a run, or the id of a record or an entry (its first digits).
    b
        Likewise.
    from_
        The leaderboard that ids are looked up in. Default: the project's own.
    json_
        Print the comparison as JSON.
    """
    from leaderboard.compare import compare_command

    compare_command(a, b, from_=from_, as_json=json_)
