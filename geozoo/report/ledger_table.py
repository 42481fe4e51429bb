"""``geozoo results``: a table of the recorded runs."""

from __future__ import annotations

from collections.abc import Sequence

from geozoo.report.screen import Screen
from geozoo.report.sheet import Column, Sheet
from geozoo.results.ledger import Run, select_runs
from geozoo.results.rows import Result, shown_number

#: Number of metrics shown per run.
_SHOWN = 2


def show_results(terms: Sequence[str], screen: Screen) -> None:
    """List the runs that match all search terms, with one line per main metric.

    Args:
        terms: search terms, see `geozoo.results.ledger.select_runs`.
        screen: screen that prints the table.

    Raises:
        ValueError: If no run matches.
    """
    runs = select_runs(terms)
    if not runs:
        raise ValueError(f"no recorded run matches all terms of {' '.join(terms)!r}")
    captions = [Column(name, "caption", is_shared=True) for name in ("data", "training", "run")]
    numbers = ("metric", "value", "baseline", "published")
    table = Sheet(Column("id", "caption", is_shared=True), *numbers, *captions)
    for run in runs:
        for row in main_metrics(run):
            table.add(run.id, *_numbers(row), data_of(row), row.training, run.label)
    screen.show(table)
    screen.note(
        "geozoo reproduce <id> repeats a run; geozoo table <data> compares methods", style="dim"
    )


def main_metrics(run: Run) -> list[Result]:
    """The main metrics: those with a published value first, without per-part details."""
    plain = [row for row in run.results if not row.is_detail] or list(run.results)
    return sorted(plain, key=lambda row: (row.paper_value is None, len(row.metric)))[:_SHOWN]


def data_of(row: Result) -> str:
    """Dataset and variant."""
    return " ".join(filter(None, (row.dataset, row.variant)))


def _numbers(row: Result) -> list[str]:
    baseline = "" if row.baseline is None else f"{row.baseline:.4g}"
    paper = "" if row.paper_value is None else f"{row.paper_value:g}"
    metric = f"{row.metric} [{row.unit}]" if row.unit else row.metric
    return [metric, shown_number(row.value, row.std), baseline, paper]
