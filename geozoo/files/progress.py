"""Progress bars for work that takes more than a moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

#: Columns that a bar with its numbers takes beside its description.
_BESIDE = 60
#: Wider than any line, where there is no terminal to fold or cut it.
_NO_TERMINAL = 4000


def start_bar(
    description: str, total: float | None, *columns: ProgressColumn
) -> tuple[Progress, TaskID]:
    """A bar on the error stream, still to be started, whose description is never cut.

    It has a line of its own on a terminal that is too narrow for both. Without a terminal there is
    no bar: one line says at the end what was done.

    Args:
        description: what is going on.
        total: what the steps will add up to; None: not known yet.
        columns: what is shown beside the description.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        console = Console(stderr=True, width=_NO_TERMINAL)
        columns = tuple(column for column in columns if not isinstance(column, BarColumn))
    if len(description) + _BESIDE > console.width:
        console.print(Text(description), soft_wrap=True)
        description = ""
    progress = Progress(TextColumn("{task.description}", markup=False), *columns, console=console)
    return progress, progress.add_task(description, total=total)


@contextmanager
def progress_bar(description: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar on the error stream; the function that is yielded moves it on.

    Args:
        description: what is going on.
        total: what the steps will add up to.
    """
    columns = (BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    progress, task = start_bar(description, total, *columns)
    with progress:
        yield lambda amount: progress.advance(task, amount)
