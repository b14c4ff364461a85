"""The command `completion`: the script of a shell that completes `speedrun`."""

from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.completion import add_to_rc_file, get_default_completion_path

from speedrun.training.options import FLAG

PROGRAM = "speedrun"  # a shell completes the names of programs: not `python run.py`


def completion(
    shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(help="Name of the shell.")],
    /,
    *,
    install: Annotated[bool, FLAG] = False,
) -> None:
    """Print or install the completion of a shell: see `speedrun.cli.app`.

    Parameters
    ----------
    install
        Write the script where the shell looks for it, and load it in new shells.
    """
    from speedrun.cli.app import app

    script = app.generate_completion(prog_name=PROGRAM, shell=shell)
    if not install:
        print(script)
        return
    path = get_default_completion_path(shell, PROGRAM)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(script, encoding="utf-8", newline="\n")
    if shell != "fish":  # which looks there by itself
        add_to_rc_file(path, PROGRAM, shell)
    print(f"written to {path}; new shells complete the command {PROGRAM}")
