"""A series whose every step is there: steps without a row are unobserved."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from geozoo.data.traffic.series import TrafficSeries, gaps

#: A grid this many times as long as the rows is refused, unless it is short.
_FACTOR, _SHORT = 10, 20_000


def on_regular_grid(series: TrafficSeries) -> TrafficSeries:
    """The series on all steps from its first time to its last.

    A step without a row becomes an unobserved one, so that windows, lags and horizons count time
    and not rows. All features of such a step are 0. Notes get one line for all gaps.

    Args:
        series: any series; one without gaps is returned as it is.

    Raises:
        ValueError: when the grid would have more than 20 000 steps and more than ten times as many
            as there are rows; names the longest gap.
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
            f"{source}{len(rows)} rows lie on {count} steps of {series.interval} minutes; the "
            f"longest gap, between {before} and {after}, has {longest} steps. Is a time mistyped? "
            "Otherwise cut the table at the gap, or give a longer interval"
        )
    values = np.zeros((count, *series.values.shape[1:]), np.float32)
    observed = np.zeros((count, series.observed.shape[1]), bool)
    values[rows], observed[rows] = series.values, series.observed
    note = (
        f"{count - len(rows)} of {count} steps have no row and count as unobserved; they lie in "
        f"{len(found)} gap{'s' * (len(found) > 1)}, the longest between {before} and {after} "
        f"({longest} steps)"
    )
    return replace(
        series, values=values, observed=observed, times=series.times[0] + step * np.arange(count),
        notes=(*series.notes, note),
    )  # fmt: skip


def check_row_steps(path: Path, times: np.ndarray, interval: int) -> None:
    """Refuse an interval that is not the one of the rows.

    Args:
        path: the table, for the message.
        times: datetime64[s] of the rows, rising.
        interval: minutes.

    Raises:
        ValueError: when no two rows are one interval apart, or rows are closer than that.
    """
    ahead = np.diff(times).astype("timedelta64[s]").astype(np.int64)
    ahead = ahead[ahead > 0]
    if not len(ahead) or ahead.min() == 60 * interval:
        return
    found = f"{ahead.min() / 60:g}"
    raise ValueError(
        f"{path}: the rows are {found} minutes apart, or a multiple of that, but steps of "
        f"{interval} minutes are needed. "
        + (
            "For training give interval=null (as in the table); a model needs a table with the "
            "steps of its training"
            if ahead.min() > 60 * interval
            else "Average the rows over each step first, or train with the interval of the table"
        )
    )


def step_of_rows(path: Path, times: np.ndarray) -> int:
    """Minutes from a row to the next: the smallest step, which must also be the most common one.

    Raises:
        ValueError: for times that never rise, or rows of which a few are closer than the others;
            names the first of them.
    """
    ahead = np.diff(times).astype("timedelta64[s]").astype(np.int64)
    steps, counts = np.unique(ahead[ahead > 0], return_counts=True)
    if not len(steps):
        raise ValueError(f"{path}: the times never rise, so the interval must be given")
    common = steps[counts.argmax()]
    if counts[0] < counts.max():
        first = int(np.flatnonzero(ahead == steps[0])[0])
        raise ValueError(
            f"{path}: most rows are {common / 60:g} minutes apart, but {times[first]} and "
            f"{times[first + 1]} are {steps[0] / 60:g}. Remove rows between the steps, or give the "
            "interval"
        )
    return max(int(steps[0]) // 60, 1)
