"""Pictures of a run."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, MaxNLocator
from torch import Tensor

from geozoo.report.panels import Panels
from geozoo.runs.metrics_file import Row, curve

_BINS = 80
#: Largest over smallest value of a panel from which on its scale is logarithmic.
_DECADE = 10.0
#: Share of the height of the lines that a legend gets above them.
_ROOM = 0.35
#: Lines of a panel that come first and have a colour of their own.
_MARKED = {"training": "0.6", "validation": "C0", "all steps": "0.15"}
_HORIZON = re.compile(r"_(\d+)min$")

#: Epochs and values of every line of a panel.
_Lines = dict[str, tuple[list[int], list[float]]]


def plot_loss(rows: list[Row], path: Path, *, units: Mapping[str, str]) -> None:
    """Loss and validation metrics against the epoch: a panel each, with a line for each horizon.

    Args:
        rows: the rows of ``metrics.csv``.
        path: the PNG file.
        units: unit of each validation metric by name, without ``val/``.
    """
    curves = loss_panels(rows)
    if not curves:
        return
    panels = Panels(len(curves))
    for panel, (name, lines) in zip(panels.axes, curves.items(), strict=True):
        later = [label for label in lines if label not in _MARKED]
        shades = colormaps["viridis"]
        for label, (epochs, values) in lines.items():
            place = later.index(label) / max(1, len(later)) if label in later else 0.0
            panel.plot(
                epochs, values, marker="." if len(epochs) < 50 else None, label=label,
                color=_MARKED.get(label) or shades(place),
            )  # fmt: skip
        every = [value for _, values in lines.values() for value in values]
        shown = [value for value in every if math.isfinite(value)] or [0.0]
        if min(shown) > 0 and max(shown) > _DECADE * min(shown):
            panel.set_yscale("log")
        else:
            panel.ticklabel_format(axis="y", useOffset=False)
        panel.set(xlabel="epoch", ylabel=_unit_of(name, units), title=name)
        epochs = {epoch for line, _ in lines.values() for epoch in line}
        panel.xaxis.set_major_locator(
            MaxNLocator("auto", integer=True) if len(epochs) > 1 else FixedLocator([*epochs])
        )
        panel.grid(alpha=0.3, which="both")
        if len(lines) > 1:
            legend_above(panel)
    panels.save(path)


def legend_above(panel: Axes, columns: int = 2) -> None:
    """A legend in two columns, with room made for it above the lines."""
    low, high = panel.transAxes.inverted().transform(panel.transData.transform(
        [(panel.get_xlim()[0], each) for each in panel.get_ylim()]
    ))[:, 1]  # fmt: skip
    room = panel.transData.inverted().transform(
        panel.transAxes.transform([(0, low), (0, high + _ROOM * (high - low))])
    )
    panel.set_ylim(*room[:, 1])
    panel.legend(
        frameon=False, fontsize=9, loc="upper left", ncols=columns, columnspacing=1,
        handlelength=1.2,
    )  # fmt: skip


def loss_panels(rows: list[Row]) -> dict[str, _Lines]:
    """The lines of every panel of `plot_loss` by their label, by the name of the panel.

    >>> rows = [{"epoch": "1", "train/loss": "2", "val/speed_mae": "3", "val/speed_mae_15min": "1"}]
    >>> loss_panels(rows)["speed_mae"]
    {'15 min': ([1], [1.0]), 'all steps': ([1], [3.0])}
    """
    names = sorted({name for row in rows for name in row if name.startswith("val/")})
    found: dict[str, _Lines] = {}
    for name in ["train/loss", *sorted(names, key=_horizon)]:
        points = curve(rows, name)
        if not points[0]:
            continue
        title = _HORIZON.sub("", name.partition("/")[2])
        horizon = _HORIZON.search(name)
        label = f"{horizon[1]} min" if horizon else "validation"
        found.setdefault(title, {})["training" if name == "train/loss" else label] = points
    for lines in found.values():
        if len(lines) > 1 and "validation" in lines and "training" not in lines:
            lines["all steps"] = lines.pop("validation")
    first = ["loss"] if "loss" in found else []
    return {name: found[name] for name in [*first, *sorted(found.keys() - {"loss"})]}


def _horizon(name: str) -> tuple[int, str]:
    horizon = _HORIZON.search(name)
    return int(horizon[1]) if horizon else 0, name


def _unit_of(title: str, units: Mapping[str, str]) -> str:
    """The unit of a panel: that of its metric, which may be there with horizons alone."""
    return next((unit for name, unit in units.items() if _HORIZON.sub("", name) == title), "")


def plot_parity(pairs: Mapping[str, Tensor], path: Path, *, units: Mapping[str, str]) -> None:
    """Prediction against target, one panel per quantity.

    Args:
        pairs: ``[points, 2]`` of prediction and target per quantity.
        path: the PNG file.
        units: unit of each quantity by name.
    """
    if not pairs:
        return
    panels = Panels(len(pairs), height=3.3)
    for panel, (name, points) in zip(panels.axes, pairs.items(), strict=True):
        predicted, target = points.unbind(1)
        low, high = float(points.min()), float(points.max())
        panel.plot([low, high], [low, high], color="0.6", linewidth=1)
        panel.scatter(target.numpy(), predicted.numpy(), s=2, alpha=0.4, rasterized=True)
        unit = f" ({units[name]})" if units.get(name) else ""
        panel.set(xlabel=f"target{unit}", ylabel=f"prediction{unit}", title=name)
        panel.set_aspect("equal", adjustable="datalim")
        panel.locator_params(nbins=4)
    panels.save(path)


def plot_errors(pairs: Mapping[str, Tensor], path: Path, *, units: Mapping[str, str]) -> None:
    """Histogram of prediction minus target, one panel per quantity, large counts on a log scale.

    Args:
        pairs: ``[points, 2]`` of prediction and target per quantity.
        path: the PNG file.
        units: unit of each quantity by name.
    """
    if not pairs:
        return
    panels = Panels(len(pairs))
    for panel, (name, points) in zip(panels.axes, pairs.items(), strict=True):
        error = points[:, 0] - points[:, 1]
        bins = int(min(_BINS, max(10, len(error) / 4)))
        counts, _, _ = panel.hist(error.numpy(), bins=bins, color="C0")
        mean = float(error.mean())
        panel.axvline(mean, color="C3", linewidth=1, label=f"mean {mean:.3g}")
        unit = f" ({units[name]})" if units.get(name) else ""
        panel.set(
            yscale="log" if np.max(counts) > _DECADE**2 else "linear", ylabel="entries", title=name,
            xlabel=f"prediction minus target{unit}",
        )  # fmt: skip
        panel.locator_params(axis="x", nbins=5)
        legend_above(panel)
    panels.save(path)
