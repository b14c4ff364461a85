"""Command line of the project: its commands, their help, errors as one line."""

import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import cyclopts
from cyclopts import App
from rich.console import Console

from speedrun import __version__
from speedrun.cli.help import HelpFormatter
from speedrun.cli.options import RaceOptions
from speedrun.distributed import launcher
from speedrun.records.sanitize import sanitize
from speedrun.system import interrupts
from speedrun.system.interrupts import Stopping
from speedrun.text import nearest
from speedrun.ui.console import surviving

_HELP = (
    "What is the strongest language model this machine can train in five minutes?\n\n"
    "Without a command it races: it trains for some minutes of wall-clock time, scores the model"
    " on held-out text, tells a story and writes a record."
)
_EXAMPLES = """Examples:

  {name} --minutes 5 --arch transformer --params 2M
  {name} --data stories.jsonl --set recipe.lr=0.01 --seeds 3
  torchrun --nproc-per-node N {file} --minutes 5      (N GPUs of one machine)
  mlx.launch -n N -- python {file} --minutes 5        (several Macs)

Options of a command: {name} COMMAND --help"""


def _called_as() -> tuple[str, str]:
    """The words that started this program, and those that a launcher takes for it."""
    name = Path(sys.argv[0]).name if sys.argv else ""
    if name in ("speedrun", "speedrun.exe"):
        return "speedrun", "-m speedrun"
    if name == "__main__.py":
        return "python -m speedrun", "-m speedrun"
    return "python run.py", "run.py"


_NAME, _FILE = _called_as()
_DEFAULTS = RaceOptions()
_KEEPERS = (
    "race",
    "resume",
    "sweep",
    "duel",
)  # commands whose output is less than what they keep on disk
app = App(
    name=_NAME,
    version=__version__,
    help=_HELP,
    help_format="plaintext",
    help_formatter=HelpFormatter(),
    help_epilogue=_EXAMPLES.format(name=_NAME, file=_FILE),
    suppress_keyboard_interrupt=False,  # `main` says what became of the command
)


@app.default
def race(options: RaceOptions = _DEFAULTS) -> None:
    """Train for some minutes, score, tell a story, write a record (the default command)."""
    from speedrun.cli.race import race_command

    race_command(options)


def _mount(command: str | Callable[..., None], example: str, help: str | None = None) -> None:
    """Add a command; one given as a string is imported only when it is called."""
    app.command(command, help=help, help_epilogue=f"Example:\n\n  {_NAME} {example}")


app.command(race)
_mount(
    "speedrun.cli.sample:sample",
    "sample runs/RUN --prompt 'Tom saw'",
    "Continue a prompt with the model of a run.",
)
_mount(
    "speedrun.cli.resume:resume",
    "resume runs/RUN",
    "Go on with a race that was stopped or killed, from its last checkpoint.",
)
_mount(
    "speedrun.cli.score:score",
    "score runs/RUN",
    "Score a run that was trained, where its scoring failed or was stopped.",
)
_mount(
    "leaderboard.publish.command:publish",
    "publish runs/RUN --to hf://user/name --private\n"
    f"  {_NAME} publish runs/RUN --to model    (a folder, to look at first)\n"
    f"  {_NAME} sample hf://user/name --prompt 'Tom saw'",
    "Publish a run with its weights and a model card, on the Hugging Face hub or in a folder.\n\n"
    "The token is that of HF_TOKEN or of `hf auth login`. What is published is a run again:"
    " `sample`, `verify`, `compare` and `submit` take hf://user/name as they take its folder.",
)
_mount(
    "speedrun.cli.doctor:doctor",
    "doctor",
    "Show what this machine can do: devices, precision, speed, hub, caches.",
)
_mount(
    "speedrun.cli.plan:plan",
    "plan --params 10M --tokens 200M",
    "Estimate memory, compute and time before anything runs, with a go or no-go for each.",
)
_mount(
    "leaderboard.cli:submit",
    "submit runs/RUN",
    "Check finished runs and add their records to a leaderboard.",
)
_mount(
    "leaderboard.cli:verify",
    "verify runs/RUN",
    "Score a run again from its weights, check the model, and judge its record.",
)
_mount(
    "leaderboard.cli:leaderboard",
    "leaderboard --from runs",
    "Rank the records of a leaderboard: in the terminal, as Markdown, JSON or a web page.",
)
_mount(
    "leaderboard.cli:compare",
    "compare runs/RUN runs/OTHER",
    "Compare two runs or entries: settings, curves, significance, time to equal loss.",
)
_mount(
    "speedrun.cli.sweep:sweep",
    "sweep --params 250K,500K,1M,2M --minutes 1",
    "Race many sizes, find the time-optimal one and the scaling laws behind it.\n\n"
    "Stopped at any moment, the same command resumes. More sizes, budgets, seeds and"
    " architectures can be added to a folder later; other settings need a folder of their own.",
)
_mount(
    "leaderboard.duel.command:duel",
    "duel --b default --set-b recipe.lr=0.02",
    "Race two sides in turn, A B, B A, A B, …, and say whether one is better.\n\n"
    "Both runs of a pair have one seed, which follows from the two sides. The verdict is a paired"
    " t-test on ln(bits per byte) at p < 0.01. Stopped at any moment, the same command resumes;"
    " pairs during which the machine was disturbed are raced again.\n\n"
    "--minutes 1 screens an idea: it tells a change that is clearly worse, and whether one is worth"
    " five minutes. It does not tell the gain there: in our log half of a one-minute gain was left"
    " at five, and small ones vanished or turned.",
)
_mount(
    "speedrun.cli.bench:bench",
    "bench --arch transformer",
    "Measure the speed of training, scoring and sampling here, and what limits it.\n\n"
    "Tokens per second of every architecture, measured in turn in processes of their own, beside"
    " the machine's own rate of matrix products; saved, and compared with another commit's.",
)
_mount(
    "speedrun.cli.completion:completion",
    "completion bash --install",
    "Complete commands, options and their values with the tab key, in bash, zsh or fish.\n\n"
    "Without --install it prints the script. The shell completes `speedrun`, which the"
    " installation puts beside its python, and not `python run.py`; both are the same program.",
)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run a command; a mistake of the caller's is one line on standard error and exit code 2."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if arguments[:1] == ["__complete"]:  # of a shell at the tab key, which reads control characters
        app(arguments)
        sys.exit(0)
    code = 0
    with Stopping(), surviving() as output:
        try:
            _run(arguments)
        except SystemExit as leaving:
            code = leaving.code
        if not code and output.failure is not None:
            code = _undelivered(arguments, output.failure)
    sys.exit(code)


def _run(arguments: list[str]) -> None:
    errors = Console(stderr=True)
    if arguments[:1] == ["help"]:
        arguments = [*arguments[1:], "--help"]
    try:
        _check_launched(arguments)
        if _command(arguments) in ("sweep", "duel"):
            again = f"{_NAME} {shlex.join(arguments)}"
            interrupts.current().outcome = f"run the same command to resume: {again}"
        app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except cyclopts.UnusedCliTokensError as error:
        unknown = (error.unused_tokens or [""])[0]
        known = [name for name in app if not name.startswith("-")]
        fail(errors, f"{nearest(unknown, known, 'command').args[0]} (see --help)")
    except cyclopts.CycloptsError as error:
        fail(errors, " ".join(str(error).split()) + " (see --help)")
    except (KeyError, IndexError):
        raise  # a fault of the program, not of the caller
    except (ValueError, LookupError, OSError, MemoryError) as error:
        if os.environ.get("SPEEDRUN_TRACEBACK"):
            raise
        fail(errors, " ".join(str(error).split()) or type(error).__name__)
    except KeyboardInterrupt:
        stopping = interrupts.current()
        if line := stopping.claim():
            shown = sanitize(line)
            errors.print(shown, style="yellow", markup=False, highlight=False, soft_wrap=True)
        sys.exit(stopping.exit_code)


def _undelivered(arguments: list[str], failure: OSError) -> int:
    """Exit code of a command that did its work, but not all of its output could be written."""
    is_json, is_kept = "--json" in arguments, _command(arguments) in _KEEPERS
    if isinstance(failure, BrokenPipeError) and not is_json:
        return 0  # the reader has seen enough
    complete = "; what is kept on disk is complete" if is_kept else ""
    line = f"standard output could not be written ({failure.strerror}){complete}"
    print(f"error: {line}" if is_json or not is_kept else line, file=sys.stderr)
    return int(is_json or not is_kept)


def _command(arguments: list[str]) -> str:
    """The command that is called; options alone are those of a race."""
    return arguments[0] if arguments and arguments[0] in app else "race"


def _check_launched(arguments: list[str]) -> None:
    """Of several processes the first speaks for all; and only a race takes several."""
    started = launcher.launched()
    if started is None:
        return
    if started.rank > 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    command = _command(arguments)
    if command not in ("race", "resume") and not command.startswith("-"):
        raise ValueError(
            f"{started.by} started {started.size} processes, and only a race runs in several:"
            f" start {command} without it"
        )


def _speaks() -> bool:
    """Whether this process reports the mistakes that all processes of a race find."""
    try:
        started = launcher.launched()
    except ValueError:  # of the launcher's own variables
        return True
    return started is None or started.local_rank == 0


def fail(errors: Console, line: str) -> NoReturn:
    """Print one line on standard error and exit with code 2."""
    if _speaks():
        shown = sanitize(f"error: {line}")
        errors.print(shown, style="red", markup=False, highlight=False, soft_wrap=True)
    else:
        from speedrun.training.distributed import wait_for_rank_0

        wait_for_rank_0()
    sys.exit(2)
