"""The command line: parse, wire, print; nothing else. A new command is a function in ``commands``."""

import sys
from collections.abc import Sequence

from lrsearch import streams
from lrsearch.cli.stopping import BEFORE, Stopping

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and give its exit status; every error is one line, unless ``--debug`` is given."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    own_process = arguments is None
    streams.keep()
    try:
        return _main(given, own_process)
    finally:
        if not own_process:  # else they stay reserved for what users' code prints at exit
            streams.release()


def _main(given: Sequence[str], own_process: bool) -> int:
    trains = {"run", "resume"} & {*given}
    stopping = Stopping(own_process=own_process, words=BEFORE if trains else "")
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
