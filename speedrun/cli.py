"""Commands and their help, nothing else."""

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import cyclopts
from cyclopts import App, Parameter
from rich.console import Console

from speedrun import __version__
from speedrun.plan.command import plan

_COMMANDS = "bench, compare, doctor, leaderboard, plan, sample, submit, sweep and verify"

app = App(
    name="run.py",
    version=__version__,
    help="What is the strongest language model this machine can train in five minutes?\n\n"
    "Without a command it races: python run.py --minutes 5 --arch transformer --params 2M",
)


@app.default
def race(
    *,
    minutes: str = "5",
    arch: str = "transformer",
    params: str = "2M",
    backend: str = "auto",
    recipe: str = "default",
    seed: int = 0,
    seeds: int = 1,
    data: str | None = None,
    vocab: int = 4096,
    eval_docs: str = "2000",
    set_: Annotated[list[str] | None, Parameter(name="--set", negative="")] = None,
    out: Path = Path("runs"),
    json_: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Train for some minutes of wall-clock time, score, tell a story, write a record.

    Parameters
    ----------
    minutes
        The training budget. Start-up, compilation and scoring are not charged to it.
    arch
        Name of an architecture, or the path of a folder with one; auto takes the one that laws
        of `sweep` predict to be strongest here.
    params
        Trainable parameters, such as 250K, 2M or 2000000; or a preset: tiny, small, medium; auto
        takes the time-optimal size by the laws of `sweep`, or a guess.
    backend
        auto, or a device that `doctor` lists: cuda, mlx, mps, cpu, numpy. On Apple silicon
        auto times a few steps on mlx and on mps.
    recipe
        A recipe of the architecture: default, or goedecke as the published yardstick.
    seed
        Seed of the initial weights and of all noise.
    seeds
        Race this many seeds one after the other, from --seed on.
    data
        A folder in the hub's layout, or a .parquet, .jsonl or .txt file. Without it TinyStories
        is streamed from the hub; where that does not answer, the built-in storybook races.
    vocab
        Size of the vocabulary; any but 4096 is trained on the data.
    eval_docs
        How many held-out documents are scored, or all. Scores compare only at one number.
    set_
        Change one setting: --set recipe.lr=0.002, --set model.depth=4. Repeatable.
    out
        Folder that run folders are made in.
    json_
        Print the record alone on standard output, one JSON object for each seed.
    """
    from speedrun.commands import race_command

    race_command(
        minutes=minutes, arch=arch, params=params, backend=backend, recipe=recipe, seed=seed,
        seeds=seeds, data=data, vocab=vocab, eval_docs=eval_docs, settings=set_ or [], out=out,
        as_json=json_,
    )  # fmt: skip


@app.command
def sample(
    run: Path,
    /,
    *,
    prompt: str = "Once upon a time",
    temperature: float = 0.8,
    top_p: float = 0.95,
    seed: int = 0,
    max_tokens: int = 200,
    steps: int | None = None,
    backend: str = "auto",
    arch: str | None = None,
) -> None:
    """Tell a story from a finished run.

    Parameters
    ----------
    run
        The folder of the run.
    prompt
        How the story begins.
    temperature
        0 takes the likeliest token every time; higher is wilder.
    top_p
        Draw from the likeliest tokens that together have this probability.
    seed
        Seed of the draws.
    max_tokens
        Most tokens to add to the prompt.
    steps
        Diffusion only: strides from noise to text; more are better and slower. Default 128.
    backend
        Where to run: auto, cuda, mlx, mps, cpu, numpy.
    arch
        The architecture's folder, where the run was raced with --arch ./folder.
    """
    from speedrun.commands import sample_command

    sample_command(run, prompt, temperature, top_p, seed, max_tokens, steps, backend, arch)


@app.command
def doctor(*, json_: Annotated[bool, Parameter(name="--json", negative="")] = False) -> None:
    """Say what this machine is and can do: backends, precision, speed, hub, caches.

    Parameters
    ----------
    json_
        Print the findings as JSON.
    """
    from speedrun.doctor import doctor_command

    doctor_command(as_json=json_)


@app.command
def submit(
    *runs: Path,
    name: str | None = None,
    author: str | None = None,
    to: str | None = None,
    with_weights: Annotated[bool, Parameter(negative="")] = False,
    new_data: Annotated[bool, Parameter(negative="")] = False,
    json_: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Check finished runs and add their records to a leaderboard.

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
        runs, name=name, author=author, to=to, with_weights=with_weights, new_data=new_data,
        as_json=json_,
    )  # fmt: skip


@app.command
def verify(
    run: str,
    /,
    *,
    from_: Annotated[str | None, Parameter(name="--from")] = None,
    data: str | None = None,
    by: str | None = None,
    backend: str = "auto",
    arch: str | None = None,
    rerun: Annotated[bool, Parameter(negative="")] = False,
    json_: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Score a run anew from its weights, check the model, and say whether its record holds.

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
    from leaderboard.verify import verify_command

    verify_command(
        run, from_=from_, data=data, by=by, backend=backend, arch=arch, rerun=rerun, as_json=json_
    )


@app.command
def leaderboard(
    *,
    from_: Annotated[str | None, Parameter(name="--from")] = None,
    track: str | None = None,
    format_: Annotated[str, Parameter(name="--format")] = "table",
    to: Path | None = None,
    top: int = 20,
    check: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Rank the records of a leaderboard: in the terminal, as Markdown, JSON or a web page.

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


@app.command
def compare(
    a: str,
    b: str,
    /,
    *,
    from_: Annotated[str | None, Parameter(name="--from")] = None,
    json_: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Two runs or entries side by side: settings, curves, significance, time to equal loss.

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


app.command(plan)
app.command(  # its options are there
    "speedrun.sweep.command:sweep",
    name="sweep",
    help="Race many sizes, find the time-optimal one and the laws behind it.\n\n"
    "Stopped at any moment, the same command goes on where it was. More sizes, budgets, seeds and"
    " architectures can be added to a folder later; other settings need a folder of their own.",
)

app.command(  # likewise
    "speedrun.bench.command:bench",
    name="bench",
    help="Measure how fast training, scoring and sampling are here, and what limits them.\n\n"
    "Tokens per second of every architecture, measured in turn in processes of their own, beside"
    " the machine's own rate of matrix products; saved, and compared with another commit's.",
)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run a command; what a person can mend ends in one line and exit code 2."""
    errors = Console(stderr=True)
    try:
        app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except cyclopts.UnusedCliTokensError as error:
        words = " ".join(error.unused_tokens or [])
        fail(errors, f"unknown command {words!r}: known are {_COMMANDS} (see --help)")
    except cyclopts.CycloptsError as error:
        fail(errors, " ".join(str(error).split()) + " (see --help)")
    except BrokenPipeError:  # the reader of a pipe has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except (KeyError, IndexError):
        raise  # ours to mend, not a person's
    except (ValueError, LookupError, OSError, MemoryError) as error:
        if os.environ.get("SPEEDRUN_TRACEBACK"):
            raise
        fail(errors, " ".join(str(error).split()) or type(error).__name__)
    except KeyboardInterrupt:
        errors.print("stopped; nothing was recorded", style="yellow")
        sys.exit(130)
    sys.exit(0)


def fail(errors: Console, line: str) -> NoReturn:
    """One clear line on standard error, exit code 2."""
    errors.print(f"error: {line}", style="red", markup=False, highlight=False, soft_wrap=True)
    sys.exit(2)
