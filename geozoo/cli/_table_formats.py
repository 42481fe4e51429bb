"""A benchmark table as text in several formats, and as a picture."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from geozoo.zoo.benchmark_table import BenchmarkTable, Line, is_rising

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: How the rows of geozoo are told from the literature.
OURS = "geozoo"
_LATEX = {c: f"\\{c}" for c in "&%$#_{}"} | {
    "\\": r"\textbackslash{}", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "±": r"$\pm$",
}  # fmt: skip


def show_tables(tables: Sequence[BenchmarkTable], console: Console) -> None:
    """Print tables on the terminal; rows of geozoo are bold."""
    for table in tables:
        shown = Table(*map(escape, head(table)), title=escape(table.title), padding=(0, 1))
        for line in table.lines:
            cells = [escape(cell) for cell in cells_of(table, line)]
            shown.add_row(*cells, style="bold" if line.run else None)
        console.print(shown)


def markdown(tables: Sequence[BenchmarkTable]) -> str:
    """Tables in Markdown."""
    return "\n\n".join(_one_markdown(table) for table in tables)


def _one_markdown(table: BenchmarkTable) -> str:
    names = head(table)
    lines = [f"**{table.title}**", "", _row(names), _row(["---"] * len(names))]
    for line in table.lines:
        first, *rest = (cell.replace("|", r"\|") for cell in cells_of(table, line))
        lines.append(_row([f"**{first}**" if line.run else first, *rest]))
    return "\n".join(lines)


def comma_separated(tables: Sequence[BenchmarkTable]) -> str:
    """All numbers at full precision, a row each."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        ["data", "method", "metric", "unit", "value", "std", "protocol", "source", "run"]
    )
    for table in tables:
        for line in table.lines:
            for metric, value in line.values.items():
                writer.writerow([
                    table.title, line.name, metric, table.units[metric], value,
                    line.deviations.get(metric, ""), line.protocol, line.source, line.run,
                ])  # fmt: skip
    return out.getvalue()


def latex(tables: Sequence[BenchmarkTable]) -> str:
    """Tables for a document with the package ``booktabs``; without protocols, which are long."""
    parts = []
    for table in tables:
        names = head(table)[:-1]
        columns = "l" + "r" * len(table.units) + "l"
        body = [" & ".join(map(_escaped, names)) + r" \\", r"\midrule"]
        for line in table.lines:
            cells = [_escaped(cell) for cell in cells_of(table, line)[:-1]]
            body.append(" & ".join(cells) + r" \\")
        parts.append("\n".join([
            f"% {table.title}", rf"\begin{{tabular}}{{{columns}}}", r"\toprule",
            *body, r"\bottomrule", r"\end{tabular}",
        ]))  # fmt: skip
    return "\n\n".join(parts)


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
    lines.sort(key=lambda line: line.values[metric], reverse=not is_rising(metric))
    for place, line in enumerate(lines):
        axis.errorbar(
            line.values[metric], place, xerr=line.deviations.get(metric), fmt="o",
            color="#c44e52" if line.run else "#4c72b0",
        )  # fmt: skip
    names = [f"{OURS}: {line.name}" if line.run else line.name for line in lines]
    axis.set_yticks(range(len(lines)), [n if len(n) < 60 else f"{n[:57]}..." for n in names])
    if not is_rising(metric):
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.xaxis.set_minor_formatter(NullFormatter())
    axis.grid(axis="x", alpha=0.3)
    axis.set_title(f"{table.title}: {metric} [{table.units[metric]}]", fontsize="medium")


def head(table: BenchmarkTable) -> list[str]:
    """The names of the columns."""
    metrics = [f"{name} [{unit}]" if unit else name for name, unit in table.units.items()]
    return ["method", *metrics, "source", "protocol"]


def cells_of(table: BenchmarkTable, line: Line) -> list[str]:
    """A row of text."""
    name = f"{OURS}: {line.name}" if line.run else line.name
    values = [_number(line, metric) for metric in table.units]
    source = f"{line.source} [{line.run}]" if line.run else line.source
    return [name, *values, source, line.protocol]


def _number(line: Line, metric: str) -> str:
    if metric not in line.values:
        return ""
    deviation = line.deviations.get(metric)
    return f"{line.values[metric]:.4g}" + (f" ± {deviation:.1g}" if deviation is not None else "")


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _escaped(text: str) -> str:
    return "".join(_LATEX.get(c, c) for c in text)
