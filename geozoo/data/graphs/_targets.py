"""The target of a set of graphs: its level, and whether it is a number or a class."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from geozoo.data.spec import Level
from geozoo.data.store import GraphStore


@dataclass(frozen=True)
class Target:
    """What is predicted.

    Attributes:
        name: name of the field, and of the column for one of several.
        level: one value per graph or per node.
        values: ``[G]`` or ``[N]``, float64 numbers or int64 classes.
        num_classes: number of classes; 0 for numbers.
    """

    name: str
    level: Level
    values: Tensor
    num_classes: int

    def __str__(self) -> str:
        """For the log."""
        kind = f"{self.num_classes} classes" if self.num_classes else "one number"
        task = "classification" if self.num_classes else "regression"
        return f"target {self.name}: {kind} per {self.level}, for task={task}"


def target_of(
    store: GraphStore, name: str, *, column: int | None = None, classes: bool | None = None
) -> Target:
    """The target of some graphs.

    Args:
        store: the graphs.
        name: name of the field.
        column: column of a field with several; None: the only one.
        classes: whether the values are class indices; None: if they are whole numbers.

    Raises:
        ValueError: If there is no such field, it has several columns and ``column`` is not set, or
            its values cannot be predicted.
    """
    fields = {**store.node, **store.graph}
    if name not in fields or name in ("pos", "x", "vec", "z"):
        known = ", ".join(key for key in fields if key not in ("pos", "x", "vec", "z"))
        kind = "is a field of edges" if name in store.edge else "is not a field to predict"
        raise ValueError(
            f"target: {name!r} {kind}; fields per node or graph: {known or 'none'}. Set target=..."
        )
    level: Level = "node" if name in store.node else "graph"
    values = _one_column(name, fields[name], column)
    is_whole = not values.is_floating_point()
    if classes is None:
        classes = is_whole
    if not classes:
        return Target(_named(name, column), level, values.double(), 0)
    if not is_whole and bool((values != values.round()).any()):
        raise ValueError(f"target: {name!r} must hold whole numbers for classes=true")
    labels = values.long()
    if len(labels) and int(labels.min()) < 0:
        raise ValueError(f"target: classes of {name!r} start at 0, got {int(labels.min())}")
    if level == "node":
        raise ValueError(
            f"target: {name!r} holds classes of nodes, which no task learns; tasks learn classes "
            "of graphs, and numbers of graphs or nodes. For numbers set classes=false"
        )
    num_classes = int(labels.max()) + 1
    absent = num_classes - len(torch.unique(labels))
    if num_classes < 2 or absent > num_classes // 2:
        raise ValueError(
            f"target: {name!r} has {num_classes} classes, {absent} of them without a graph; are "
            "these numbers? Then set classes=false"
        )
    return Target(_named(name, column), level, labels, num_classes)


def _named(name: str, column: int | None) -> str:
    return name if column is None else f"{name}_{column}"


def _one_column(name: str, values: Tensor, column: int | None) -> Tensor:
    flat = values.flatten(1) if values.ndim > 1 else values[:, None]
    width = flat.shape[1]
    if column is None and width != 1:
        raise ValueError(
            f"target: {name!r} has {width} columns (shape {tuple(values.shape)}); a run learns one "
            f"number: set target_column=0 ... {width - 1}. Vectors are not supported"
        )
    if column is not None and not 0 <= column < width:
        raise ValueError(f"target_column must be in 0..{width - 1} for {name!r}, got {column}")
    return flat[:, column or 0]
