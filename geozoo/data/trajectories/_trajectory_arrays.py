"""Trajectories in npz files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from geozoo.data.trajectories._trajectory import Trajectory, mean_step
from geozoo.files.numpy_arrays import read_npz

_OPTIONAL = ("vel", "edge_index", "dt", "time")


def read_arrays(
    path: Path, features: Sequence[str], *, is_reported: bool = True
) -> list[Trajectory]:
    """The trajectories of an npz file.

    Args:
        path: the file, with ``pos [T, P, dim]``, or ``pos [S, T, P, dim]`` for several;
            ``vel`` of the same shape, ``edge_index [2, E]``, and the time between frames ``dt`` or
            the times ``time [T]``, if known.
        features: arrays with constants of the points, ``[P]`` or ``[P, F]``, for several
            trajectories also with a leading axis ``S``; empty: ``x`` if there is one.
        is_reported: whether to log the names of arrays that are not read.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is corrupt, lacks an array, or shapes do not match.
    """
    optional = [*_OPTIONAL, *([] if features else ["x"])]
    arrays = read_npz(path, ["pos", *features], optional=optional, is_reported=is_reported)
    pos = arrays["pos"].astype(np.float64)
    if pos.ndim not in (3, 4) or pos.shape[-1] not in (2, 3) or 0 in pos.shape:
        raise ValueError(
            f"{path}: pos must have shape [frames, points, dim], or [trajectories, frames, points, "
            f"dim], with dim 2 or 3; got {arrays['pos'].shape}"
        )
    vel = arrays.get("vel")
    if vel is not None and vel.shape != pos.shape:
        raise ValueError(f"{path}: vel must have the shape of pos, {pos.shape}, got {vel.shape}")
    is_single = pos.ndim == 3
    pos = pos[None] if is_single else pos
    vels = [None] * len(pos) if vel is None else list(vel.astype(np.float64).reshape(pos.shape))
    names = [*features] if features else [name for name in ("x",) if name in arrays]
    columns = [_constants(path, name, arrays[name], pos.shape) for name in names]
    x = np.concatenate(columns, 2) if columns else None
    edge_index = _edges(path, arrays.get("edge_index"), pos.shape[2])
    dt = _time_step(path, arrays, pos.shape[1])
    return [
        Trajectory(
            name=path.name if is_single else f"{path.name}, trajectory {number}",
            pos=each, vel=vels[number], x=None if x is None else x[number],
            edge_index=edge_index, dt=dt,
        )
        for number, each in enumerate(pos)
    ]  # fmt: skip


def _constants(path: Path, name: str, array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """An array of features as ``[S, P, F]``."""
    count, _, points, _ = shape
    values = array.astype(np.float64)
    wide, each = (points, -1), (count, points, -1)
    if values.ndim == 3 and values.shape[:2] == (count, points):
        return values
    is_common = values.ndim in (1, 2) and values.shape[0] == points
    is_own = values.ndim == 2 and values.shape == (count, points)
    if is_common and is_own and count > 1:
        raise ValueError(
            f"{path}: {name} of shape {array.shape} may have a row per point or per trajectory; "
            "give it the shape [trajectories, points, features]"
        )
    if is_common:
        return np.broadcast_to(values.reshape(wide), (count, points, values.size // points))
    if is_own:
        return values.reshape(each)
    raise ValueError(
        f"{path}: {name} holds constants of the points and must have shape [{points}], "
        f"[{points}, features] or [{count}, {points}, features], got {array.shape}"
    )


def _edges(path: Path, array: np.ndarray | None, points: int) -> np.ndarray | None:
    if array is None:
        return None
    if array.ndim != 2 or len(array) != 2 or array.dtype.kind not in "iu":
        raise ValueError(
            f"{path}: edge_index must hold whole numbers of shape [2, edges], senders and "
            f"receivers, got {array.dtype} {array.shape}"
        )
    index = array.astype(np.int64)
    if index.size and (index.min() < 0 or index.max() >= points):
        raise ValueError(
            f"{path}: edge_index must be in 0..{points - 1}, the points of the file, got "
            f"{index.min()} to {index.max()}"
        )
    return index


def _time_step(path: Path, arrays: dict[str, np.ndarray], frames: int) -> float | None:
    if "dt" in arrays and "time" in arrays:
        raise ValueError(f"{path} has both dt and time; keep one of them")
    if "dt" in arrays:
        dt = arrays["dt"]
        if dt.size != 1 or not np.isfinite(dt).all() or not float(dt.reshape(-1)[0]) > 0:
            raise ValueError(f"{path}: dt must be one positive number, got {dt}")
        return float(dt.reshape(-1)[0])
    if "time" not in arrays:
        return None
    time = arrays["time"].astype(np.float64)
    if time.shape != (frames,):
        raise ValueError(
            f"{path}: time must have shape [{frames}], one per frame, got {time.shape}"
        )
    return mean_step(str(path), time)
