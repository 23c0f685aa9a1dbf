"""The entry point: every error is one line, every end an exit status."""

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

import typer

from lrsearch import streams
from lrsearch.cli.commands import app
from lrsearch.cli.output import say as say_anything
from lrsearch.cli.running import StoppedError
from lrsearch.cli.stopping import say_stopped, was_stopped
from lrsearch.errors import LRSearchError


def run_command(given: Sequence[str]) -> int:
    """Run the command line and give its exit status; every error is one line, unless ``--debug`` is given."""
    debug = "--debug" in given
    # Wherever it stands on the line: people add it to the end of what just failed.
    hidden = _hiding_passwords(given)

    def say(line: str) -> None:
        say_anything(hidden(line))

    def show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        say("".join(traceback.format_exception(kind, error, trace)).rstrip())

    given = ["--debug"] * debug + [argument for argument in given if argument != "--debug"] or ["--help"]
    try:
        status = app(given, prog_name="lrsearch", standalone_mode=False)
        streams.stdout().flush()
        sys.stdout.flush()  # here, where a reader that has gone is still nothing to speak of
    except typer.Abort:
        return 130
    except StoppedError as stopped:
        say_stopped(str(stopped))
        return stopped.exit_status
    except LRSearchError as error:
        if debug:
            say(getattr(error, "traceback", ""))
            raise
        say(str(error))
        return error.exit_status
    except BrokenPipeError:
        return _nobody_reads()
    except SystemExit as leaving:
        # How the parser and rich leave when the pipe is broken.
        if isinstance(leaving.__context__, BrokenPipeError):
            return _nobody_reads()
        raise
    except Exception as error:
        if was_stopped():  # whatever became of the interrupt
            return 130
        # What the parser refuses; its class is typer's in newer releases and click's in older ones.
        if hasattr(error, "format_message") and isinstance(getattr(error, "exit_code", None), int):
            return _refused(error, say)
        if debug:
            raise
        what = " ".join(str(error).split())[:300]
        say(f"lrsearch failed: {type(error).__name__}: {what}; run it again with --debug to see where")
        return 1
    finally:
        if debug:
            sys.excepthook = show  # at last, as the parser sets one of its own when it is called
    return status if isinstance(status, int) else 0


def _hiding_passwords(given: Sequence[str]) -> Callable[[str], str]:
    """Give what takes the passwords of the storage URLs that are given out of a text: drivers repeat them in errors."""
    words = [*given, os.environ.get("LRSEARCH_STORAGE", "")]
    urls = [word.partition("=")[2] if word.startswith("-") else word for word in words if "://" in word]

    def hidden(text: str) -> str:
        if urls:
            from lrsearch.store.url import without_secrets  # imports SQLAlchemy

            for url in urls:
                text = without_secrets(text, url)
        return text

    return hidden


def _nobody_reads() -> int:
    """The reader of standard output has gone (``| head``): nothing to say, and nobody to say it to."""
    for stream in (sys.stdout, streams.stdout()):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return 0


def _refused(error: Any, say: Callable[[str], None]) -> int:
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "lrsearch"
    # pydantic's words, where an option's values are checked by it.
    message = " ".join(error.format_message().replace("Value error, ", "").split()).rstrip(".")
    say(f"{command}: {message[:1].lower()}{message[1:]}; see {command} --help")
    return int(error.exit_code)
