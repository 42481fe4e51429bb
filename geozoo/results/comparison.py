"""Comparison tables on dataset cards."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby

from geozoo.config._entries import Entry, entries
from geozoo.results.benchmark_table import benchmark_tables
from geozoo.results.cards import updated_card
from geozoo.results.published import all_published
from geozoo.results.rows import Result, read_results
from geozoo.results.table_text import markdown

BEGIN = "<!-- comparison: made from the results of all models by `geozoo cards` -->"
END = "<!-- end of comparison -->"
_HORIZON = re.compile(r"_(mae|rmse|mape)_(\d+)min$")


def comparison_table(results: Sequence[tuple[str, Result]]) -> str:
    """Markdown: a row per model and recipe, MAE / RMSE / MAPE at each horizon and over all steps.

    Protocols never share a table; the best value of each column is bold.

    Args:
        results: model names with their result rows.
    """
    parts = []
    ordered = sorted(results, key=lambda pair: (pair[1].split, pair[0], pair[1].recipe))
    for split, rows in groupby(ordered, key=lambda pair: pair[1].split):
        parts.append(f"Protocol: {split}\n\n{_one_table(list(rows))}")
    return "\n\n".join(parts) if parts else "No finished run has been recorded yet."


def current_dataset_card(entry: Entry) -> str | None:
    """The up-to-date card of a dataset; None if the card has no markers.

    Forecasters are compared by horizon, all other results next to numbers from the literature.
    """
    text = (entry.folder / "README.md").read_text(encoding="utf-8")
    if BEGIN not in text:
        return None
    rows = [
        (model.name, row)
        for model in entries("model")
        for row in read_results(model.folder / "results.csv")
        if row.dataset == entry.name
    ]
    has_published = any(row.dataset == entry.name for row in all_published())
    parts = []
    if any(_HORIZON.search(row.metric) for _, row in rows) or not has_published:
        parts.append(comparison_table(rows))
    if has_published:
        parts.append(markdown(benchmark_tables(entry.name)))
    return updated_card(text, "\n\n".join(parts), begin=BEGIN, end=END)


def _one_table(rows: list[tuple[str, Result]]) -> str:
    minutes = sorted({int(m[2]) for _, row in rows if (m := _HORIZON.search(row.metric))})
    columns = [*(f"_{minute}min" for minute in minutes), ""]
    runs: dict[tuple[str, str, str], dict[str, Result]] = {}
    for model, row in rows:
        runs.setdefault((model, row.recipe, row.seeds), {})[_measure(row.metric)] = row
    best = {
        f"{measure}{column}": min(
            run[f"{measure}{column}"].value for run in runs.values() if f"{measure}{column}" in run
        )
        for measure in ("mae", "rmse", "mape")
        for column in columns
        if any(f"{measure}{column}" in run for run in runs.values())
    }
    head = ["model", *(f"{minute} min" for minute in minutes), "all steps", "training"]
    lines = [head, ["---"] * len(head)]
    ordered = sorted(runs.items(), key=lambda item: -item[1]["mae"].value)
    for (model, recipe, _), run in ordered:
        first = next(iter(run.values()))
        changes = recipe.removeprefix(f"{model}-{first.dataset}").removeprefix(" without recipe")
        name = f"{model} ({changes.lstrip('_, ')})" if changes else model
        cells = [_cell(run, column, best) for column in columns]
        lines.append([name, *cells, first.training_length])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _measure(metric: str) -> str:
    """``speed_mae_15min`` without the quantity."""
    return metric.partition("_")[2]


def _cell(run: dict[str, Result], column: str, best: dict[str, float]) -> str:
    shown = []
    for measure in ("mae", "rmse", "mape"):
        row = run.get(f"{measure}{column}")
        if row is None:
            shown.append("-")
            continue
        text = f"{row.value:.2f}" + ("%" if measure == "mape" else "")
        shown.append(f"**{text}**" if row.value == best[f"{measure}{column}"] else text)
    return " / ".join(shown)
