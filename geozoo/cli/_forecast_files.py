"""Forecasts as files."""

from __future__ import annotations

import csv
from pathlib import Path

from geozoo.config.keys import repeated_keys
from geozoo.hub.ensemble import SPREAD
from geozoo.hub.forecasts import Forecast


def write_forecast(found: Forecast, path: Path) -> None:
    """Write a forecast as a table: a row for each step, a column for each sensor.

    Quantiles stand in further columns under ``<sensor>_q<percent>``, the spread of an ensemble
    under ``<sensor>_std``. Names with separators or quotes are quoted, and every number has the
    digits that tell it from its neighbours in its precision.

    Args:
        found: the forecast.
        path: the ``.csv`` file.

    Raises:
        ValueError: when two columns would have one name; names them.
    """
    groups = {"": found.values}
    groups |= {f"_q{100 * level:g}": array for level, array in (found.quantiles or {}).items()}
    if found.spread is not None:
        groups[SPREAD] = found.spread
    names = ["time", *(f"{name}{ending}" for ending in groups for name in found.sensor_ids)]
    if repeated := repeated_keys(names):
        raise ValueError(
            f"two columns of {path.name} would be called {', '.join(map(repr, repeated))}: sensors "
            f"must not be named time, or like another one with {', '.join([*groups][1:]) or 'more'}"
            " at its end"
        )
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        for step, moment in enumerate(found.times):
            # numpy's own text has the digits that the precision needs, Python's few exponents.
            numbers = [float(str(value)) for array in groups.values() for value in array[step]]
            writer.writerow([str(moment), *numbers])
