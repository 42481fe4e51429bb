"""What a model gets most wrong, drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from torch import Tensor

from geozoo.cli._plots import DPI, make_panels
from geozoo.data import WindowBatch
from geozoo.data.loader import Store
from geozoo.tasks import Classification, Forecasting, GraphTask

_COLUMNS = 3
_TAB_COLOURS = 20


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
    figure, panels = make_panels(len(worst.index), columns=_COLUMNS)
    if isinstance(batch, WindowBatch):
        assert isinstance(task, Forecasting)
        _draw_windows(panels, batch, predictions[task.spec.target].cpu(), task)
    else:
        _draw_graphs(panels, batch.to("cpu"), predictions, targets, task)
    figure.savefig(path, dpi=DPI)


def _draw_windows(
    panels: list[Axes], batch: WindowBatch, forecast: Tensor, task: Forecasting
) -> None:
    """Of each window the sensor with the largest error: what was seen, what came, the forecast."""
    seen = batch.x[..., 0].masked_fill(~batch.x_observed, torch.nan).cpu()
    truth = batch.y.masked_fill(~batch.y_observed, torch.nan).cpu()
    errors = (forecast - truth).abs().nanmean(1).nan_to_num(-1.0)
    unit, interval = task.spec.units["y"], task.spec.interval
    before = interval * np.arange(1 - seen.shape[1], 1)
    ahead = interval * np.arange(1, truth.shape[1] + 1)
    for number, sensor in enumerate(errors.argmax(1).tolist()):
        panel = panels[number]
        panel.plot(before, seen[number, :, sensor], color="0.6", label="seen")
        panel.plot(ahead, truth[number, :, sensor], color="0.2", label="truth")
        panel.plot(ahead, forecast[number, :, sensor], color="C3", label="forecast")
        panel.axvline(0, color="0.8", linewidth=1)
        title = f"window {int(batch.index[number])}, sensor {sensor}"
        panel.set(xlabel="minutes", ylabel=unit, title=title)
    panels[0].legend(frameon=False, fontsize=7)


def _draw_graphs(
    panels: list[Axes], batch: Any, predictions: dict[str, Tensor], targets: dict[str, Tensor],
    task: GraphTask,
) -> None:  # fmt: skip
    """Every graph in its plane of largest extent, with atomic numbers and arrows of errors."""
    bounds = batch.ptr.tolist()
    colours = _colours(batch)
    arrows = _vector_error(batch, predictions, targets, task)
    for number, (start, end) in enumerate(zip(bounds, bounds[1:], strict=False)):
        panel, nodes = panels[number], slice(start, end)
        axes = _plane(batch.pos[nodes].double())
        places = (batch.pos[nodes].double() @ axes).numpy()
        size = float(np.clip(2400 / len(places), 6, 160))
        shades = {"c": colours[nodes], "cmap": "viridis"} if colours.ndim == 1 else {
            "color": colours[nodes]
        }  # fmt: skip
        panel.scatter(*places.T, s=size, edgecolors="0.3", linewidths=0.4, zorder=2, **shades)
        if batch.get("z") is not None:
            for place, element in zip(places, batch.z[nodes].tolist(), strict=True):
                panel.annotate(str(element), place, ha="center", va="center", fontsize=6)
        if arrows is not None:
            wrong = (arrows[nodes].double() @ axes).numpy()
            panel.quiver(*places.T, *wrong.T, color="black", angles="xy", width=0.008, zorder=4)
        panel.set_aspect("equal", adjustable="datalim")
        panel.set(xticks=[], yticks=[])
        panel.set_title(_title(number, batch, predictions, targets, task), fontsize=9)
        panel.margins(0.15)


def _title(
    number: int, batch: Any, predictions: dict[str, Tensor], targets: dict[str, Tensor],
    task: GraphTask,
) -> str:  # fmt: skip
    told = [f"graph {int(batch.index[number])}"]
    if isinstance(task, Classification):
        scores = predictions["class"][number].softmax(-1)
        share, taken = scores.max(-1)
        true = int(targets["class"][number])
        return f"{told[0]}: {true}, taken for {int(taken)} ({float(share):.0%})"
    levels = task.quantity_levels()
    for quantity in task.quantities:
        value, truth = predictions[quantity.name], targets[quantity.name]
        unit = task.spec.units.get(quantity.field, "")
        if quantity.is_vector:
            told.append(f"arrows: error of {quantity.name}")
        elif levels[quantity.name] == "graph" and value[number].numel() == 1:
            error = float(value[number]) - float(truth[number])
            told.append(f"{quantity.name} {float(truth[number]):.6g}, error {error:+.3g} {unit}")
    return "\n".join(told)


def _vector_error(
    batch: Any, predictions: dict[str, Tensor], targets: dict[str, Tensor], task: GraphTask
) -> Tensor | None:
    """The wrong part of the first vector that every node has."""
    levels = task.quantity_levels()
    for quantity in task.quantities:
        value = predictions[quantity.name]
        if quantity.is_vector and levels[quantity.name] == "node":
            error = (value - targets[quantity.name]).cpu()
            return error.reshape(batch.num_nodes, -1, error.shape[-1])[:, 0]
    return None


def _colours(batch: Any) -> np.ndarray:
    """A colour for every element, or the first feature."""
    if batch.get("z") is not None:
        from matplotlib import colormaps

        return colormaps["tab20"](batch.z.numpy() % _TAB_COLOURS)
    features = batch.get("x")
    return np.zeros(batch.num_nodes) if features is None else features[:, 0].numpy()


def _plane(pos: Tensor) -> Tensor:
    """Two axes of largest extent ``[dim, 2]``; those of the plane itself in two dimensions."""
    if pos.shape[1] == 2:
        return torch.eye(2, dtype=pos.dtype)
    return torch.linalg.svd(pos - pos.mean(0), full_matrices=True).Vh[:2].T
