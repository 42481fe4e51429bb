"""Figures of a forecaster's test."""

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
    """Error by horizon, forecast and target over time, and a map of errors.

    Args:
        sample: forecasts of the last test.
        spec: the data specification.
        sensors: sensor names ``[N]``.
        coordinates: latitude and longitude of the sensors ``[N, 2]``; None: no map.
    """
    unit, interval = spec.units["y"], spec.interval
    by_horizon = partial(plot_horizon, sample.by_step(), unit=unit, interval=interval)
    forecasts = partial(
        plot_series, sample.series(), sensors=sensors, unit=unit, interval=interval,
        horizon=spec.horizon,
    )  # fmt: skip
    figures = [
        Figure("horizon", "Error by forecast horizon", by_horizon),
        Figure("forecast", "Forecast and target of selected sensors", forecasts),
    ]
    if coordinates is not None:
        draw = partial(plot_error_map, sample.mae_by_sensor(), coordinates, unit=unit)
        figures.append(Figure("error_map", "Mean absolute error of each sensor", draw))
    return figures
