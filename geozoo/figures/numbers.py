"""Numbers of several methods on a line each, published and own ones in different colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Characters of a name that fit beside a panel.
_LONGEST = 60


@dataclass(frozen=True)
class PlottedNumber:
    """One number of a panel.

    Attributes:
        name: of its method.
        value: the number.
        deviation: its standard deviation; None: not known.
        is_own: whether it is from a run of geozoo.
    """

    name: str
    value: float
    deviation: float | None = None
    is_own: bool = False


@dataclass(frozen=True)
class NumberPanel:
    """The numbers of one metric.

    Attributes:
        title: what they are.
        numbers: the numbers.
        higher_is_better: whether the largest is on top, on a linear scale; else the smallest is,
            on a logarithmic one.
    """

    title: str
    numbers: Sequence[PlottedNumber]
    higher_is_better: bool = False


def plot_numbers(panels: Sequence[NumberPanel], path: Path) -> None:
    """Draw panels below one another.

    Args:
        panels: at least one.
        path: the file, of any format of matplotlib.

    Raises:
        ValueError: for a file name whose ending is no picture's.
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
    for place, each in enumerate(numbers):
        axis.errorbar(
            each.value, place, xerr=each.deviation, fmt="o",
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
