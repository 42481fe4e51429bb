"""Learning curves: training loss and validation metrics by epoch."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path

from geozoo.figures.panels import Panels, legend_above

#: Epochs, counted from 1, and the values of a metric.
Curve = tuple[list[int], list[float]]

#: A panel has a logarithmic scale if its largest value exceeds its smallest by this factor.
_DECADE = 10.0
#: Lines with a fixed colour.
_MARKED = {"training": "0.6", "validation": "C0", "all steps": "0.15"}
_HORIZON = re.compile(r"_(\d+)min$")

#: The lines of a panel by label.
_Lines = dict[str, Curve]


def plot_loss(curves: Mapping[str, Curve], path: Path, *, units: Mapping[str, str]) -> None:
    """Plot loss and validation metrics by epoch: one panel per metric, one line per horizon.

    Args:
        curves: ``train/loss`` and the validation metrics ``val/...`` by name.
        path: the PNG file.
        units: unit of each validation metric by name without ``val/``.
    """
    from matplotlib import colormaps
    from matplotlib.ticker import FixedLocator, MaxNLocator

    shown_panels = loss_panels(curves)
    panels = Panels(len(shown_panels))
    for panel, (name, lines) in zip(panels.axes, shown_panels.items(), strict=True):
        later = [label for label in lines if label not in _MARKED]
        shades = colormaps["viridis"]
        for label, (epochs, values) in lines.items():
            shade = later.index(label) / max(1, len(later)) if label in later else 0.0
            panel.plot(
                epochs, values, marker="." if len(epochs) < 50 else None, label=label,
                color=_MARKED.get(label) or shades(shade),
            )  # fmt: skip
        every = [value for _, values in lines.values() for value in values]
        shown = [value for value in every if math.isfinite(value)] or [0.0]
        if min(shown) > 0 and max(shown) > _DECADE * min(shown):
            panel.set_yscale("log")
        else:
            panel.ticklabel_format(axis="y", useOffset=False)
        panel.set(xlabel="epoch", ylabel=_unit_of(name, units), title=name)
        seen = {epoch for line, _ in lines.values() for epoch in line}
        panel.xaxis.set_major_locator(
            MaxNLocator("auto", integer=True) if len(seen) > 1 else FixedLocator([*seen])
        )
        panel.grid(alpha=0.3, which="both")
        if len(lines) > 1:
            legend_above(panel)
    panels.save(path)


def loss_panels(curves: Mapping[str, Curve]) -> dict[str, _Lines]:
    """The lines of each panel of `plot_loss`, by panel title and line label.

    Empty if nothing was logged.

    >>> curves = {"val/speed_mae": ([1], [3.0]), "val/speed_mae_15min": ([1], [1.0])}
    >>> loss_panels(curves)["speed_mae"]
    {'15 min': ([1], [1.0]), 'all steps': ([1], [3.0])}
    """
    names = sorted(name for name in curves if name.startswith("val/"))
    panels: dict[str, _Lines] = {}
    for name in ["train/loss", *sorted(names, key=_horizon)]:
        points = curves.get(name, ([], []))
        if not points[0]:
            continue
        title = _HORIZON.sub("", name.partition("/")[2])
        horizon = _HORIZON.search(name)
        label = f"{horizon[1]} min" if horizon else "validation"
        panels.setdefault(title, {})["training" if name == "train/loss" else label] = points
    for lines in panels.values():
        if len(lines) > 1 and "validation" in lines and "training" not in lines:
            lines["all steps"] = lines.pop("validation")
    first = ["loss"] if "loss" in panels else []
    return {name: panels[name] for name in [*first, *sorted(panels.keys() - {"loss"})]}


def _horizon(name: str) -> tuple[int, str]:
    horizon = _HORIZON.search(name)
    return int(horizon[1]) if horizon else 0, name


def _unit_of(title: str, units: Mapping[str, str]) -> str:
    """Unit of a panel's metric, which may be logged only per horizon."""
    return next((unit for name, unit in units.items() if _HORIZON.sub("", name) == title), "")
