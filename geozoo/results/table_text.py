"""Benchmark tables as text: Markdown, CSV, LaTeX."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from geozoo.results.benchmark_table import BenchmarkTable, Line
from geozoo.results.rows import shown_number

#: Prefix that marks rows of geozoo among those of the literature.
OURS = "geozoo"
_LATEX = {c: f"\\{c}" for c in "&%$#_{}"} | {
    "\\": r"\textbackslash{}", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "±": r"$\pm$",
}  # fmt: skip


def markdown(tables: Sequence[BenchmarkTable]) -> str:
    """Tables as Markdown."""
    return "\n\n".join(_one_markdown(table) for table in tables)


def _one_markdown(table: BenchmarkTable) -> str:
    names = head(table)
    lines = [f"**{table.title}**", "", _row(names), _row(["---"] * len(names))]
    for line in table.lines:
        first, *rest = (cell.replace("|", r"\|") for cell in cells_of(table, line))
        lines.append(_row([f"**{first}**" if line.run else first, *rest]))
    return "\n".join(lines)


def comma_separated(tables: Sequence[BenchmarkTable]) -> str:
    """All numbers as CSV, at full precision, one per row."""
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
    """Tables as LaTeX (package ``booktabs``), without the protocols, which are long."""
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


def head(table: BenchmarkTable) -> list[str]:
    """The column names."""
    metrics = [f"{name} [{unit}]" if unit else name for name, unit in table.units.items()]
    return ["method", *metrics, "source", "protocol"]


def cells_of(table: BenchmarkTable, line: Line) -> list[str]:
    """The cells of a row as text."""
    name = f"{OURS}: {line.name}" if line.run else line.name
    values = [_number(line, metric) for metric in table.units]
    source = f"{line.source} [{line.run}]" if line.run else line.source
    return [name, *values, source, line.protocol]


def _number(line: Line, metric: str) -> str:
    if metric not in line.values:
        return ""
    return shown_number(line.values[metric], line.deviations.get(metric))


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _escaped(text: str) -> str:
    return "".join(_LATEX.get(c, c) for c in text)
