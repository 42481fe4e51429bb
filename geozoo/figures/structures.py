"""Drawing a graph in space: nodes, bonds, vectors, scale bar and legend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from geozoo.figures.vectors import (
    MOST_ARROWS,
    MOST_NAMED,
    DrawnVector,
    columns,
    draw_arrows,
    draw_positions,
    legend_dot,
    nice_length,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

#: Bonds are drawn for graphs of at most this many nodes.
_MOST_BONDED = 1000
#: A feature with more distinct values has a grey scale instead of one legend entry per value.
_MOST_ENTRIES = 10
#: Atoms are bonded up to this multiple of the sum of their covalent radii.
_BOND_REACH = 1.25
#: Maximum length of the scale bar and of arrows, as a fraction of the extent of the graph.
_BAR = 0.4
#: Space below the graph for the scale bar and its label, as a fraction of the panel height.
_FOOT = 0.17
#: Height of a legend row as a fraction of the panel height.
_LEGEND_ROW = 0.09
#: Labels of non-physical units.
_UNITS = {"length": "length units", "pixel": "pixels"}


@dataclass(frozen=True)
class Structure:
    """A graph in space; all tensors are on the CPU.

    Attributes:
        pos: node positions ``[n, dim]``.
        x: node features ``[n, C]``; without ``z``, they determine the node colours.
        z: atomic numbers ``[n]``.
        lattice: number of points along each axis if the nodes form a regular image; its first
            feature is then drawn as an image.
        units: units of ``pos`` and ``x``.
    """

    pos: Float[Tensor, "n dim"]
    x: Float[Tensor, "n C"] | None = None
    z: Int[Tensor, " n"] | None = None
    lattice: Sequence[int] | None = None
    units: Mapping[str, str] = field(default_factory=dict)


def draw_structure(
    panel: Axes, graph: Structure, vector: DrawnVector | None = None, *,
    known: np.ndarray | None = None,
) -> None:  # fmt: skip
    """Draw a graph projected onto its plane of largest extent.

    Args:
        panel: the axes to draw on.
        graph: the graph.
        vector: a vector per node; None: no vectors are drawn.
        known: feature values in the order of their colours; None: the values of this graph.
    """
    pos = graph.pos.double()
    center = pos.mean(0)
    plane = _plane(pos)
    points = ((pos - center) @ plane).numpy()
    if graph.lattice is not None and len(graph.lattice) == 2 and graph.x is not None:
        legend = _draw_image(panel, graph.x[:, 0].reshape(*graph.lattice), points)
    else:
        legend = _draw_nodes(panel, graph, points, known, is_start=vector is not None)
    bar = nice_length(_BAR * (float(np.ptp(points, axis=0).max()) or 1.0))
    label = f"{bar:g} {_UNITS.get(unit := graph.units.get('pos', ''), unit)}".rstrip()
    second: list[Line2D] = []
    if vector is not None and vector.is_position:
        second, more = draw_positions(panel, vector, center, plane)
        points = np.concatenate([points, more])
    elif vector is not None:
        second, more, per_bar = draw_arrows(panel, vector, points, plane, bar)
        if len(points) > MOST_NAMED:
            label += f"; arrows of the {MOST_ARROWS} worst nodes"
        points, label = np.concatenate([points, more]), f"{label}\narrows: bar = {per_bar}"
    _frame(panel, points, bar, label)
    _add_legends(panel, [legend, second])


def _frame(panel: Axes, points: np.ndarray, bar: float, label: str) -> None:
    """Equal axes without ticks around all points, with a scale bar in the lower left corner."""
    points = points[np.isfinite(points).all(1)]  # a prediction may be NaN
    low, high = points.min(0), points.max(0)
    box = panel.get_window_extent()
    ratio = box.width / box.height
    width, height = np.maximum((high - low) * 1.2, bar)
    height = max(height / (1 - _FOOT), width / ratio)
    width = height * ratio
    left, bottom = (low + high) / 2 - np.array([0.5 * width, (0.5 + 0.5 * _FOOT) * height])
    panel.set(xlim=(left, left + width), ylim=(bottom, bottom + height), xticks=[], yticks=[])
    at = (left + 0.03 * width, bottom + _FOOT * height)
    panel.plot([at[0], at[0] + bar], [at[1], at[1]], color="black", linewidth=3, gid="scale bar")
    panel.annotate(label, at, (0, -5), textcoords="offset points", va="top", fontsize=10)


def _add_legends(panel: Axes, legends: list[list[Line2D]]) -> None:
    """Add one legend per list, stacked below the panel."""
    from matplotlib.legend import Legend

    top = -0.01
    for handles in filter(None, legends):
        longest = max(len(str(handle.get_label())) for handle in handles)
        in_a_row = min(7 if longest < 3 else 4 if longest < 8 else 3, len(handles))
        legend = Legend(
            panel, handles, [str(handle.get_label()) for handle in handles], loc="upper center",
            bbox_to_anchor=(0.5, top), bbox_transform=panel.transAxes, frameon=False, fontsize=10,
            ncols=in_a_row, columnspacing=1, handletextpad=0.3, borderpad=0,
        )  # fmt: skip
        panel.add_artist(legend)
        top -= _LEGEND_ROW * -(-len(handles) // in_a_row)


def _draw_nodes(
    panel: Axes, graph: Structure, points: np.ndarray, known: np.ndarray | None, *, is_start: bool
) -> list[Line2D]:
    """Draw nodes coloured by element or feature, with bonds and symbols; returns the legend."""
    from matplotlib import colormaps

    size = float(np.clip(3000 / len(points), 12, 200))
    if graph.z is not None:
        return _draw_atoms(panel, graph.pos, graph.z, points, size)
    if graph.x is None:
        panel.scatter(*columns(points), s=size, color="0.7", edgecolors="0.3", linewidths=0.6)
        return []
    values, name = _feature(graph.x, graph.units.get("x", ""))
    known = np.unique(values) if known is None else known
    if len(known) > _MOST_ENTRIES:
        panel.scatter(
            *columns(points), c=values, s=size, cmap="gray", edgecolors="0.3", linewidths=0.4
        )
        return [_shades(name, values)]
    shades = colormaps["tab10"]
    handles = []
    for number, value in enumerate(known):
        chosen = points[values == value]
        panel.scatter(
            *columns(chosen), s=size, color=shades(number), edgecolors="0.3", linewidths=0.6,
            alpha=0.35 if is_start else 1.0, zorder=2,
        )  # fmt: skip
        handles.append(legend_dot(shades(number), f"{name} {value:g}"))
    return handles


def _feature(x: Tensor, unit: str) -> tuple[np.ndarray, str]:
    """A value per node and its name: the class of one-hot features, or the first feature."""
    is_one_hot = x.shape[1] > 1 and bool(((x == 0) | (x == 1)).all() and (x.sum(1) == 1).all())
    if is_one_hot:
        return x.argmax(1).numpy(), "kind"
    return x[:, 0].numpy(), unit if unit not in ("", "1") else "x"


def _draw_atoms(
    panel: Axes, pos: Tensor, z: Tensor, points: np.ndarray, size: float
) -> list[Line2D]:
    from matplotlib import colormaps

    numbers = z.tolist()
    if find_spec("ase") is None:  # installed by the extra "molecules"
        shades = {number: colormaps["tab20"](number % 20) for number in set(numbers)}
        symbols = {number: str(number) for number in shades}
        pairs, note = (
            np.zeros((0, 2), int),
            [legend_dot("none", "labels: atomic numbers; bonds require ase")],
        )
    else:
        from ase.data import chemical_symbols
        from ase.data.colors import jmol_colors

        shades = {number: tuple(jmol_colors[number]) for number in set(numbers)}
        symbols = {number: chemical_symbols[number] for number in shades}
        pairs, note = bonded(pos, z), []
    for first, second in pairs:
        panel.plot(*points[[first, second]].T, color="0.45", linewidth=2, zorder=1, gid="bond")
    panel.scatter(
        *columns(points), s=size, color=[shades[n] for n in numbers], edgecolors="0.3",
        linewidths=0.6, zorder=2,
    )  # fmt: skip
    if len(numbers) <= MOST_NAMED:
        for point, number in zip(points, numbers, strict=True):
            dark = sum(shades[number][:3]) < 1.5
            panel.annotate(
                symbols[number], point, ha="center", va="center", fontsize=9, zorder=3,
                color="white" if dark else "black",
            )  # fmt: skip
    return [*(legend_dot(shades[n], symbols[n]) for n in sorted(shades)), *note]


def bonded(pos: Tensor, z: Tensor) -> np.ndarray:
    """Index pairs ``[B, 2]`` of atoms whose distance is near the sum of their covalent radii.

    Used for drawing only. Empty for graphs with very many atoms.

    Args:
        pos: atom positions ``[N, 3]`` in angstrom.
        z: atomic numbers ``[N]``.
    """
    from ase.data import covalent_radii

    if len(z) > _MOST_BONDED:
        return np.zeros((0, 2), int)
    radii = torch.from_numpy(covalent_radii)[z]
    reach = _BOND_REACH * (radii[:, None] + radii[None, :])
    near = torch.cdist(pos.double(), pos.double()) < reach
    return near.triu(1).nonzero().numpy()


def _draw_image(panel: Axes, pixels: Tensor, points: np.ndarray) -> list[Line2D]:
    """Draw a regular image in pixel coordinates; returns the legend."""
    (left, bottom), (right, top) = points.min(0) - 0.5, points.max(0) + 0.5
    panel.imshow(
        pixels.numpy(), extent=(left, right, bottom, top), cmap="gray", aspect="auto"
    )  # fmt: skip
    return [_shades("first channel", pixels.numpy())]


def _shades(name: str, values: np.ndarray) -> Line2D:
    """Legend entry of a grey scale."""
    return legend_dot("none", f"{name}: {values.min():.3g} (black) to {values.max():.3g} (white)")


def _plane(pos: Tensor) -> Tensor:
    """The two principal axes ``[dim, 2]``; the coordinate axes in two dimensions."""
    if pos.shape[1] == 2:
        return torch.eye(2, dtype=pos.dtype)
    return torch.linalg.svd(pos - pos.mean(0), full_matrices=True).Vh[:2].T
