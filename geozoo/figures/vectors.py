"""Drawing node vectors: arrows, or predicted positions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

#: Each node has a symbol and an arrow in graphs of at most this many nodes.
MOST_NAMED = 60
#: In larger graphs only this many nodes, those with the largest errors, have arrows.
MOST_ARROWS = 12


@dataclass(frozen=True)
class DrawnVector:
    """Predicted and target vector of each node.

    Attributes:
        name: name of the quantity.
        unit: unit of its components.
        predicted: predicted vectors ``[n, dim]``.
        target: target vectors ``[n, dim]``.
        is_position: whether the vectors are positions, drawn as points instead of arrows.
    """

    name: str
    unit: str
    predicted: Float[Tensor, "n dim"]
    target: Float[Tensor, "n dim"]
    is_position: bool = False


def nice_length(most: float) -> float:
    """The largest number of the form 1, 2 or 5 times a power of ten that is at most ``most``.

    >>> [nice_length(value) for value in (1.7, 0.04, 76.0)]
    [1.0, 0.02, 50.0]
    """
    power = 10.0 ** math.floor(math.log10(most))
    return max(step for step in (1.0, 2.0, 5.0) if step * power <= most * (1 + 1e-9)) * power


def draw_positions(
    panel: Axes, vector: DrawnVector, center: Tensor, plane: Tensor
) -> tuple[list[Line2D], np.ndarray]:
    """Draw target and predicted positions joined by lines; returns legend and drawn points.

    Args:
        panel: the axes to draw on.
        vector: the positions.
        center: origin of the panel ``[dim]``.
        plane: axes of the panel ``[dim, 2]``.
    """
    target, predicted = (
        ((each.double() - center) @ plane).numpy() for each in (vector.target, vector.predicted)
    )
    for start, end in zip(target, predicted, strict=True):
        panel.plot(*np.stack([start, end]).T, color="C3", linewidth=1, zorder=3)
    panel.scatter(*columns(target), s=30, color="black", zorder=4)
    panel.scatter(*columns(predicted), s=45, color="C3", marker="x", zorder=5)
    handles = [
        legend_dot("0.85", "input (pale)"), legend_dot("black", "target"),
        legend_dot("C3", "prediction", marker="x"),
    ]  # fmt: skip
    return handles, np.concatenate([target, predicted])


def draw_arrows(
    panel: Axes, vector: DrawnVector, positions: np.ndarray, plane: Tensor, bar: float
) -> tuple[list[Line2D], np.ndarray, str]:
    """Draw targets and predictions as arrows.

    Args:
        panel: the axes to draw on.
        vector: the vectors.
        positions: node positions on the panel ``[n, 2]``.
        plane: axes of the panel ``[dim, 2]``.
        bar: length of the scale bar.

    Returns:
        The legend, the arrow tips ``[2n, 2]``, and the magnitude that the scale bar stands for.
    """
    from matplotlib.lines import Line2D

    both = [(each.double() @ plane).numpy() for each in (vector.target, vector.predicted)]
    if len(positions) > MOST_NAMED:  # more arrows would hide each other
        worst = np.linalg.norm(both[1] - both[0], axis=1).argsort()[-MOST_ARROWS:]
        both, positions = [each[worst] for each in both], positions[worst]
    longest = max(float(np.linalg.norm(each, axis=1).max()) for each in both)
    per_bar = nice_length(longest) if longest > 0 and math.isfinite(longest) else 1.0
    handles = []
    for each, color, label in zip(both, ("black", "C3"), ("target", "prediction"), strict=True):
        panel.quiver(
            *columns(positions), *columns(each), color=color, angles="xy", scale_units="xy",
            scale=per_bar / bar, width=0.009 if color == "black" else 0.006, zorder=4,
        )  # fmt: skip
        handles.append(Line2D([], [], color=color, label=f"{vector.name}, {label}"))
    tips = np.concatenate([positions + each * bar / per_bar for each in both])
    return handles, tips, f"{per_bar:,g} {vector.unit}".rstrip()


def columns(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Horizontal and vertical coordinates ``[n]`` of points ``[n, 2]``."""
    return points[:, 0], points[:, 1]


def legend_dot(color: Any, label: str, *, marker: str = "o") -> Line2D:
    """Legend entry with a marker, ``"o"`` or ``"x"``, and no line."""
    from matplotlib.lines import Line2D

    edge = color if marker == "x" else "none" if color == "none" else "0.3"
    return Line2D(
        [], [], color=color, label=label, marker=marker, linestyle="none", markersize=7,
        markeredgecolor=edge, markeredgewidth=1.5 if marker == "x" else 0.6,
    )  # fmt: skip
