"""Dot plots that compare the results of methods, published and own ones in different colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Longer names are truncated.
_LONGEST = 60


@dataclass(frozen=True)
class PlottedNumber:
    """The result of one method.

    Attributes:
        name: name of the method.
        value: the result.
        deviation: standard deviation; None: not known.
        is_own: whether it comes from a geozoo run.
    """

    name: str
    value: float
    deviation: float | None = None
    is_own: bool = False


@dataclass(frozen=True)
class NumberPanel:
    """The results for one metric.

    Attributes:
        title: title of the panel.
        numbers: the results.
        higher_is_better: if True, the scale is linear and the largest value is on top; otherwise
            it is logarithmic and the smallest is on top.
    """

    title: str
    numbers: Sequence[PlottedNumber]
    higher_is_better: bool = False


def plot_numbers(panels: Sequence[NumberPanel], path: Path) -> None:
    """Draw the panels one below the other.

    Args:
        panels: at least one.
        path: the file, in any format that Matplotlib writes.

    Raises:
        ValueError: If Matplotlib does not support the file extension.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = [max(len(panel.numbers), 1) for panel in panels]
    figure = Figure(figsize=(8, 0.9 * len(panels) + 0.27 * sum(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(panels), 1, squeeze=False, height_ratios=rows)[:, 0]
    for axis, panel in zip(axes, panels, strict=True):
        _draw(axis, panel)
    figure.savefig(path, dpi=150)


def _draw(axis: Axes, panel: NumberPanel) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    numbers = sorted(panel.numbers, key=lambda each: each.value, reverse=not panel.higher_is_better)
    for row, each in enumerate(numbers):
        axis.errorbar(
            each.value, row, xerr=each.deviation, fmt="o",
            color="#c44e52" if each.is_own else "#4c72b0",
        )  # fmt: skip
    names = [each.name for each in numbers]
    shown = [n if len(n) < _LONGEST else f"{n[: _LONGEST - 3]}..." for n in names]
    axis.set_yticks(range(len(numbers)), shown)
    if not panel.higher_is_better:
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.xaxis.set_minor_formatter(NullFormatter())
    axis.grid(axis="x", alpha=0.3)
    axis.set_title(panel.title, fontsize="medium")
