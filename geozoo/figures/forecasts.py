"""Figures of forecasts: error by horizon, forecast and target over time, error map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float
from torch import Tensor

from geozoo.figures.panels import Panels, legend_above

#: Number of sensors and windows shown by `plot_series`.
_SENSORS = 3
_WINDOWS = 576


def plot_horizon(
    errors: Mapping[str, Float[Tensor, " H"]], path: Path, *, unit: str, interval: int
) -> None:
    """Plot the error at each forecast step, one line per error measure.

    Args:
        errors: error at each step of the horizon, by name of the measure.
        path: the PNG file.
        unit: unit of the errors.
        interval: minutes between steps.
    """
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


def plot_series(
    series: Float[Tensor, "W 2 2 N"], path: Path, *, sensors: Sequence[object], unit: str,
    interval: int, horizon: int,
) -> None:  # fmt: skip
    """Plot the target and its forecasts one step and one horizon ahead, for a few sensors.

    Missing targets are shaded grey.

    Args:
        series: forecast and target (second axis) of all windows at the first and last step of the
            horizon (third axis); NaN if missing.
        path: the PNG file.
        sensors: sensor names ``[N]``.
        unit: unit of the values.
        interval: minutes between steps.
        horizon: number of steps of a forecast.
    """
    chosen = np.unique(np.linspace(0, series.shape[-1] - 1, _SENSORS).round().astype(int))
    panels = Panels(len(chosen))
    for panel, sensor in zip(panels.axes, chosen.tolist(), strict=True):
        shown = series[:_WINDOWS, :, :, sensor].numpy()
        steps = np.arange(len(shown))
        panel.plot(steps, shown[:, 1, 0], color="0.2", linewidth=1, label="target")
        panel.plot(steps, shown[:, 0, 0], linewidth=0.8, label=f"{interval} min ahead")
        late = steps + horizon - 1
        panel.plot(late, shown[:, 0, 1], linewidth=0.8, label=f"{interval * horizon} min ahead")
        missing = np.isnan(shown[:, 1, 0])
        low, high = panel.get_ylim()
        panel.fill_between(steps, low, high, where=missing, color="0.85", linewidth=0, step="mid")
        panel.set(xlabel="step of the test split", ylabel=unit, title=f"sensor {sensors[sensor]}")
        panel.set_ylim(low, high)
        legend_above(panel)
    panels.save(path)


def plot_error_map(
    errors: Float[Tensor, " N"], coordinates: Float[np.ndarray, "N 2"], path: Path, *, unit: str
) -> None:
    """Plot the mean absolute error of each sensor on a map.

    Args:
        errors: mean absolute error of each sensor.
        coordinates: latitude and longitude of the sensors in degrees.
        path: the PNG file.
        unit: unit of the errors.
    """
    panels = Panels(1)
    (panel,) = panels.axes
    dots = panel.scatter(
        coordinates[:, 1], coordinates[:, 0], c=errors.numpy(), s=14, cmap="viridis"
    )
    panel.figure.colorbar(dots, ax=panel, label=f"MAE ({unit})")
    panel.locator_params(nbins=4)
    panel.set(xlabel="longitude", ylabel="latitude", title="error of each sensor")
    panel.set_aspect(1.0 / np.cos(np.deg2rad(coordinates[:, 0].mean())), adjustable="datalim")
    panels.save(path)


def plot_windows(
    inputs: Float[Tensor, "B T N"], targets: Float[Tensor, "B H N"],
    forecasts: Float[Tensor, "B H N"], path: Path, *, windows: Sequence[int],
    sensors: Sequence[object], unit: str, interval: int,
) -> None:  # fmt: skip
    """Plot input, target and forecast of the sensor with the largest error in each window.

    Args:
        inputs: lookback windows; NaN where a reading is missing.
        targets: ground truth; NaN where it is missing.
        forecasts: predicted values.
        path: the PNG file.
        windows: index of each window in its series ``[B]``.
        sensors: sensor names ``[N]``.
        unit: unit of the values.
        interval: minutes between steps.
    """
    panels = Panels(len(windows), height=3.4)
    errors = (forecasts - targets).abs().nanmean(1).nan_to_num(-1.0)
    before = interval * np.arange(1 - inputs.shape[1], 1)
    ahead = interval * np.arange(1, targets.shape[1] + 1)
    for number, sensor in enumerate(errors.argmax(1).tolist()):
        panel = panels.axes[number]
        panel.plot(before, inputs[number, :, sensor], color="0.6", label="input")
        panel.plot(ahead, targets[number, :, sensor], color="0.2", label="target")
        panel.plot(ahead, forecasts[number, :, sensor], color="C3", label="forecast")
        panel.axvline(0, color="0.8", linewidth=1)
        error = f"MAE {float(errors[number, sensor]):.3g} {unit}"
        title = f"window {windows[number]}, sensor {sensors[sensor]}\n{error}"
        panel.set(xlabel="minutes from the last input", ylabel=unit)
        panel.set_title(title, fontsize=10)
        legend_above(panel, columns=3)
    panels.save(path)
