"""Benchmark tables on the terminal and as images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from geozoo.contracts import measure_of
from geozoo.figures import NumberPanel, PlottedNumber, plot_numbers
from geozoo.report.screen import Screen
from geozoo.report.sheet import Column, Sheet
from geozoo.results.benchmark_table import BenchmarkTable
from geozoo.results.table_text import OURS, cells_of, head


def show_tables(tables: Sequence[BenchmarkTable], screen: Screen) -> None:
    """Print tables; rows of geozoo are bold."""
    for number, table in enumerate(tables):
        if number:
            screen.result("")
        screen.show(_sheet(table))


def _sheet(table: BenchmarkTable) -> Sheet:
    method, *metrics, source, protocol = head(table)
    about = [Column(name, "caption") for name in (source, protocol)]
    shown = Sheet(Column(method, "caption"), *metrics, *about, title=table.title)
    for line in table.lines:
        shown.add(*cells_of(table, line), style="bold" if line.run else "")
    return shown


def draw_tables(tables: Sequence[BenchmarkTable], path: Path) -> None:
    """Plot the values, with published and own results in different colours.

    Raises:
        ValueError: If the file extension is not an image format.
    """
    panels = [_panel(table, metric) for table in tables for metric in table.units]
    plot_numbers(panels, path)


def _panel(table: BenchmarkTable, metric: str) -> NumberPanel:
    numbers = [
        PlottedNumber(
            f"{OURS}: {line.name}" if line.run else line.name, line.values[metric],
            line.deviations.get(metric), is_own=bool(line.run),
        )
        for line in table.lines
        if metric in line.values
    ]  # fmt: skip
    title = f"{table.title}: {metric} [{table.units[metric]}]"
    return NumberPanel(title, numbers, bool(measure_of(metric).higher_is_better))
