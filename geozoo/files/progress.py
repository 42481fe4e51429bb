"""Progress bars for long-running work."""

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

#: Terminal columns that a bar with its numbers takes next to its description.
_BESIDE = 60
#: Wider than any line: without a terminal, nothing is wrapped or truncated.
_NO_TERMINAL = 4000


def start_bar(
    description: str, total: float | None, *columns: ProgressColumn
) -> tuple[Progress, TaskID]:
    """Create a bar on standard error, not started yet, whose description is never truncated.

    On a terminal that is too narrow for both, the description gets its own line. Without a terminal
    there is no bar, only one line at the end.

    Args:
        description: what is being done.
        total: sum of all steps; None if not known yet.
        columns: columns shown next to the description.
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
    """Show a bar on standard error; yields the function that advances it.

    Args:
        description: what is being done.
        total: sum of all steps.
    """
    columns = (BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    progress, task = start_bar(description, total, *columns)
    with progress:
        yield lambda amount: progress.advance(task, amount)
