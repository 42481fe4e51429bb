"""Files and screen at the end of a run."""

from __future__ import annotations

from rich.console import Console

from geozoo.cli._class_plots import plot_confusion
from geozoo.cli._forecast_plots import plot_forecast
from geozoo.cli._metrics_file import read_metrics
from geozoo.cli._molecules import plot_molecules
from geozoo.cli._plots import plot_loss, plot_parity
from geozoo.cli._prepare import is_main_process
from geozoo.cli._result import result_rows
from geozoo.cli._summary import show_summary
from geozoo.cli._training import Outcome
from geozoo.tasks import Classification, Forecasting, Generation
from geozoo.zoo.results import write_results


def report(outcome: Outcome, console: Console) -> None:
    """Write plots, result and summary of a finished run, and print the summary."""
    if not is_main_process():
        return
    folder, task = outcome.folder, outcome.task
    if outcome.test:  # first: a picture that fails must not cost the numbers
        write_results(folder.result, result_rows(outcome))
    plot_loss(read_metrics(folder), folder.path / "loss.png", units=task.metric_units())
    plot_parity(task.parity.pairs(), folder.path / "parity.png", units=task.quantity_units())
    if isinstance(task, Forecasting) and outcome.test:
        plot_forecast(task, folder.path, outcome.coordinates)
    if isinstance(task, Classification) and outcome.test:
        classes = task.spec.statistics.get("classes", range(task.spec.out_channels))
        counts = task.confusion.compute().cpu()
        plot_confusion(counts, folder.path / "confusion.png", classes=[str(c) for c in classes])
    if isinstance(task, Generation) and task.samples is not None:
        plot_molecules(task.samples, folder.path / "samples.png")
    show_summary(outcome, console)
