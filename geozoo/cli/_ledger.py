"""``geozoo results``: the recorded runs on the screen."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from geozoo.zoo.ledger import Run, select_runs
from geozoo.zoo.results import Result, shown_number

#: Metrics of a run that are shown.
_SHOWN = 2


def show_results(words: Sequence[str], console: Console) -> None:
    """List the runs that all words occur in, a line for each of their main metrics.

    Args:
        words: see `geozoo.zoo.ledger.select_runs`.
        console: where to.

    Raises:
        ValueError: when there is no such run.
    """
    runs = select_runs(words)
    if not runs:
        raise ValueError(f"no recorded run has all of the words {' '.join(words)!r}")
    table = Table(
        "id", "run", "data", "metric", "value", "without a model", "published", "training",
        padding=(0, 1), show_lines=False,
    )  # fmt: skip
    for run in runs:
        for number, row in enumerate(main_metrics(run)):
            told = (run.id, run.label, data_of(row)) if number == 0 else ("", "", "")
            table.add_row(*told, *_numbers(row), training_of(row) if number == 0 else "")
    console.print(table)
    console.print("geozoo reproduce <id> runs one again; geozoo table <data> compares", style="dim")


def main_metrics(run: Run) -> list[Result]:
    """The metrics that say most: those with a published number first, no repetitions."""
    plain = [row for row in run.results if not row.is_detail] or list(run.results)
    return sorted(plain, key=lambda row: (row.paper_value is None, len(row.metric)))[:_SHOWN]


def data_of(row: Result) -> str:
    """Data set and variant."""
    return " ".join(filter(None, (row.dataset, row.variant)))


def training_of(row: Result) -> str:
    """Length and hardware of the training."""
    return f"{row.training_length}, {row.device}" if row.wall_time_s else row.training_length


def _numbers(row: Result) -> list[str]:
    baseline = "" if row.baseline is None else f"{row.baseline:.4g}"
    paper = "" if row.paper_value is None else f"{row.paper_value:g}"
    return [" ".join(filter(None, (row.metric, row.unit and f"[{row.unit}]"))).replace("[", "\\["),
            shown_number(row.value, row.std), baseline, paper]  # fmt: skip
