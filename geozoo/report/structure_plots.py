"""A graph in space on a panel: nodes, bonds, vectors, a scale bar and a legend."""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from torch import Tensor

from geozoo.tasks import Dynamics, GraphTask

#: Nodes up to which each one has a symbol, and up to which bonds are looked for.
_MOST_NAMED, _MOST_BONDED = 60, 1000
#: Nodes with arrows in a graph of more nodes than have symbols: those with the largest errors.
_MOST_ARROWS = 12
#: Different values of a feature up to which each one has an entry in the legend.
_MOST_ENTRIES = 10
#: Atoms are bonded up to this multiple of the sum of their covalent radii.
_BOND_REACH = 1.25
#: Share of the extent of a graph that a scale bar or a long arrow takes at most.
_BAR = 0.4
#: Share of the height of a panel below the graph, for the scale bar and its lines.
_FOOT = 0.17
#: Height of a row of a legend as a share of a panel.
_LEGEND_ROW = 0.09
#: Units of data without physical ones, as they are read behind a number.
_UNITS = {"length": "length units", "pixel": "pixels"}


@dataclass(frozen=True)
class DrawnVector:
    """A vector of every node, as predicted and as it should be.

    Attributes:
        name: of the quantity.
        unit: of its components.
        predicted: ``[N, dim]``.
        target: ``[N, dim]``.
        is_place: whether it is a position, drawn where it is, and no arrow.
    """

    name: str
    unit: str
    predicted: Tensor
    target: Tensor
    is_place: bool


def vector_drawn(
    task: GraphTask, predictions: dict[str, Tensor], targets: dict[str, Tensor], batch: Any
) -> DrawnVector | None:
    """The first vector that every node has, on the CPU."""
    levels = task.quantity_levels()
    for quantity in task.quantities:
        if quantity.is_vector and levels[quantity.name] == "node":
            predicted, target = (
                each.reshape(batch.num_nodes, -1, each.shape[-1])[:, 0]
                for each in (predictions[quantity.name], targets[quantity.name])
            )
            unit = task.spec.units.get(quantity.field, "")
            is_place = isinstance(task, Dynamics)
            return DrawnVector(quantity.name, unit, predicted, target, is_place)
    return None


def draw_structure(
    panel: Axes, batch: Any, nodes: slice, task: GraphTask, vector: DrawnVector | None
) -> None:
    """Draw a graph in its plane of largest extent.

    Args:
        panel: where.
        batch: graphs on the CPU.
        nodes: those of the graph.
        task: what was tested; its data say the units.
        vector: of every node of the batch.
    """
    pos = batch.pos[nodes].double()
    center = pos.mean(0)
    plane = _plane(pos)
    places = ((pos - center) @ plane).numpy()
    lattice = getattr(task.spec, "lattice", None)
    if lattice is not None and len(lattice) == 2:
        legend = _draw_image(panel, batch.x[nodes, 0].reshape(*lattice), places)
    else:
        legend = _draw_nodes(panel, batch, nodes, places, task, is_start=vector is not None)
    bar = nice_length(_BAR * (float(np.ptp(places, axis=0).max()) or 1.0))
    told = f"{bar:g} {_UNITS.get(unit := task.spec.units.get('pos', ''), unit)}".rstrip()
    second: list[Line2D] = []
    if vector is not None and vector.is_place:
        second, more = _draw_places(panel, vector, nodes, center, plane)
        places = np.concatenate([places, more])
    elif vector is not None:
        second, more, per_bar = _draw_arrows(panel, vector, nodes, places, plane, bar)
        if len(places) > _MOST_NAMED:
            told += f"; arrows of the {_MOST_ARROWS} worst nodes"
        places, told = np.concatenate([places, more]), f"{told}\narrows: {per_bar} a bar"
    _frame(panel, places, bar, told)
    _add_legends(panel, [legend, second])


def nice_length(most: float) -> float:
    """The largest of 1, 2 and 5 times a power of ten that is not above.

    >>> [nice_length(value) for value in (1.7, 0.04, 76.0)]
    [1.0, 0.02, 50.0]
    """
    power = 10.0 ** math.floor(math.log10(most))
    return max(step for step in (1.0, 2.0, 5.0) if step * power <= most * (1 + 1e-9)) * power


def _frame(panel: Axes, places: np.ndarray, bar: float, told: str) -> None:
    """Equal axes around all places, without numbers, and a scale bar in the lower left corner."""
    places = places[np.isfinite(places).all(1)]  # a prediction may be none
    low, high = places.min(0), places.max(0)
    box = panel.get_window_extent()
    ratio = box.width / box.height
    width, height = np.maximum((high - low) * 1.2, bar)
    height = max(height / (1 - _FOOT), width / ratio)
    width = height * ratio
    left, bottom = (low + high) / 2 - np.array([0.5 * width, (0.5 + 0.5 * _FOOT) * height])
    panel.set(xlim=(left, left + width), ylim=(bottom, bottom + height), xticks=[], yticks=[])
    at = (left + 0.03 * width, bottom + _FOOT * height)
    panel.plot([at[0], at[0] + bar], [at[1], at[1]], color="black", linewidth=3, gid="scale bar")
    panel.annotate(told, at, (0, -5), textcoords="offset points", va="top", fontsize=10)


def _add_legends(panel: Axes, legends: list[list[Line2D]]) -> None:
    """A legend in rows for each of the lists, below one another and the panel."""
    top = -0.01
    for handles in filter(None, legends):
        longest = max(len(str(handle.get_label())) for handle in handles)
        columns = min(7 if longest < 3 else 4 if longest < 8 else 3, len(handles))
        legend = Legend(
            panel, handles, [str(handle.get_label()) for handle in handles], loc="upper center",
            bbox_to_anchor=(0.5, top), bbox_transform=panel.transAxes, frameon=False, fontsize=10,
            ncols=columns, columnspacing=1, handletextpad=0.3, borderpad=0,
        )  # fmt: skip
        panel.add_artist(legend)
        top -= _LEGEND_ROW * -(-len(handles) // columns)


def _draw_nodes(
    panel: Axes, batch: Any, nodes: slice, places: np.ndarray, task: GraphTask, *, is_start: bool
) -> list[Line2D]:
    """Nodes coloured by element or feature, with bonds and symbols; gives the legend."""
    size = float(np.clip(3000 / len(places), 12, 200))
    numbers = batch.get("z")
    if numbers is not None:
        return _draw_atoms(panel, batch.pos[nodes], numbers[nodes], places, size)
    features = batch.get("x")
    if features is None:
        panel.scatter(*_xy(places), s=size, color="0.7", edgecolors="0.3", linewidths=0.6)
        return []
    values, name = _feature(features[nodes], task.spec.units.get("x", ""))
    known = np.unique(features.numpy() if features.shape[1] == 1 else values)
    if len(known) > _MOST_ENTRIES:
        panel.scatter(*_xy(places), c=values, s=size, cmap="gray", edgecolors="0.3", linewidths=0.4)
        return [_shades(name, values)]
    shades = colormaps["tab10"]
    handles = []
    for number, value in enumerate(known):
        chosen = places[values == value]
        panel.scatter(
            *_xy(chosen), s=size, color=shades(number), edgecolors="0.3", linewidths=0.6,
            alpha=0.35 if is_start else 1.0, zorder=2,
        )  # fmt: skip
        handles.append(_dot(shades(number), f"{name} {value:g}"))
    return handles


def _feature(x: Tensor, unit: str) -> tuple[np.ndarray, str]:
    """A number of every node and what it is: the column of a one-hot input, or the first column."""
    is_one_hot = x.shape[1] > 1 and bool(((x == 0) | (x == 1)).all() and (x.sum(1) == 1).all())
    if is_one_hot:
        return x.argmax(1).numpy(), "kind"
    return x[:, 0].numpy(), unit if unit not in ("", "1") else "x"


def _draw_atoms(
    panel: Axes, pos: Tensor, z: Tensor, places: np.ndarray, size: float
) -> list[Line2D]:
    numbers = z.tolist()
    if find_spec("ase") is None:  # of the extra "molecules"
        shades = {number: colormaps["tab20"](number % 20) for number in set(numbers)}
        symbols = {number: str(number) for number in shades}
        pairs, note = np.zeros((0, 2), int), [_dot("none", "numbers: elements; bonds need ase")]
    else:
        from ase.data import chemical_symbols
        from ase.data.colors import jmol_colors

        shades = {number: tuple(jmol_colors[number]) for number in set(numbers)}
        symbols = {number: chemical_symbols[number] for number in shades}
        pairs, note = bonded(pos, z), []
    for first, second in pairs:
        panel.plot(*places[[first, second]].T, color="0.45", linewidth=2, zorder=1, gid="bond")
    panel.scatter(
        *_xy(places), s=size, color=[shades[n] for n in numbers], edgecolors="0.3", linewidths=0.6,
        zorder=2,
    )  # fmt: skip
    if len(numbers) <= _MOST_NAMED:
        for place, number in zip(places, numbers, strict=True):
            dark = sum(shades[number][:3]) < 1.5
            panel.annotate(
                symbols[number], place, ha="center", va="center", fontsize=9, zorder=3,
                color="white" if dark else "black",
            )  # fmt: skip
    return [*(_dot(shades[n], symbols[n]) for n in sorted(shades)), *note]


def bonded(pos: Tensor, z: Tensor) -> np.ndarray:
    """Pairs of atoms ``[B, 2]`` that are about as near as their covalent radii say.

    They are drawn, nothing is computed from them; none for very many atoms.

    Args:
        pos: ``[N, 3]`` in angstrom.
        z: ``[N]`` atomic numbers.
    """
    from ase.data import covalent_radii

    if len(z) > _MOST_BONDED:
        return np.zeros((0, 2), int)
    radii = torch.from_numpy(covalent_radii)[z]
    reach = _BOND_REACH * (radii[:, None] + radii[None, :])
    near = torch.cdist(pos.double(), pos.double()) < reach
    return near.triu(1).nonzero().numpy()


def _draw_image(panel: Axes, pixels: Tensor, places: np.ndarray) -> list[Line2D]:
    """A regular image, in the coordinates of its pixels."""
    (left, bottom), (right, top) = places.min(0) - 0.5, places.max(0) + 0.5
    panel.imshow(
        pixels.numpy(), extent=(left, right, bottom, top), cmap="gray", aspect="auto"
    )  # fmt: skip
    return [_shades("first channel", pixels.numpy())]


def _draw_places(
    panel: Axes, vector: DrawnVector, nodes: slice, center: Tensor, plane: Tensor
) -> tuple[list[Line2D], np.ndarray]:
    """Positions to come: the target, the prediction, a line between; gives the legend and them."""
    target, predicted = (
        ((each[nodes].double() - center) @ plane).numpy()
        for each in (vector.target, vector.predicted)
    )
    for start, end in zip(target, predicted, strict=True):
        panel.plot(*np.stack([start, end]).T, color="C3", linewidth=1, zorder=3)
    panel.scatter(*_xy(target), s=30, color="black", zorder=4)
    panel.scatter(*_xy(predicted), s=45, color="C3", marker="x", zorder=5)
    handles = [
        _dot("0.85", "input (pale)"), _dot("black", "target"), _dot("C3", "prediction", marker="x"),
    ]  # fmt: skip
    return handles, np.concatenate([target, predicted])


def _draw_arrows(
    panel: Axes, vector: DrawnVector, nodes: slice, places: np.ndarray, plane: Tensor, bar: float
) -> tuple[list[Line2D], np.ndarray, str]:
    """Target and prediction as arrows at the nodes; gives legend, tips, and what a bar means."""
    both = [(each[nodes].double() @ plane).numpy() for each in (vector.target, vector.predicted)]
    if len(places) > _MOST_NAMED:  # more arrows would hide each other
        worst = np.linalg.norm(both[1] - both[0], axis=1).argsort()[-_MOST_ARROWS:]
        both, places = [each[worst] for each in both], places[worst]
    longest = max(float(np.linalg.norm(each, axis=1).max()) for each in both)
    per_bar = nice_length(longest) if longest > 0 and math.isfinite(longest) else 1.0
    handles = []
    for each, color, label in zip(both, ("black", "C3"), ("target", "prediction"), strict=True):
        panel.quiver(
            *_xy(places), *_xy(each), color=color, angles="xy", scale_units="xy",
            scale=per_bar / bar, width=0.009 if color == "black" else 0.006, zorder=4,
        )  # fmt: skip
        handles.append(Line2D([], [], color=color, label=f"{vector.name}, {label}"))
    tips = np.concatenate([places + each * bar / per_bar for each in both])
    return handles, tips, f"{per_bar:,g} {vector.unit}".rstrip()


def _shades(name: str, values: np.ndarray) -> Line2D:
    """An entry of a legend that says what the grey of nodes means."""
    return _dot("none", f"{name}: {values.min():.3g} (black) to {values.max():.3g} (white)")


def _xy(places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return places[:, 0], places[:, 1]


def _dot(color: Any, label: str, *, marker: str = "o") -> Line2D:
    edge = color if marker == "x" else "none" if color == "none" else "0.3"
    return Line2D(
        [], [], color=color, label=label, marker=marker, linestyle="none", markersize=7,
        markeredgecolor=edge, markeredgewidth=1.5 if marker == "x" else 0.6,
    )  # fmt: skip


def _plane(pos: Tensor) -> Tensor:
    """Two axes of largest extent ``[dim, 2]``; those of the plane itself in two dimensions."""
    if pos.shape[1] == 2:
        return torch.eye(2, dtype=pos.dtype)
    return torch.linalg.svd(pos - pos.mean(0), full_matrices=True).Vh[:2].T
