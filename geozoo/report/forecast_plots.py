"""Pictures of forecasts: error by horizon, forecast against truth, error on the map."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.collections import PathCollection
from torch import Tensor

from geozoo.report.panels import Panels
from geozoo.report.plots import legend_above
from geozoo.tasks import Forecasting

#: Sensors and windows of the picture of forecasts.
_SENSORS = 3
_WINDOWS = 576


def plot_forecast(task: Forecasting, folder: Path, coordinates: np.ndarray | None) -> None:
    """Write the pictures of the last test.

    Args:
        task: the tested task.
        folder: where they go.
        coordinates: latitude and longitude of the sensors ``[N, 2]``; None: no map.
    """
    unit, interval = task.spec.units["y"], task.spec.interval
    _plot_horizon(task.sample.by_step(), folder / "horizon.png", unit=unit, interval=interval)
    _plot_series(task.sample.series(), folder / "forecast.png", unit=unit, task=task)
    if coordinates is not None:
        _plot_map(task.sample.mae_by_sensor(), coordinates, folder / "error_map.png", unit=unit)


def _plot_horizon(errors: dict[str, Tensor], path: Path, *, unit: str, interval: int) -> None:
    panels = Panels(1)
    (panel,) = panels.axes
    for name, values in errors.items():
        minutes = interval * np.arange(1, len(values) + 1)
        panel.plot(minutes, values.numpy(), marker="o", markersize=3, label=name.upper())
    panel.set(xlabel="minutes ahead", ylabel=unit, title="error by horizon")
    panel.set_ylim(bottom=0)
    panel.grid(alpha=0.3)
    panel.legend(frameon=False)
    panels.save(path)


def _plot_series(series: Tensor, path: Path, *, unit: str, task: Forecasting) -> None:
    """Target and the forecasts made one step and a whole horizon before, for a few sensors.

    A missing target is a grey band.
    """
    num_sensors = series.shape[-1]
    chosen = np.unique(np.linspace(0, num_sensors - 1, _SENSORS).round().astype(int))
    names = task.spec.record.sensors or range(num_sensors)
    panels = Panels(len(chosen))
    horizon = task.spec.horizon
    for panel, sensor in zip(panels.axes, chosen.tolist(), strict=True):
        shown = series[:_WINDOWS, :, :, sensor].numpy()
        steps = np.arange(len(shown))
        panel.plot(steps, shown[:, 1, 0], color="0.2", linewidth=1, label="target")
        near = f"{task.spec.interval} min ahead"
        panel.plot(steps, shown[:, 0, 0], linewidth=0.8, label=near)
        late = steps + horizon - 1
        far = f"{task.spec.interval * horizon} min ahead"
        panel.plot(late, shown[:, 0, 1], linewidth=0.8, label=far)
        missing = np.isnan(shown[:, 1, 0])
        low, high = panel.get_ylim()
        panel.fill_between(steps, low, high, where=missing, color="0.85", linewidth=0, step="mid")
        panel.set(xlabel="step of the test part", ylabel=unit, title=f"sensor {names[sensor]}")
        panel.set_ylim(low, high)
        legend_above(panel)
    panels.save(path)


def _plot_map(errors: Tensor, coordinates: np.ndarray, path: Path, *, unit: str) -> None:
    panels = Panels(1)
    (panel,) = panels.axes
    dots: PathCollection = panel.scatter(
        coordinates[:, 1], coordinates[:, 0], c=errors.numpy(), s=14, cmap="viridis"
    )
    panel.figure.colorbar(dots, ax=panel, label=f"MAE ({unit})")
    panel.locator_params(nbins=4)
    panel.set(xlabel="longitude", ylabel="latitude", title="error of each sensor")
    panel.set_aspect(1.0 / np.cos(np.deg2rad(coordinates[:, 0].mean())), adjustable="datalim")
    panels.save(path)
