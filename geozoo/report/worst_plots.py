"""What a model gets most wrong, drawn."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from torch import Tensor, nan

from geozoo.data import WindowBatch
from geozoo.data.loader import Store
from geozoo.report.panels import Panels
from geozoo.report.plots import legend_above
from geozoo.report.structure_plots import draw_structure, vector_drawn
from geozoo.tasks import Classification, Forecasting, GraphTask

#: Inches of a graph, of the legends below it, and of a line of the title above.
_GRAPH, _LEGENDS, _LINE = 2.8, 0.6, 0.18


def plot_worst(task: GraphTask, store: Store, path: Path) -> None:
    """Draw the graphs or windows of the last test with the largest errors, worst first.

    Args:
        task: the tested task.
        store: the data that it was tested on.
        path: the PNG file; not written when the task keeps no such cases.
    """
    worst = task.worst
    if not len(worst.index):
        return
    batch = store.gather(worst.index).to(task.device)
    predictions, targets = task.predict_tested(batch), task.targets(batch)
    if isinstance(batch, WindowBatch):
        assert isinstance(task, Forecasting)
        panels = Panels(len(worst.index), height=3.4)
        _draw_windows(panels.axes, batch, predictions[task.spec.target].cpu(), task)
    else:
        own = {name: value.cpu() for name, value in predictions.items()}
        true = {name: value.cpu() for name, value in targets.items()}
        panels = _graphs(batch.to("cpu"), own, true, task)
    panels.save(path)


def _draw_windows(
    panels: list[Axes], batch: WindowBatch, forecast: Tensor, task: Forecasting
) -> None:
    """Of each window the sensor with the largest error: input, target and forecast."""
    seen = batch.x[..., 0].masked_fill(~batch.x_observed, nan).cpu()
    truth = batch.y.masked_fill(~batch.y_observed, nan).cpu()
    errors = (forecast - truth).abs().nanmean(1).nan_to_num(-1.0)
    unit, interval = task.spec.units["y"], task.spec.interval
    names = task.spec.record.sensors or range(seen.shape[-1])
    before = interval * np.arange(1 - seen.shape[1], 1)
    ahead = interval * np.arange(1, truth.shape[1] + 1)
    for number, sensor in enumerate(errors.argmax(1).tolist()):
        panel = panels[number]
        panel.plot(before, seen[number, :, sensor], color="0.6", label="input")
        panel.plot(ahead, truth[number, :, sensor], color="0.2", label="target")
        panel.plot(ahead, forecast[number, :, sensor], color="C3", label="forecast")
        panel.axvline(0, color="0.8", linewidth=1)
        error = f"MAE {float(errors[number, sensor]):.3g} {unit}"
        title = f"window {int(batch.index[number])}, sensor {names[sensor]}\n{error}"
        panel.set(xlabel="minutes from the last input", ylabel=unit)
        panel.set_title(title, fontsize=10)
        legend_above(panel, columns=3)


def _graphs(
    batch: Any, predictions: dict[str, Tensor], targets: dict[str, Tensor], task: GraphTask
) -> Panels:
    """Every graph with a scale and a legend, its targets and predictions in the title."""
    bounds = batch.ptr.tolist()
    nodes = [slice(*pair) for pair in zip(bounds, bounds[1:], strict=False)]
    titles = [
        _told(number, rows, batch, predictions, targets, task) for number, rows in enumerate(nodes)
    ]
    height = _LEGENDS + _GRAPH + _LINE * (1 + max(map(len, titles)))
    panels = Panels(
        len(nodes), height=height, rect=(0.03, _LEGENDS / height, 0.94, _GRAPH / height)
    )
    vector = vector_drawn(task, predictions, targets, batch)
    for panel, rows, title in zip(panels.axes, nodes, titles, strict=True):
        draw_structure(panel, batch, rows, task, vector)
        panel.set_title("\n".join(title), fontsize=10)
    return panels


def _told(
    number: int, nodes: slice, batch: Any, predictions: dict[str, Tensor],
    targets: dict[str, Tensor], task: GraphTask,
) -> list[str]:  # fmt: skip
    """The lines over a graph: which one it is, targets, predictions and errors."""
    told = [f"graph {int(batch.index[number])}"]
    if isinstance(task, Classification):
        names = task.spec.statistics.get("classes", range(task.spec.out_channels))
        share, taken = predictions["class"][number].softmax(-1).max(-1)
        true = names[int(targets["class"][number])]
        return [*told, f"target {true}, prediction {names[int(taken)]} ({float(share):.0%})"]
    levels = task.quantity_levels()
    for quantity in task.quantities:
        value, truth = predictions[quantity.name], targets[quantity.name]
        unit = task.spec.units.get(quantity.field, "")
        if levels[quantity.name] == "graph" and value[number].numel() == 1:
            told += values_told(quantity.name, float(truth[number]), float(value[number]), unit)
        elif levels[quantity.name] == "node":
            mean = float((value[nodes] - truth[nodes]).abs().mean())
            told.append(f"{quantity.name}: MAE {mean:,.4g} {unit}")
    return told


def values_told(name: str, target: float, predicted: float, unit: str) -> list[str]:
    """Target and prediction in two lines, with digits down to two of their difference.

    >>> values_told("energy", -17617085.12, -17618071.0, "meV")
    ['energy: target -17,617,085 meV', 'prediction -17,618,071 meV (error -986)']
    """
    error = predicted - target
    size = abs(error) or abs(target) or 1.0
    digits = max(0, 1 - math.floor(math.log10(size))) if math.isfinite(size) else 0
    return [
        f"{name}: target {target:,.{digits}f} {unit}".rstrip(),
        f"prediction {predicted:,.{digits}f} {unit}".rstrip() + f" (error {error:+,.{digits}f})",
    ]
