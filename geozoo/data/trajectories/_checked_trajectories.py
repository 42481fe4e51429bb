"""What trajectories have in common: the rules of their windows."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from geozoo.data.trajectories._trajectory import Trajectory
from geozoo.data.trajectories._trajectory_folder import bones_index, read_bones
from geozoo.data.trajectories.frame_windows import WindowRules
from geozoo.data.trajectories.trajectory_options import PointInputs

_LOG = logging.getLogger(__name__)
_TIME = re.compile(r"\s*([0-9.eE+-]+)\s*([^\s\d].*?)\s*")
#: Given velocities whose size differs by more than this factor from the motion are reported.
_ODD_FACTOR = 1.25


def horizon_in_frames(text: str, *, dt: float | None, time_unit: str, is_exact: bool = True) -> int:
    """A horizon that is given as a time, such as ``"0.1 s"``, in frames.

    Args:
        text: number and unit.
        dt: time between frames; None: unknown.
        time_unit: the unit of the time.
        is_exact: whether it must be a whole number of frames.

    Raises:
        ValueError: If it is not a time in this unit, or not a whole number of frames.
    """
    found = _TIME.fullmatch(text)
    try:
        time = float(found[1]) if found else float("nan")
    except ValueError:
        time = float("nan")
    if not (found and time > 0 and found[2] == time_unit):
        raise ValueError(
            f"horizon must be a whole number of frames, or a time in dataset.time_unit such as "
            f"'0.1 {time_unit}', got {text!r}"
        )
    if dt is None:
        raise ValueError(
            f"horizon={text!r} is a time, but the time between frames is not known: set dataset.dt"
        )
    frames = round(time / dt)
    if is_exact and (frames < 1 or abs(frames * dt - time) > 0.01 * dt):
        nearest = max(frames, 1)
        raise ValueError(
            f"horizon={text!r} is {time / dt:.4g} frames of {dt:g} {time_unit}; it must be a whole "
            f"number, such as {nearest} frames = {nearest * dt:g} {time_unit}"
        )
    return frames


def rules_of(
    found: Sequence[Trajectory], inputs: PointInputs, *, horizon: int | str,
    targets: Sequence[str], time_unit: str,
) -> WindowRules:  # fmt: skip
    """The rules of windows for these trajectories.

    Args:
        found: the trajectories, which agree in dimension, features and time step.
        inputs: what a model reads.
        horizon: frames or a time.
        targets: what is predicted.
        time_unit: unit of the time.

    Raises:
        ValueError: If an option does not fit the trajectories.
    """
    first = found[0]
    if isinstance(horizon, str):
        horizon = horizon_in_frames(horizon, dt=first.dt, time_unit=time_unit)
    dim = first.pos.shape[2]
    if inputs.up is not None and len(inputs.up) != dim:
        raise ValueError(f"inputs.up must have {dim} components, got {list(inputs.up)}")
    bones = [] if inputs.edges is None else read_bones(Path(inputs.edges).expanduser())
    for each in found if bones else []:
        bones_index(bones, each)
    if inputs.point_index:
        _check_same_points(found)
    is_given = first.edge_index is not None
    if is_given and (bones or inputs.radius is not None):
        used = "inputs.edges" if bones else "inputs.radius"
        _LOG.info("edge_index of the files is not read: %s is given", used)
    elif is_given:
        _report_one_way(found)
    return WindowRules(
        horizon=horizon, history=inputs.history, dt=first.dt or 1.0,
        has_vel=first.vel is not None, targets=tuple(targets), features=tuple(inputs.features),
        num_features=first.num_features, radius=inputs.radius,
        bones=tuple(bones), given_edges=is_given and not bones and inputs.radius is None,
        num_points=first.num_points if inputs.point_index else None,
        up=None if inputs.up is None else tuple(inputs.up),
    )  # fmt: skip


def velocity_warning(found: Sequence[Trajectory], dt: float) -> str | None:
    """A warning if given velocities do not fit the motion from frame to frame; None if they do.

    Args:
        found: the trajectories.
        dt: time between frames.
    """
    product = square = 0.0
    for each in found:
        if each.vel is None:
            continue
        moved = np.diff(each.pos, axis=0)
        mean = (each.vel[1:] + each.vel[:-1]) * (dt / 2)
        known = np.isfinite(moved) & np.isfinite(mean)
        product += float((moved * mean)[known].sum())
        square += float(np.square(mean[known]).sum())
    if square == 0:
        return None
    factor = product / square
    if 1 / _ODD_FACTOR < factor < _ODD_FACTOR:
        return None
    return (
        f"from frame to frame, points move {factor:.3g} times as far as vel times the time between "
        f"frames ({dt:g}): check dataset.dt and the unit of vel, or frames are far apart"
    )


def _check_same_points(found: Sequence[Trajectory]) -> None:
    first = found[0]
    for each in found:
        if (each.num_points, each.points) != (first.num_points, first.points):
            raise ValueError(
                f"inputs.point_index needs the same points in all trajectories; {each.name} has "
                f"{_listed(each)}, {first.name} has {_listed(first)}"
            )


def _listed(each: Trajectory) -> str:
    if each.points is None:
        return f"{each.num_points} points"
    return f"{each.num_points} points ({', '.join(each.points[:6])}, ...)"


def _report_one_way(found: Sequence[Trajectory]) -> None:
    for each in found:
        if each.edge_index is None:
            continue
        pairs = set(map(tuple, each.edge_index.T.tolist()))
        one_way = [pair for pair in pairs if pair[::-1] not in pairs]
        if one_way:
            _LOG.warning(
                "%s: %d of %d edges of edge_index have no reverse edge: along these, only the "
                "receiver (row 1) sees the sender (row 0)", each.name, len(one_way), len(pairs),
            )  # fmt: skip
            return
