"""Pictures of a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from geozoo.cli._metrics_file import Row, curve

DPI = 120
_BINS = 80


def plot_loss(rows: list[Row], path: Path, *, units: Mapping[str, str]) -> None:
    """Training loss and validation metrics against the epoch, one panel each, log scale.

    Args:
        rows: the rows of ``metrics.csv``.
        path: the PNG file.
        units: unit of each validation metric by name, without ``val/``.
    """
    names = ["train/loss", *sorted({n for row in rows for n in row if n.startswith("val/")})]
    curves = {name: curve(rows, name) for name in names}
    curves = {name: points for name, points in curves.items() if points[0]}
    if not curves:
        return
    figure, axes = make_panels(len(curves))
    for panel, (name, (epochs, values)) in zip(axes, curves.items(), strict=True):
        panel.plot(epochs, values, marker="." if len(epochs) < 50 else None)
        if all(value > 0 for value in values):
            panel.set_yscale("log")
        unit = units.get(name.removeprefix("val/"), "")
        panel.set(xlabel="epoch", title=f"{name} ({unit})" if unit else name)
        panel.grid(alpha=0.3, which="both")
    figure.savefig(path, dpi=DPI)


def plot_parity(pairs: Mapping[str, Tensor], path: Path, *, units: Mapping[str, str]) -> None:
    """Prediction against target, one panel per quantity.

    Args:
        pairs: ``[points, 2]`` of prediction and target per quantity.
        path: the PNG file.
        units: unit of each quantity by name.
    """
    if not pairs:
        return
    figure, axes = make_panels(len(pairs))
    for panel, (name, points) in zip(axes, pairs.items(), strict=True):
        predicted, target = points.unbind(1)
        low, high = float(points.min()), float(points.max())
        panel.plot([low, high], [low, high], color="0.6", linewidth=1)
        panel.scatter(target.numpy(), predicted.numpy(), s=2, alpha=0.4, rasterized=True)
        unit = f" ({units[name]})" if units.get(name) else ""
        panel.set(xlabel=f"target{unit}", ylabel=f"prediction{unit}", title=name)
        panel.set_aspect("equal", adjustable="datalim")
        panel.locator_params(nbins=4)
    figure.savefig(path, dpi=DPI)


def plot_errors(pairs: Mapping[str, Tensor], path: Path, *, units: Mapping[str, str]) -> None:
    """Histogram of prediction minus target, one panel per quantity, counts on a log scale.

    Args:
        pairs: ``[points, 2]`` of prediction and target per quantity.
        path: the PNG file.
        units: unit of each quantity by name.
    """
    if not pairs:
        return
    figure, axes = make_panels(len(pairs))
    for panel, (name, points) in zip(axes, pairs.items(), strict=True):
        error = points[:, 0] - points[:, 1]
        panel.hist(error.numpy(), bins=_BINS, color="C0")
        mean = float(error.mean())
        panel.axvline(mean, color="C3", linewidth=1, label=f"mean {mean:.3g}")
        unit = f" ({units[name]})" if units.get(name) else ""
        panel.set(yscale="log", xlabel=f"error{unit}", ylabel="entries", title=name)
        panel.legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=DPI)


def make_panels(count: int, *, width: float = 4.2, columns: int = 4) -> tuple[Figure, list[Axes]]:
    """A figure with panels in rows of at most ``columns``, each panel ``width`` inches wide."""
    columns = min(columns, count)
    rows = -(-count // columns)
    figure = Figure(figsize=(width * columns, 3.6 * rows), layout="constrained")
    FigureCanvasAgg(figure)  # no display and no global state of pyplot
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for panel in panels[count:]:
        panel.set_axis_off()
    return figure, panels[:count]
