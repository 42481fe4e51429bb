"""Report files and terminal output at the end of a run."""

from __future__ import annotations

import csv

from geozoo.figures import Figure
from geozoo.report.page import write_page
from geozoo.report.screen import Screen
from geozoo.report.summary import part_metrics, show_summary
from geozoo.results.rows import write_results
from geozoo.runs.outcome import RunOutcome
from geozoo.runs.prepare import is_main_process
from geozoo.runs.result import result_rows


def report(outcome: RunOutcome, screen: Screen) -> None:
    """Write result, figures, page and summary of a finished run, and print the summary."""
    if not is_main_process():
        return
    assert outcome.folder is not None
    if outcome.is_tested:  # first: a figure that fails must not lose the metrics
        write_results(outcome.folder.result, result_rows(outcome))
        _write_parts(outcome)
    write_page(outcome, draw(outcome))
    show_summary(outcome, screen)


def _write_parts(outcome: RunOutcome) -> None:
    """Write the metrics of each part of the test set, at full precision."""
    assert outcome.folder is not None
    units, parts = part_metrics(outcome), outcome.tested.parts
    if not parts:
        outcome.folder.parts.unlink(missing_ok=True)  # of an earlier test
        return
    with outcome.folder.parts.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["test file", *(f"{name} [{unit}]" for name, unit in units.items())])
        for part, values in parts.items():
            writer.writerow([part, *(values.get(name, "") for name in units)])


def draw(outcome: RunOutcome) -> list[Figure]:
    """Draw the figures of a run's task into its folder.

    Raises:
        ValueError: If two figures have the same name, and thus the same file.
    """
    assert outcome.folder is not None
    figures = outcome.task.figures(outcome)
    names = [figure.name for figure in figures]
    if repeated := {name for name in names if names.count(name) > 1}:
        kind = type(outcome.task).__name__
        raise ValueError(
            f"figures of {kind} must have different names, got {sorted(repeated)} twice"
        )
    for figure in figures:
        figure.draw(outcome.folder.path / figure.file_name)
    return figures
