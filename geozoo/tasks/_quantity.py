"""What a task predicts and how its error is measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from geozoo.contracts import direction_of, measure_of


@dataclass(frozen=True)
class Quantity:
    """A predicted quantity.

    Attributes:
        name: its name in metrics, ``"force"``.
        field: the field of the batch that holds the target, ``"forces"``.
        measures: names of its error measures, of ``geozoo.metrics.MEASURES``.
        is_vector: whether it turns with the input.
        level: whether it has a row per ``"graph"`` or per ``"node"``; None: as the outputs of the
            model, the level of the data.
        is_position: whether it is a position of the nodes, which a figure draws as a point and no
            arrow.
    """

    name: str
    field: str
    measures: tuple[str, ...]
    is_vector: bool = False
    level: Literal["graph", "node"] | None = None
    is_position: bool = False


def metric_units(quantities: Sequence[Quantity], units: Mapping[str, str]) -> dict[str, str]:
    """Unit of every metric of some quantities, from the units of the fields."""
    return {
        f"{quantity.name}_{measure}": measure_of(measure).unit_of(units.get(quantity.field, ""))
        for quantity in quantities
        for measure in quantity.measures
    }


def checked_monitor(monitor: str | None, names: Sequence[str]) -> str:
    """The metric that chooses the best checkpoint.

    Args:
        monitor: its name; None: the first.
        names: what a validation computes.

    Raises:
        ValueError: for one that is not computed, or has no best value.
    """
    if monitor is not None and monitor not in names:
        raise ValueError(f"monitor must be one of {', '.join(names)}; got {monitor!r}")
    chosen = monitor or names[0]
    direction_of(chosen)
    return chosen
