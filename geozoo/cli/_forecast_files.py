"""Forecasts as files."""

from __future__ import annotations

import csv
from pathlib import Path

from geozoo.config.keys import repeated_keys
from geozoo.hub.ensemble import SPREAD
from geozoo.hub.forecasts import Forecast


def write_forecast(forecast: Forecast, path: Path) -> None:
    """Write a forecast as a table: a row for each step, a column for each sensor.

    Quantiles have columns ``<sensor>_q<percent>``, the spread of an ensemble ``<sensor>_std``.
    Names with separators or quotes are quoted, and every number has as many digits as its
    precision needs to be read back exactly.

    Args:
        forecast: the forecast.
        path: the ``.csv`` file.

    Raises:
        ValueError: If two columns would have the same name.
    """
    groups = {"": forecast.values}
    groups |= {f"_q{100 * level:g}": array for level, array in (forecast.quantiles or {}).items()}
    if forecast.spread is not None:
        groups[SPREAD] = forecast.spread
    names = ["time", *(f"{name}{ending}" for ending in groups for name in forecast.sensor_ids)]
    if repeated := repeated_keys(names):
        raise ValueError(
            f"{path.name} would have two columns named {', '.join(map(repr, repeated))}: a sensor "
            f"must not be named time, or like another one"
            f" with the suffix {', '.join([*groups][1:]) or '(none)'}"
        )
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        for step, moment in enumerate(forecast.times):
            # The text of numpy has the digits of the precision, that of Python rarely an exponent.
            numbers = [float(str(value)) for array in groups.values() for value in array[step]]
            writer.writerow([str(moment), *numbers])
