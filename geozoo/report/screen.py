"""Output of a command: results on standard output, messages on standard error."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from geozoo.report.sheet import Sheet


class Screen:
    """The two output streams of a command.

    Results, and the paths of written files, go to standard output; progress, notes, warnings and
    errors go to standard error. Lines are neither wrapped nor truncated: the terminal wraps long
    lines itself, and text copied from it is complete.

    Args:
        is_quiet: print nothing; for all processes of a run except one.
    """

    def __init__(self, *, is_quiet: bool = False) -> None:
        self.out = Console(highlight=False, quiet=is_quiet)
        self.err = Console(highlight=False, quiet=is_quiet, stderr=True)

    @property
    def width(self) -> int | None:
        """Width of the terminal that shows the results; None for a pipe, a file or a log."""
        return self.out.width if self.out.file.isatty() else None

    @property
    def has_bars(self) -> bool:
        """Whether a progress bar can be drawn: whether standard error is a terminal."""
        return self.err.file.isatty() and self.err.is_terminal

    def result(self, text: object, *, style: str = "") -> None:
        """Print a result to standard output."""
        _print(self.out, text, style)

    def show(self, sheet: Sheet) -> None:
        """Print a table to standard output."""
        for line in sheet.lines(self.width):
            _print(self.out, line)

    def note(self, text: object, *, style: str = "") -> None:
        """Print a message to standard error."""
        _print(self.err, text, style)

    def error(self, program: str, text: str) -> None:
        """Print an error message to standard error."""
        self.note(Text.assemble((f"{program}: ", "bold red"), text))


def _print(console: Console, text: object, style: str = "") -> None:
    shown = text if isinstance(text, Text) else Text(str(text))
    console.print(shown, style=style or None, soft_wrap=True)
