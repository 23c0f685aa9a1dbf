"""The command line: parse, wire, print; nothing else. A new command is a function in ``commands``."""

import sys
from collections.abc import Sequence

from lrsearch.cli.stopping import BEFORE, Stopping

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and give its exit status; every error is one line, unless ``--debug`` is given."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    trains = {"run", "resume"} & {*given}
    stopping = Stopping(own_process=arguments is None, words=BEFORE if trains else "")
    try:
        with stopping:
            from lrsearch.cli.entry import (
                run_command,
            )  # imports for some tenths of a second: a signal may fall into it

            status = run_command(given)
    except BaseException:
        if stopping.came is None:
            raise
        status = 130
    if stopping.came is not None and status != 0:
        return stopping.end(getattr(stopping.came, "exit_status", 130))
    return status
