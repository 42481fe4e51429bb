"""Conversion of a batch to the graphs drawn in figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

from torch import Tensor

from geozoo.data import DataSpec
from geozoo.figures import DrawnGraph, DrawnVector, Structure
from geozoo.tasks._quantity import Quantity


def drawn_graphs(
    batch: Any, spec: DataSpec, vector: Quantity | None, predictions: Mapping[str, Tensor],
    targets: Mapping[str, Tensor], lines: Callable[[int, slice], list[str]],
) -> list[DrawnGraph]:  # fmt: skip
    """Each graph of a batch with its node vectors and title lines; all tensors are on the CPU.

    Args:
        batch: the graphs.
        spec: the data specification.
        vector: a quantity that is a vector per node; None: no vectors are drawn.
        predictions: predicted values by quantity.
        targets: target values by quantity.
        lines: returns the title lines of a graph from its position and its nodes in the batch.
    """
    x, z = batch.get("x"), batch.get("z")
    graphs = []
    for number, (first, end) in enumerate(pairwise(batch.ptr.tolist())):
        nodes = slice(first, end)
        structure = Structure(
            batch.pos[nodes], None if x is None else x[nodes], None if z is None else z[nodes],
            lattice=getattr(spec, "lattice", None), units=spec.units,
        )  # fmt: skip
        drawn = None
        if vector is not None:
            predicted, target = (
                each[vector.name].reshape(batch.num_nodes, -1, each[vector.name].shape[-1])[
                    nodes, 0
                ]
                for each in (predictions, targets)
            )
            unit = spec.units.get(vector.field, "")
            drawn = DrawnVector(vector.name, unit, predicted, target, vector.is_position)
        title = [f"graph {int(batch.index[number])}", *lines(number, nodes)]
        graphs.append(DrawnGraph(title, structure, drawn))
    return graphs
