"""Parity plots and error histograms."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from torch import Tensor

from geozoo.figures.panels import Panels, legend_above

_BINS = 80
#: A histogram with a larger count has a logarithmic scale.
_LARGE_COUNT = 100.0


def plot_parity(pairs: Mapping[str, Tensor], path: Path, *, units: Mapping[str, str]) -> None:
    """Plot prediction against target, one panel per quantity.

    Args:
        pairs: ``[points, 2]`` of prediction and target per quantity, at least one.
        path: the PNG file.
        units: unit of each quantity by name.
    """
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
    """Plot histograms of prediction minus target, one panel per quantity.

    Large counts are on a logarithmic scale.

    Args:
        pairs: ``[points, 2]`` of prediction and target per quantity, at least one.
        path: the PNG file.
        units: unit of each quantity by name.
    """
    panels = Panels(len(pairs))
    for panel, (name, points) in zip(panels.axes, pairs.items(), strict=True):
        error = points[:, 0] - points[:, 1]
        bins = int(min(_BINS, max(10, len(error) / 4)))
        counts, _, _ = panel.hist(error.numpy(), bins=bins, color="C0")
        mean = float(error.mean())
        panel.axvline(mean, color="C3", linewidth=1, label=f"mean {mean:.3g}")
        unit = f" ({units[name]})" if units.get(name) else ""
        panel.set(
            yscale="log" if np.max(counts) > _LARGE_COUNT else "linear", title=name,
            xlabel=f"prediction minus target{unit}", ylabel="entries",
        )  # fmt: skip
        panel.locator_params(axis="x", nbins=5)
        legend_above(panel)
    panels.save(path)
