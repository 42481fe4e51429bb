"""Graphs in space with their targets and predictions, one panel per graph."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from geozoo.figures.panels import Panels
from geozoo.figures.structures import Structure, draw_structure
from geozoo.figures.vectors import DrawnVector

#: Height in inches of a graph, of the legends below it, and of a title line.
_GRAPH, _LEGENDS, _LINE = 2.8, 0.6, 0.18


@dataclass(frozen=True)
class DrawnGraph:
    """A graph with its predictions.

    Attributes:
        lines: title lines.
        structure: the nodes in space.
        vector: a predicted vector per node; None: no vectors are drawn.
    """

    lines: Sequence[str]
    structure: Structure
    vector: DrawnVector | None = None


def plot_graphs(graphs: Sequence[DrawnGraph], path: Path) -> None:
    """Draw each graph with a scale bar, a legend and its title lines.

    Args:
        graphs: at least one.
        path: the PNG file.
    """
    height = _LEGENDS + _GRAPH + _LINE * (1 + max(len(graph.lines) for graph in graphs))
    panels = Panels(
        len(graphs), height=height, rect=(0.03, _LEGENDS / height, 0.94, _GRAPH / height)
    )
    known = _known_values([graph.structure for graph in graphs])
    for panel, graph in zip(panels.axes, graphs, strict=True):
        draw_structure(panel, graph.structure, graph.vector, known=known)
        panel.set_title("\n".join(graph.lines), fontsize=10)
    panels.save(path)


def _known_values(structures: Sequence[Structure]) -> np.ndarray | None:
    """Distinct values of a single feature over all graphs, for the same colours in all panels."""
    features = [each.x for each in structures if each.x is not None and each.x.shape[1] == 1]
    if len(features) < len(structures):
        return None
    return np.unique(np.concatenate([each.numpy() for each in features]))


def value_lines(name: str, target: float, predicted: float, unit: str) -> list[str]:
    """Target and prediction in two lines, rounded to two significant digits of their difference.

    >>> value_lines("energy", -17617085.12, -17618071.0, "meV")
    ['energy: target -17,617,085 meV', 'prediction -17,618,071 meV (error -986)']
    """
    error = predicted - target
    size = abs(error) or abs(target) or 1.0
    digits = max(0, 1 - math.floor(math.log10(size))) if math.isfinite(size) else 0
    return [
        f"{name}: target {target:,.{digits}f} {unit}".rstrip(),
        f"prediction {predicted:,.{digits}f} {unit}".rstrip() + f" (error {error:+,.{digits}f})",
    ]
