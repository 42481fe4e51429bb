"""The figures of a tested forecaster."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from geozoo.data import ForecastSpec
from geozoo.figures import Figure, plot_error_map, plot_horizon, plot_series
from geozoo.tasks._forecast_sample import ForecastSample


def forecast_figures(
    sample: ForecastSample, spec: ForecastSpec, sensors: Sequence[object],
    coordinates: np.ndarray | None,
) -> list[Figure]:  # fmt: skip
    """Error by horizon, forecast against target, and the map of errors.

    Args:
        sample: of the last test.
        spec: the description of the data.
        sensors: names of the sensors ``[N]``.
        coordinates: latitude and longitude of the sensors ``[N, 2]``; None: no map.
    """
    unit, interval = spec.units["y"], spec.interval
    by_horizon = partial(plot_horizon, sample.by_step(), unit=unit, interval=interval)
    forecasts = partial(
        plot_series, sample.series(), sensors=sensors, unit=unit, interval=interval,
        horizon=spec.horizon,
    )  # fmt: skip
    found = [
        Figure("horizon", "Error by time ahead", by_horizon),
        Figure("forecast", "Forecast and target of some sensors", forecasts),
    ]
    if coordinates is not None:
        draw = partial(plot_error_map, sample.mae_by_sensor(), coordinates, unit=unit)
        found.append(Figure("error_map", "Where the sensors with the large errors are", draw))
    return found
