"""Predicted quantities and their error measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from geozoo.contracts import direction_of, measure_of


@dataclass(frozen=True)
class Quantity:
    """A predicted quantity.

    Attributes:
        name: name in metrics, such as ``"force"``.
        field: batch field of the target, such as ``"forces"``.
        measures: names of its error measures in ``geozoo.metrics.MEASURES``.
        is_vector: whether it rotates with the input.
        is_tensor: whether it is a rank-two tensor ``[..., dim, dim]`` that rotates with the input.
        level: ``"graph"`` or ``"node"``: one row per graph or per node; None: the level of the
            data.
        is_position: whether it is a node position, drawn as a point instead of an arrow.
    """

    name: str
    field: str
    measures: tuple[str, ...]
    is_vector: bool = False
    is_tensor: bool = False
    level: Literal["graph", "node"] | None = None
    is_position: bool = False


def metric_units(quantities: Sequence[Quantity], units: Mapping[str, str]) -> dict[str, str]:
    """Unit of each metric of the quantities, from the units of their batch fields."""
    return {
        f"{quantity.name}_{measure}": measure_of(measure).unit_of(units.get(quantity.field, ""))
        for quantity in quantities
        for measure in quantity.measures
    }


def checked_monitor(monitor: str | None, names: Sequence[str]) -> str:
    """The metric that selects the best checkpoint.

    Args:
        monitor: its name; None: the first of ``names``.
        names: metrics computed in validation.

    Raises:
        ValueError: If the metric is not computed or has no best direction.
    """
    if monitor is not None and monitor not in names:
        raise ValueError(f"monitor must be one of {', '.join(names)}; got {monitor!r}")
    chosen = monitor or names[0]
    direction_of(chosen)
    return chosen
