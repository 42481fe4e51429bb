"""Properties of error measures and scores: unit, direction, and display in short tables."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal


@dataclass(frozen=True)
class Measure:
    """An error measure or score.

    Attributes:
        name: as in the name of a metric, ``<quantity>_<measure>`` or
            ``<quantity>_<measure>_<horizon>``.
        unit: a unit, or ``"same"`` or ``"squared"`` for the unit of the quantity or its square.
        higher_is_better: whether higher values are better; None if neither direction is, as for
            the coverage of an interval.
        is_headline: whether short tables show it.
    """

    name: str
    unit: Literal["same", "squared", "%", "nats", ""] = "same"
    higher_is_better: bool | None = False
    is_headline: bool = True

    def unit_of(self, unit: str) -> str:
        """The unit of the measure of a quantity in ``unit``.

        >>> MEASURES["mse"].unit_of("angstrom"), MEASURES["mape"].unit_of("mph")
        ('angstrom^2', '%')
        """
        if self.unit == "same":
            return unit
        if self.unit == "squared":
            return f"{unit}^2" if unit not in ("", "1") else unit
        return self.unit


_SCORES = (
    "atom_stability", "molecule_stability", "validity", "uniqueness", "novelty", "connected",
    "plausible",
)  # fmt: skip
#: Every measure of the zoo, by name.
MEASURES = {
    measure.name: measure
    for measure in (
        Measure("mae"),
        Measure("mse", unit="squared"),
        Measure("rmse", is_headline=False),
        Measure("mape", unit="%"),
        Measure("wmape", unit="%", is_headline=False),
        Measure("error", unit="%"),
        Measure("class_accuracy", unit="%", higher_is_better=True),
        Measure("mean_iou", unit="%", higher_is_better=True),
        Measure("auroc", unit="", higher_is_better=True),
        Measure("mean_auroc", unit="", higher_is_better=True),
        Measure("coverage", unit="%", higher_is_better=None),
        Measure("width", higher_is_better=None),
        Measure("pinball"),
        Measure("nll", unit="nats"),
        Measure("loss", unit="", is_headline=False),
        Measure("positions", unit="", is_headline=False),
        Measure("features", unit="", is_headline=False),
        *(Measure(name, unit="%", higher_is_better=True) for name in (*_SCORES, "valid_unique")),
        Measure("check", unit="%", higher_is_better=True, is_headline=False),
    )
}


def direction_of(monitor: str) -> Literal["min", "max"]:
    """Whether the best checkpoint minimises or maximises a validation metric.

    Args:
        monitor: name of the metric, such as ``"val/energy_mae"``.

    Raises:
        ValueError: If neither higher nor lower values of the measure are better.

    >>> direction_of("val/loss"), direction_of("val/molecule_stability")
    ('min', 'max')
    """
    measure = measure_of(monitor.removeprefix("val/"))
    if measure.higher_is_better is None:
        raise ValueError(
            f"monitor must be a metric to minimise or maximise; {monitor} has no best direction "
            "and cannot select a checkpoint"
        )
    return "max" if measure.higher_is_better else "min"


def measure_of(metric: str) -> Measure:
    """The measure in the name of a metric.

    Measures at a horizon step are always headline measures, since published tables show them.

    Args:
        metric: such as ``"force_mae"``, ``"flow_rmse_15min"`` or ``"validity"``; a name without a
            known measure counts as an error in the unit of its quantity.

    >>> measure_of("energy_rmse").is_headline, measure_of("flow_rmse_15min").is_headline
    (False, True)
    >>> measure_of("molecule_stability").higher_is_better
    True
    """
    if metric in MEASURES:
        return MEASURES[metric]
    parts = metric.split("_")
    for end in range(len(parts), 0, -1):
        for start in range(end):
            found = MEASURES.get("_".join(parts[start:end]))
            if found is not None:
                return found if end == len(parts) else replace(found, is_headline=True)
    return Measure(metric)
