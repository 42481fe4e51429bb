"""What a command says: its results on one stream, everything about them on the other."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from geozoo.report.sheet import Sheet


class Screen:
    """The two streams of a command.

    Results, and the paths of the files that a command was asked to write, go to the standard
    output; progress, notes, warnings and errors to the standard error. No line is folded or cut:
    a terminal folds by itself what is too long for it, and what is copied from there is whole.

    Args:
        is_quiet: say nothing, for all processes of a run but one.
    """

    def __init__(self, *, is_quiet: bool = False) -> None:
        self.out = Console(highlight=False, quiet=is_quiet)
        self.err = Console(highlight=False, quiet=is_quiet, stderr=True)

    @property
    def width(self) -> int | None:
        """Columns of the terminal that shows the results; None for a pipe, a file or a log."""
        return self.out.width if self.out.file.isatty() else None

    @property
    def has_bars(self) -> bool:
        """Whether the progress of a training can be drawn: on the standard error, a terminal."""
        return self.err.file.isatty() and self.err.is_terminal

    def result(self, text: object, *, style: str = "") -> None:
        """Say what was asked for."""
        _print(self.out, text, style)

    def show(self, sheet: Sheet) -> None:
        """Print a table that was asked for."""
        for line in sheet.lines(self.width):
            _print(self.out, line)

    def note(self, text: object, *, style: str = "") -> None:
        """Say something about what is done."""
        _print(self.err, text, style)

    def error(self, program: str, text: str) -> None:
        """Say what is wrong."""
        self.note(Text.assemble((f"{program}: ", "bold red"), text))


def _print(console: Console, text: object, style: str = "") -> None:
    shown = text if isinstance(text, Text) else Text(str(text))
    console.print(shown, style=style or None, soft_wrap=True)
