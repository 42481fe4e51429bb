"""``geozoo results``: the recorded runs on the screen."""

from __future__ import annotations

from collections.abc import Sequence

from geozoo.report.screen import Screen
from geozoo.report.sheet import Column, Sheet
from geozoo.results.ledger import Run, select_runs
from geozoo.results.rows import Result, shown_number

#: Metrics of a run that are shown.
_SHOWN = 2


def show_results(words: Sequence[str], screen: Screen) -> None:
    """List the runs that all words occur in, a line for each of their main metrics.

    Args:
        words: see `geozoo.results.ledger.select_runs`.
        screen: where to.

    Raises:
        ValueError: when there is no such run.
    """
    runs = select_runs(words)
    if not runs:
        raise ValueError(f"no recorded run has all of the words {' '.join(words)!r}")
    captions = [Column(name, "caption", is_shared=True) for name in ("data", "training", "run")]
    numbers = ("metric", "value", "baseline", "published")
    table = Sheet(Column("id", "caption", is_shared=True), *numbers, *captions)
    for run in runs:
        for row in main_metrics(run):
            table.add(run.id, *_numbers(row), data_of(row), row.training, run.label)
    screen.show(table)
    screen.note("geozoo reproduce <id> runs one again; geozoo table <data> compares", style="dim")


def main_metrics(run: Run) -> list[Result]:
    """The metrics that say most: those with a published number first, no repetitions."""
    plain = [row for row in run.results if not row.is_detail] or list(run.results)
    return sorted(plain, key=lambda row: (row.paper_value is None, len(row.metric)))[:_SHOWN]


def data_of(row: Result) -> str:
    """Data set and variant."""
    return " ".join(filter(None, (row.dataset, row.variant)))


def _numbers(row: Result) -> list[str]:
    baseline = "" if row.baseline is None else f"{row.baseline:.4g}"
    paper = "" if row.paper_value is None else f"{row.paper_value:g}"
    metric = f"{row.metric} [{row.unit}]" if row.unit else row.metric
    return [metric, shown_number(row.value, row.std), baseline, paper]
