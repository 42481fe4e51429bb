"""Resampling a series to a regular time grid: steps without a row become unobserved."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from geozoo.data.traffic.series import TrafficSeries, gaps

#: A grid this many times as long as the table is rejected, unless it is short.
_FACTOR, _SHORT = 10, 20_000


def on_regular_grid(series: TrafficSeries) -> TrafficSeries:
    """The series on all steps from its first to its last time.

    A step without a row becomes unobserved, so that windows, lags and horizons count time steps
    rather than rows. All features of such a step are 0. One note is added for all gaps.

    Args:
        series: any series; one without gaps is returned unchanged.

    Raises:
        ValueError: If the grid would have more than 20 000 steps and more than ten times as many
            steps as rows; the message names the longest gap.
    """
    found = gaps(series.times, series.interval)
    if not found:
        return series
    step = np.timedelta64(60 * series.interval, "s")
    rows = (series.times - series.times[0]) // step
    count, source = int(rows[-1]) + 1, f"{series.source}: " if series.source else ""
    before, after, longest = max(found, key=lambda gap: gap[2])
    if count > max(_FACTOR * len(rows), _SHORT):
        raise ValueError(
            f"{source}{len(rows)} rows span {count} steps of {series.interval} minutes; the "
            f"longest gap, between {before} and {after}, has {longest} steps. Is a time mistyped? "
            "Otherwise split the table at the gap, or set a longer interval"
        )
    values = np.zeros((count, *series.values.shape[1:]), np.float32)
    observed = np.zeros((count, series.observed.shape[1]), bool)
    values[rows], observed[rows] = series.values, series.observed
    note = (
        f"{count - len(rows)} of {count} steps have no row and count as unobserved, in "
        f"{len(found)} gap{'s' * (len(found) > 1)}, the longest between {before} and {after} "
        f"({longest} steps)"
    )
    return replace(
        series, values=values, observed=observed, times=series.times[0] + step * np.arange(count),
        notes=(*series.notes, note),
    )  # fmt: skip


def check_row_steps(path: Path, times: np.ndarray, interval: int) -> None:
    """Check that the interval is the sampling interval of the rows.

    Args:
        path: the table, for the message.
        times: datetime64[s] of the rows, increasing.
        interval: minutes.

    Raises:
        ValueError: If no two rows are one interval apart, or rows are closer than that.
    """
    ahead = np.diff(times).astype("timedelta64[s]").astype(np.int64)
    ahead = ahead[ahead > 0]
    if not len(ahead) or ahead.min() == 60 * interval:
        return
    found = f"{ahead.min() / 60:g}"
    raise ValueError(
        f"{path}: the rows are {found} minutes apart, or a multiple of that, but the interval is "
        f"{interval} minutes. "
        + (
            "For training, set interval=null (as in the table); for a trained model, the table "
            "must have the interval of its training data"
            if ahead.min() > 60 * interval
            else "Average the rows over each step first, or train with the interval of the table"
        )
    )


def step_of_rows(path: Path, times: np.ndarray) -> int:
    """Sampling interval in minutes: the smallest step, which must also be the most common one.

    Raises:
        ValueError: If times never increase, or some rows are closer than most; the message names
            the first of them.
    """
    ahead = np.diff(times).astype("timedelta64[s]").astype(np.int64)
    steps, counts = np.unique(ahead[ahead > 0], return_counts=True)
    if not len(steps):
        raise ValueError(f"{path}: the times never increase, so interval must be given")
    common = steps[counts.argmax()]
    if counts[0] < counts.max():
        first = int(np.flatnonzero(ahead == steps[0])[0])
        raise ValueError(
            f"{path}: most rows are {common / 60:g} minutes apart, but {times[first]} and "
            f"{times[first + 1]} are {steps[0] / 60:g} minutes apart. Remove rows between the "
            "steps, or set interval"
        )
    return max(int(steps[0]) // 60, 1)
