"""The results tables of the model cards, generated from the result rows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from geozoo.results.rows import Result, read_results

BEGIN = "<!-- results: made from results.csv by `geozoo cards` -->"
END = "<!-- end of results -->"
_HEAD = (
    "variant", "metric", "unit", "this library", "baseline", "published", "recipe", "seeds",
    "training",
)  # fmt: skip


def results_table(results: Sequence[Result]) -> str:
    """Markdown tables, one per dataset and protocol.

    Numbers under different protocols never share a table.
    """
    ordered = sorted(results, key=lambda r: (r.dataset, r.split, r.variant, r.recipe, r.metric))
    parts = []
    for (dataset, split), rows in groupby(ordered, key=lambda r: (r.dataset, r.split)):
        lines = [f"**{dataset}**, split: {split}", "", _line(_HEAD), _line(["---"] * len(_HEAD))]
        parts.append("\n".join([*lines, *(_line(_cells(row)) for row in rows)]))
    return "\n\n".join(parts) if parts else "No finished run has been recorded yet."


def updated_card(text: str, table: str, *, begin: str = BEGIN, end: str = END) -> str:
    """The card with a new table between its markers.

    Args:
        text: the card.
        table: the new table.
        begin: marker line before the table.
        end: marker line after the table.

    Raises:
        ValueError: If the card does not contain each marker exactly once.
    """
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise ValueError(f"the card must contain the lines {begin!r} and {end!r} exactly once")
    before, after = text.split(begin)[0], text.split(end)[1]
    return f"{before}{begin}\n\n{table}\n\n{end}{after}"


def current_card(folder: Path) -> str:
    """The up-to-date README of a model's folder, given its ``results.csv``.

    Raises:
        ValueError: If the markers are missing.
    """
    text = (folder / "README.md").read_text(encoding="utf-8")
    return updated_card(text, results_table(read_results(folder / "results.csv")))


def _cells(row: Result) -> list[str]:
    value = f"{row.value:.3g}" + (f" ± {row.std:.1g}" if row.std is not None else "")
    paper = "" if row.paper_value is None else f"{row.paper_value:g} ({row.paper_ref})"
    baseline = "" if row.baseline is None else f"{row.baseline:.3g}"
    return [
        row.variant, row.metric, row.unit, value, baseline, paper, row.recipe, row.seeds,
        row.training,
    ]  # fmt: skip


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
