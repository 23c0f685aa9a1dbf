"""The command line: parse, wire, print; nothing else. A new command is a function in ``commands``."""

from lrsearch.cli.entry import main

__all__ = ["main"]
