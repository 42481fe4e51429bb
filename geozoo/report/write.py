"""Files and screen at the end of a run."""

from __future__ import annotations

import numpy as np

from geozoo.data import GraphDataModule, Traffic
from geozoo.report.class_plots import plot_confusion
from geozoo.report.forecast_plots import plot_forecast
from geozoo.report.molecules import plot_molecules
from geozoo.report.page import write_page
from geozoo.report.plots import plot_errors, plot_loss, plot_parity
from geozoo.report.screen import Screen
from geozoo.report.summary import show_summary
from geozoo.report.worst_plots import plot_worst
from geozoo.results.rows import write_results
from geozoo.runs.metrics_file import read_metrics
from geozoo.runs.outcome import RunOutcome
from geozoo.runs.prepare import is_main_process
from geozoo.runs.result import result_rows
from geozoo.tasks import Classification, Forecasting, Generation


def report(outcome: RunOutcome, screen: Screen) -> None:
    """Write result, pictures, page and summary of a finished run, and print the summary."""
    if not is_main_process():
        return
    if outcome.tested.metrics:  # first: a picture that fails must not cost the numbers
        write_results(outcome.folder.result, result_rows(outcome))
    _draw(outcome)
    write_page(outcome)
    show_summary(outcome, screen)


def _draw(outcome: RunOutcome) -> None:
    """The pictures of a run, as far as there is something to see."""
    folder, task = outcome.folder, outcome.task
    pairs, units = task.parity.pairs(), task.quantity_units()
    if task.is_trained:  # else there are no epochs
        plot_loss(read_metrics(folder), folder.path / "loss.png", units=task.metric_units())
    plot_parity(pairs, folder.path / "parity.png", units=units)
    plot_errors(pairs, folder.path / "errors.png", units=units)
    plot_worst(task, outcome.datamodule.store, folder.path / "worst.png")
    if isinstance(task, Forecasting) and outcome.tested.metrics:
        plot_forecast(task, folder.path, _coordinates(outcome.datamodule))
    if isinstance(task, Classification) and outcome.tested.metrics:
        classes = task.spec.statistics.get("classes", range(task.spec.out_channels))
        counts = task.confusion.compute().cpu()
        plot_confusion(counts, folder.path / "confusion.png", classes=[str(c) for c in classes])
    if isinstance(task, Generation) and task.samples is not None:
        plot_molecules(task.samples, folder.path / "samples.png")


def _coordinates(datamodule: GraphDataModule) -> np.ndarray | None:
    """Where the sensors of a series are, if it is one and says so."""
    return datamodule.series.coordinates if isinstance(datamodule, Traffic) else None
