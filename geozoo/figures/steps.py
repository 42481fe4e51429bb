"""Quantities along the steps of a simulation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from geozoo.figures.panels import Panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class StepPanel:
    """One panel of `plot_steps`.

    Attributes:
        unit: label of its vertical axis.
        lines: positions on the horizontal axis, and values, by name; several are numbered in the
            order of their colours.
        is_logarithmic: whether the vertical axis is, if any value is positive.
    """

    unit: str
    lines: Mapping[str, tuple[Sequence[float], Sequence[float]]]
    is_logarithmic: bool = False


def plot_steps(
    panels: Mapping[str, StepPanel], path: Path, *, along: str, is_logarithmic_along: bool = False
) -> None:
    """Draw one panel per quantity.

    Args:
        panels: by title.
        path: the PNG file.
        along: label of the horizontal axes; ``"step"``: their ticks are whole numbers.
        is_logarithmic_along: whether the horizontal axes are logarithmic.
    """
    from matplotlib.ticker import MaxNLocator

    figure = Panels(len(panels), columns=2, width=4.2)
    for axis, (title, panel) in zip(figure.axes, panels.items(), strict=True):
        for name, (steps, values) in panel.lines.items():
            marker = "." if len(steps) < 30 else None
            axis.plot(steps, values, label=name, linewidth=1, marker=marker)
        has_positive = any(value > 0 for _, values in panel.lines.values() for value in values)
        if panel.is_logarithmic and has_positive:
            axis.set_yscale("log")
        else:
            axis.ticklabel_format(axis="y", useOffset=False)
        if is_logarithmic_along:
            _plain_logarithmic(axis)
        if along == "step":
            axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.set(title=title, xlabel=along, ylabel=panel.unit)
        axis.grid(alpha=0.3, which="both")
        if 1 < len(panel.lines) <= 8:
            axis.legend(frameon=False, fontsize=9)
    figure.save(path)


def _plain_logarithmic(axis: Axes) -> None:
    """A logarithmic horizontal axis with plain numbers, which do not overlap within a decade."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_xscale("log")
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.xaxis.set_minor_formatter(NullFormatter())
