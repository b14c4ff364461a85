"""Commands and their help, nothing else."""

import os
import sys
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import cyclopts
from cyclopts import App, Parameter
from rich.console import Console

from speedrun import __version__
from speedrun.cli.plan import plan
from speedrun.distributed import launcher
from speedrun.text import StrictInt

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
    seed: StrictInt = 0,
    seeds: StrictInt = 1,
    data: str | None = None,
    vocab: StrictInt = 4096,
    eval_docs: str = "2000",
    set_: Annotated[list[str] | None, Parameter(name="--set", negative="")] = None,
    tune: Literal["off", "quick", "full"] = "quick",
    out: Path = Path("runs"),
    json_: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Train for some minutes of wall-clock time, score, tell a story, write a record.

    On several GPUs: torchrun --nproc-per-node N run.py …, or mlx.launch -n N -- python run.py …

    Parameters
    ----------
    minutes
        The training budget. Start-up, compilation and scoring are not charged to it.
    arch
        Name of an architecture, or a folder with one; auto: the strongest by laws of `sweep`.
    params
        Trainable parameters (250K, 2M, 2000000); a preset (tiny, small, medium); or auto, by laws.
    backend
        auto, or a device that `doctor` lists, such as cpu; auto times mlx and mps on Apple silicon.
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
    tune
        Time real steps under different settings before the clock starts: off, quick (20 s), full.
    out
        Folder that run folders are made in.
    json_
        Print the record alone on standard output, one JSON object for each seed.
    """
    from speedrun.cli.race import race_command

    race_command(
        minutes=minutes,
        arch=arch,
        params=params,
        backend=backend,
        recipe=recipe,
        seed=seed,
        seeds=seeds,
        data=data,
        vocab=vocab,
        eval_docs=eval_docs,
        settings=set_ or [],
        tune=tune,
        out=out,
        as_json=json_,
    )


@app.command
def sample(
    run: Path,
    /,
    *,
    prompt: str = "Once upon a time",
    temperature: float = 0.8,
    top_p: float = 0.95,
    seed: StrictInt = 0,
    max_tokens: StrictInt = 200,
    steps: StrictInt | None = None,
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
    from speedrun.cli.race import sample_command

    sample_command(run, prompt, temperature, top_p, seed, max_tokens, steps, backend, arch)


@app.command
def doctor(*, json_: Annotated[bool, Parameter(name="--json", negative="")] = False) -> None:
    """Say what this machine is and can do: backends, precision, speed, hub, caches.

    Parameters
    ----------
    json_
        Print the findings as JSON.
    """
    from speedrun.cli.doctor import doctor_command

    doctor_command(as_json=json_)


app.command(plan)
# The options of these stand where the strings point, which is read only when one is asked for.
app.command(
    "leaderboard.cli:submit", help="Check finished runs and add their records to a leaderboard."
)
app.command(
    "leaderboard.cli:verify",
    help="Score a run anew from its weights, check the model, and say whether its record holds.",
)
app.command(
    "leaderboard.cli:leaderboard",
    help="Rank the records of a leaderboard: in the terminal, as Markdown, JSON or a web page.",
)
app.command(
    "leaderboard.cli:compare",
    help="Two runs or entries side by side: settings, curves, significance, time to equal loss.",
)
app.command(
    "speedrun.cli.sweep:sweep",
    help="Race many sizes, find the time-optimal one and the laws behind it.\n\n"
    "Stopped at any moment, the same command goes on where it was. More sizes, budgets, seeds and"
    " architectures can be added to a folder later; other settings need a folder of their own.",
)

app.command(  # likewise
    "speedrun.cli.bench:bench",
    name="bench",
    help="Measure how fast training, scoring and sampling are here, and what limits them.\n\n"
    "Tokens per second of every architecture, measured in turn in processes of their own, beside"
    " the machine's own rate of matrix products; saved, and compared with another commit's.",
)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run a command; what a person can mend ends in one line and exit code 2."""
    errors = Console(stderr=True)
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        _check_launched(arguments)
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
        if _speaks():
            errors.print("stopped; nothing was recorded", style="yellow")
        sys.exit(130)
    sys.exit(0)


def _check_launched(arguments: list[str]) -> None:
    """Of several processes the first speaks for all; and only a race takes several."""
    started = launcher.launched()
    if started is None:
        return
    if started.rank > 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    command = arguments[0] if arguments else ""
    if not command.startswith("-") and command in app:
        raise ValueError(
            f"{started.by} started {started.size} processes, and only a race runs in several:"
            f" start {command} without it"
        )


def _speaks() -> bool:
    """Whether mistakes that all processes of a race find are this one's to say."""
    try:
        started = launcher.launched()
    except ValueError:  # of the launcher's own variables
        return True
    return started is None or started.local_rank == 0


def fail(errors: Console, line: str) -> NoReturn:
    """One clear line on standard error, exit code 2."""
    if not _speaks():
        from speedrun.training.distributed import leave_it_to_rank_0

        leave_it_to_rank_0()
        sys.exit(2)
    errors.print(f"error: {line}", style="red", markup=False, highlight=False, soft_wrap=True)
    sys.exit(2)
