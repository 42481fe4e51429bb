"""Similarity of the mean days of sensors, by dynamic time warping."""

from __future__ import annotations

import hashlib
import logging
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType

import numpy as np
from jaxtyping import Bool, Float, Int

from geozoo.files.folders import atomic_path
from geozoo.files.numpy_arrays import read_npy
from geozoo.files.progress import progress_bar

_LOG = logging.getLogger(__name__)
#: Part of the hash of a cached file; changes with the algorithm.
_VERSION = 1
_PAIRS_WITH_BAR = 5000
_ROWS = 16


def mean_day(
    values: Float[np.ndarray, "S N"],
    slots: Int[np.ndarray, " S"],
    slots_per_day: int,
    *,
    observed: Bool[np.ndarray, "S N"],
) -> Float[np.ndarray, "slots N"]:
    """Mean daily profile of every sensor, over the observed entries.

    A time of day at which a sensor was never observed gets the sensor's mean; a sensor that never
    reports gets 0.

    Args:
        values: the series.
        slots: index of each step within its day.
        slots_per_day: number of steps per day.
        observed: mask of the observed entries.

    Raises:
        ValueError: If a slot is not in ``0..slots_per_day - 1``.
    """
    if len(slots) and (slots.min() < 0 or slots.max() >= slots_per_day):
        raise ValueError(f"slots must lie in 0..{slots_per_day - 1}, got {slots.max()}")
    sums = np.zeros((slots_per_day, values.shape[1]))
    counts = np.zeros_like(sums)
    np.add.at(sums, slots, np.where(observed, values, 0.0))
    np.add.at(counts, slots, observed)
    mean = sums.sum(0) / np.maximum(counts.sum(0), 1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), mean)


def dtw_distances(
    days: Float[np.ndarray, "slots N"], *, window: int | None = None, folder: Path | None = None
) -> Float[np.ndarray, "N N"]:
    r"""Dynamic time warping distances between all pairs of days, :math:`\min \sum |x_i - y_j|`.

    Exact, by dtaidistance, in parallel if it was built with OpenMP.

    Args:
        days: the daily profiles as columns.
        window: largest warping shift in steps; None: unlimited.
        folder: cache folder, where the file name contains a hash of days and settings; None: no
            cache.

    Returns:
        Symmetric float64 matrix, in the unit of the days.

    Raises:
        ValueError: If values are NaN or infinite, a distance overflows, or the window is below 1.
        ImportError: If dtaidistance is not installed.
    """
    days = np.ascontiguousarray(days.T, dtype=np.float64)
    if not np.isfinite(days).all():
        raise ValueError("days must be finite")
    if window is not None and window < 1:
        raise ValueError(f"window must be at least 1 step, got {window}")
    digest = hashlib.sha256(days.tobytes() + f"{days.shape}{window}v{_VERSION}".encode())
    path = None if folder is None else folder / f"dtw_{digest.hexdigest()[:16]}.npy"
    if path is not None and path.is_file():
        try:
            return read_npy(path)
        except ValueError as error:
            _LOG.warning("recomputing the cached file: %s", error)
    distances = _all_pairs(days, window)
    if path is not None:
        with atomic_path(path) as partial, partial.open("wb") as file:
            np.save(file, distances)
    return distances


def _all_pairs(days: Float[np.ndarray, "N slots"], window: int | None) -> np.ndarray:
    total = len(days) * (len(days) - 1) // 2
    _LOG.info("dynamic time warping of %d pairs of days", total)
    measure = _library().distance_matrix_fast
    upper = np.zeros((len(days), len(days)))
    # Half a millisecond per pair of 288 steps: noticeable only for larger networks.
    bar = progress_bar("Comparing days", total) if total > _PAIRS_WITH_BAR else nullcontext(int)
    with bar as advance:
        for first in range(0, len(days) - 1, _ROWS):
            last = min(first + _ROWS, len(days))
            block = ((first, last), (first, len(days)))
            found = measure(days, block=block, window=window, inner_dist="euclidean")
            rows = np.triu(np.asarray(found, dtype=np.float64), 1)[first:last]
            asked = np.triu(np.ones_like(upper, dtype=bool), 1)[first:last]
            _check_finite(rows, asked, first)
            upper[first:last] = np.where(asked, rows, 0.0)  # the library leaves inf elsewhere
            advance(sum(len(days) - 1 - row for row in range(first, last)))
    return upper + upper.T


def _check_finite(
    rows: Float[np.ndarray, "R N"], asked: Bool[np.ndarray, "R N"], first: int
) -> None:
    """Raise an error for an infinite distance, which must not be replaced by 0 (equal days)."""
    bad = np.argwhere(asked & ~np.isfinite(rows))
    if len(bad):
        row, column = bad[0].tolist()
        raise ValueError(
            f"the distance between the days of sensors {first + row} and {column} overflows "
            f"({len(bad)} such pairs so far): their values are too large"
        )


def _library() -> ModuleType:
    try:
        from dtaidistance import dtw
    except ImportError as error:
        raise ImportError(
            "the semantic graph requires dtaidistance: pip install 'geozoo[traffic]'"
        ) from error
    return dtw
