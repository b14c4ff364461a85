"""Entry point of the command line, ready for signals before anything heavy is imported."""

import contextlib
import sys
from typing import NoReturn

from speedrun.distributed.launcher import launched
from speedrun.system.interrupts import Stopping


def main() -> NoReturn:
    """Run the command of this process's arguments."""
    stopping = Stopping(until_exit=True)
    with contextlib.suppress(ValueError):  # of the launcher's variables: reported later
        if (started := launched()) is not None and started.local_rank > 0:
            stopping.claim()  # another process of this race speaks for all
    with stopping:
        try:
            from speedrun.cli.app import main
        except KeyboardInterrupt:
            if (line := stopping.claim()) and sys.stderr is not None:
                print(line, file=sys.stderr)
            sys.exit(stopping.exit_code)
        main()
