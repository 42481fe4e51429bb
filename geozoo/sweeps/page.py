"""The files of a finished sweep: report with pictures, table as CSV, everything as JSON."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from geozoo.figures import Figure, NumberPanel, PlottedNumber, StepPanel, plot_numbers, plot_steps
from geozoo.machine.provenance import versions
from geozoo.report.sheet import Sheet
from geozoo.report.simulation import SimulationPage
from geozoo.sweeps.comparison import Contender, EqualTime
from geozoo.sweeps.curve import Curve
from geozoo.sweeps.settings import write_json


def write_sweep(
    folder: Path, name: str, *, title: str, command: str, sheet: Sheet, answer: str,
    warnings: Sequence[str], figures: Sequence[Figure], facts: Mapping[str, str],
    values: Mapping[str, Any],
) -> list[Path]:  # fmt: skip
    """Write ``report.html`` with the figures, ``<name>.csv`` and ``<name>.json``.

    Args:
        folder: folder of the sweep.
        name: name of the files.
        title: heading of the report.
        command: the command line.
        sheet: the table.
        answer: the result in words.
        warnings: what the reader should know first.
        figures: the figures.
        facts: settings by name.
        values: content of the JSON file.
    """
    table, numbers = folder / f"{name}.csv", folder / f"{name}.json"
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([column.name for column in sheet.columns])
        writer.writerows(sheet.rows)
    write_json(numbers, values)
    page = SimulationPage(
        title=title, command=command, results=sheet, facts=dict(facts),
        versions={key: str(value) for key, value in versions().items()}, figures=figures,
        warnings=warnings, answer=answer,
    )  # fmt: skip
    return [page.write(folder), table, numbers]


def comparison_figures(found: EqualTime) -> list[Figure]:
    """The error against the training time, and the test errors with their spread."""
    name, unit = found.deciding, found.unit(found.deciding)
    lines = {each.name: line for each in found.ranked() if (line := _line(each, name))}
    figures = []
    if lines:
        panel = StepPanel(unit, lines, is_logarithmic=found.direction == "min")
        figures.append(Figure(
            "error_against_time",
            f"Validation {name} against training time in minutes, mean over the seeds",
            lambda path: plot_steps(
                {name: panel}, path, along="minutes", is_logarithmic_along=True
            ),
        ))  # fmt: skip
    if found.runs:
        panels = [_panel(found, each) for each in found.metrics]
        figures.append(Figure(
            "test_errors", "Test metrics: mean and standard deviation over the seeds",
            lambda path: plot_numbers(panels, path),
        ))  # fmt: skip
    return figures


def _line(each: Contender, metric: str) -> tuple[list[float], list[float]] | None:
    """Minutes and mean validation metric over the runs of a model."""
    clock = each.cost.clock if each.cost is not None else "wall"
    found: dict[int, list[float]] = {}
    for run in each.runs:
        for epoch, value in zip(*run.curves.get(metric, ([], [])), strict=True):
            found.setdefault(epoch, []).append(value)
    if not found or not any(run.epochs for run in each.runs):
        return None
    minutes = mean(run.time(clock) / 60 / max(run.epochs, 1) for run in each.runs)
    epochs = sorted(found)
    return [epoch * minutes for epoch in epochs], [mean(found[epoch]) for epoch in epochs]


def _panel(found: EqualTime, metric: str) -> NumberPanel:
    from geozoo.contracts import measure_of

    numbers = []
    for each in found.contenders:
        if values := each.values(metric):
            numbers.append(PlottedNumber(each.name, mean(values), _deviation(values), is_own=True))
    if (baseline := found.baseline(metric)) is not None:
        numbers.append(PlottedNumber("trivial baseline", baseline))
    return NumberPanel(
        f"{metric} ({found.unit(metric)})", numbers,
        higher_is_better=bool(measure_of(metric).higher_is_better),
    )  # fmt: skip


def _deviation(values: Sequence[float]) -> float | None:
    from statistics import stdev

    return stdev(values) if len(values) > 1 else None


def curve_figures(curve: Curve) -> list[Figure]:
    """The errors of all sizes and the fitted power law, on logarithmic axes."""
    panels = {}
    for name in curve.metrics:
        points = {size: mean(values) for size, values in curve.values(name).items() if values}
        if len(points) < 2:
            continue
        sizes = sorted(points)
        lines: dict[str, tuple[Sequence[float], Sequence[float]]] = {
            curve.model: (sizes, [points[size] for size in sizes])
        }
        if (law := curve.law(name)) is not None:
            lines[f"b = {law.shown()}"] = (sizes, [law.at(size) for size in sizes])
        panels[name] = StepPanel(curve.unit(name), lines, is_logarithmic=law is not None)
    if not panels:
        return []
    return [Figure(
        "learning_curve", "Test error against the number of training samples, mean over the seeds",
        lambda path: plot_steps(
            panels, path, along="training samples", is_logarithmic_along=True
        ),
    )]  # fmt: skip
