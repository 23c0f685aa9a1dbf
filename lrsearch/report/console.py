"""The console of lrsearch's own output."""

import os
from contextlib import suppress
from typing import TextIO

from rich.console import Console, ConsoleDimensions


class OwnConsole(Console):
    """A console as wide as the terminal that it writes to, wherever users' code has descriptors 0, 1 and 2 meanwhile.

    Args:
        file: one of lrsearch's own streams.
    """

    def __init__(self, file: TextIO) -> None:
        super().__init__(file=file)

    @property
    def size(self) -> ConsoleDimensions:
        """The columns and lines: those of the environment, of its terminal, or as rich finds them."""
        found = super().size
        if self._width is None and not self.is_dumb_terminal:
            with suppress(AttributeError, OSError, ValueError):
                columns, lines = os.get_terminal_size(self.file.fileno())
                return ConsoleDimensions(columns or found.width, self._height or lines or found.height)
        return found

    @size.setter
    def size(self, new_size: tuple[int, int]) -> None:
        self._width, self._height = new_size
