"""Normalisation statistics of a series, as a protocol defines them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import Tensor

from geozoo.data.traffic.protocol import PARTS, ForecastProtocol
from geozoo.data.traffic.series import TrafficSeries


def part_statistics(
    series: TrafficSeries, splits: Mapping[str, Tensor], rules: ForecastProtocol
) -> dict[str, list[list[float]]]:
    """``shift`` and ``scale`` of every split and feature, ``[3][F]``.

    Missing entries of the target are excluded. A constant feature has scale 1.

    Args:
        series: the series.
        splits: start steps of the windows of each split.
        rules: the protocol: statistics of which split, feature and entries.

    Raises:
        ValueError: If a split has no observed entry.
    """
    rows = {}
    for part in PARTS if rules.statistics == "own_part" else ("train",):
        rows[part] = _moments(series, splits[part], rules, part)
    table = [rows.get(part, rows["train"]) for part in PARTS]
    return {
        "shift": [mean.tolist() for mean, _ in table],
        "scale": [std.tolist() for _, std in table],
    }


def _moments(
    series: TrafficSeries, starts: Tensor, rules: ForecastProtocol, part: str
) -> tuple[np.ndarray, np.ndarray]:
    span = rules.span_of(starts)
    values = series.values[span].astype(np.float64)
    weight = np.ones(values.shape)
    weight[..., 0] = series.observed[span]
    if rules.statistics_over == "windows":
        weight *= _times_seen(len(values), rules.input_steps, starts)[:, None, None]
    total = weight.sum((0, 1))
    if not total.all():
        raise ValueError(
            f"{series.source}: the {part} split has no observed value of {series.features[0]}"
        )
    mean = (values * weight).sum((0, 1)) / total
    std = np.sqrt((np.square(values - mean) * weight).sum((0, 1)) / total)
    std = np.where(std > 0, std, 1.0)
    if rules.statistics_feature == "last":
        mean, std = np.full_like(mean, mean[-1]), np.full_like(std, std[-1])
    return mean, std


def _times_seen(num_steps: int, input_steps: int, starts: Tensor) -> np.ndarray:
    """Number of windows whose inputs contain each step, counted from the first window's start."""
    begins = np.bincount((starts - starts[0]).numpy(), minlength=num_steps)
    counts: np.ndarray = np.convolve(begins, np.ones(input_steps))[:num_steps]
    return counts
