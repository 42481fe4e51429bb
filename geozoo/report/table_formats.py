"""A benchmark table on the terminal, and as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from geozoo.contracts import measure_of
from geozoo.report.screen import Screen
from geozoo.report.sheet import Column, Sheet
from geozoo.results.benchmark_table import BenchmarkTable
from geozoo.results.table_text import OURS, cells_of, head

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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
    """Draw the numbers on a line each, published and own ones apart by colour.

    Raises:
        ValueError: for a file name whose ending is no picture's.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = [(table, metric) for table in tables for metric in table.units]
    rows = [max(sum(metric in line.values for line in t.lines), 1) for t, metric in panels]
    figure = Figure(figsize=(8, 0.9 * len(panels) + 0.27 * sum(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(panels), 1, squeeze=False, height_ratios=rows)[:, 0]
    for axis, (table, metric) in zip(axes, panels, strict=True):
        _draw(axis, table, metric)
    figure.savefig(path, dpi=150)


def _draw(axis: Axes, table: BenchmarkTable, metric: str) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    lines = [line for line in table.lines if metric in line.values]
    lines.sort(
        key=lambda line: line.values[metric], reverse=not measure_of(metric).higher_is_better
    )
    for place, line in enumerate(lines):
        axis.errorbar(
            line.values[metric], place, xerr=line.deviations.get(metric), fmt="o",
            color="#c44e52" if line.run else "#4c72b0",
        )  # fmt: skip
    names = [f"{OURS}: {line.name}" if line.run else line.name for line in lines]
    axis.set_yticks(range(len(lines)), [n if len(n) < 60 else f"{n[:57]}..." for n in names])
    if not measure_of(metric).higher_is_better:
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.xaxis.set_minor_formatter(NullFormatter())
    axis.grid(axis="x", alpha=0.3)
    axis.set_title(f"{table.title}: {metric} [{table.units[metric]}]", fontsize="medium")
