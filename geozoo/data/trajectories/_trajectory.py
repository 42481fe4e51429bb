"""One trajectory: points over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64, Int64

#: Largest relative difference of the time steps of two trajectories.
_STEP_TOLERANCE = 0.01
#: Largest deviation of a time from an even grid, in steps: times may be rounded.
_JITTER = 0.1


@dataclass(frozen=True, kw_only=True)
class Trajectory:
    """Points over time; NaN where a position or velocity is missing.

    Attributes:
        name: file, and number or name of the trajectory within it.
        pos: positions.
        vel: velocities; None: not given.
        x: constants of the points; None without any.
        edge_index: senders and receivers; None: not given.
        dt: time between frames; None: not given.
        points: names of the points; None: they are numbered from 0.
        first_frame: number of the first frame in the file, for messages.
        frame_step: step of these numbers.
    """

    name: str
    pos: Float64[np.ndarray, "T P dim"]
    vel: Float64[np.ndarray, "T P dim"] | None = None
    x: Float64[np.ndarray, "P F"] | None = None
    edge_index: Int64[np.ndarray, "2 E"] | None = None
    dt: float | None = None
    points: tuple[str, ...] | None = None
    first_frame: int = 0
    frame_step: int = 1

    @property
    def num_frames(self) -> int:
        """Number of frames."""
        return len(self.pos)

    @property
    def num_points(self) -> int:
        """Number of points."""
        return self.pos.shape[1]

    @property
    def num_features(self) -> int:
        """Number of constants of each point."""
        return 0 if self.x is None else self.x.shape[1]

    def point(self, number: int) -> str:
        """Name of a point for messages."""
        return str(number) if self.points is None else self.points[number]

    def complete_frames(self) -> np.ndarray:
        """Whether all positions and velocities of a frame are known, bool ``[T]``."""
        known = np.isfinite(self.pos).all((1, 2))
        return known if self.vel is None else known & np.isfinite(self.vel).all((1, 2))

    def gap(self) -> str | None:
        """Description of the first missing value; None without one."""
        for kind, values in (("position", self.pos), ("velocity", self.vel)):
            if values is None or np.isfinite(values).all():
                continue
            odd = ~np.isfinite(values).all(2)
            frame, point = (int(each) for each in np.argwhere(odd)[0])
            label = self.first_frame + frame * self.frame_step
            more = f"; {int(odd.sum()) - 1} more are missing" if odd.sum() > 1 else ""
            if odd[frame].all() and self.num_points > 1:
                return f"{self.name}, frame {label}: no point has a {kind}{more}"
            return f"{self.name}, frame {label}: point {self.point(point)} has no {kind}{more}"
        return None


def checked(trajectories: Sequence[Trajectory], *, dt: float | None) -> list[Trajectory]:
    """The trajectories with their time step, if they agree in what a model takes for granted.

    Args:
        trajectories: all trajectories.
        dt: time between frames, if the files do not state it.

    Raises:
        ValueError: If they differ in dimension, columns, time step, or in whether they have
            velocities, features or edges; or features are missing.
    """
    first = trajectories[0]
    for each in trajectories:
        for what, own, other in (
            ("dimension", each.pos.shape[2], first.pos.shape[2]),
            ("vel", given(each.vel is not None), given(first.vel is not None)),
            (
                "edge_index",
                given(each.edge_index is not None),
                given(first.edge_index is not None),
            ),
            ("number of features", each.num_features, first.num_features),
        ):
            if own != other:
                raise ValueError(
                    f"{each.name}: {what} is {own}, but {other} in {first.name}; all trajectories "
                    "must agree"
                )
        if each.x is not None and not np.isfinite(each.x).all():
            point = int(np.argwhere(~np.isfinite(each.x))[0, 0])
            raise ValueError(f"{each.name}: a feature of point {each.point(point)} is missing")
    return [replace(each, dt=_time_step(each, first, dt)) for each in trajectories]


def given(is_given: bool) -> str:
    """Whether an input is given, in words."""
    return "given" if is_given else "not given"


def _time_step(each: Trajectory, first: Trajectory, dt: float | None) -> float | None:
    wanted = dt if dt is not None else first.dt
    if each.dt is None:
        if dt is None and first.dt is not None:
            raise ValueError(
                f"{each.name} does not state the time between frames, {first.name} does "
                f"({first.dt:g}): set dataset.dt if it is that of all files"
            )
        if dt is None and each.vel is not None:
            raise ValueError(
                f"{each.name} has velocities, but not the time between frames: set dataset.dt, or "
                "add an array dt or time (a column time of a table)"
            )
        return dt
    assert wanted is not None
    if abs(each.dt - wanted) > _STEP_TOLERANCE * abs(wanted):
        source = "dataset.dt" if dt is not None else first.name
        raise ValueError(
            f"{each.name}: the time between frames is {each.dt:.6g}, but {wanted:.6g} by {source}; "
            "a horizon in frames must be the same time everywhere: resample the files"
        )
    return wanted


def mean_step(name: str, times: np.ndarray, frames: np.ndarray | None = None) -> float:
    """The time between frames.

    Args:
        name: the trajectory, for messages.
        times: times of frames.
        frames: whole numbers of these frames; None: one after the other.

    Raises:
        ValueError: If times do not increase evenly, up to rounding; the message names the
            oddest step.
    """
    if times.ndim != 1 or not np.isfinite(times).all():
        raise ValueError(f"{name}: time must be one finite number per frame, got {times.shape}")
    if len(times) < 2:
        raise ValueError(f"{name}: a trajectory must have at least two frames, got {len(times)}")
    frames = np.arange(len(times)) if frames is None else frames
    step = float((times[-1] - times[0]) / (frames[-1] - frames[0]))
    odd = ~(np.abs(times - times[0] - step * (frames - frames[0])) <= _JITTER * abs(step))
    if step <= 0 or odd.any():
        steps = np.diff(times) / np.diff(frames)
        place = int(np.argmax(np.abs(steps - np.median(steps)))) + 1
        raise ValueError(
            f"{name}: times must increase evenly; after {times[place - 1]:.9g} comes "
            f"{times[place]:.9g}, the mean step is {step:.6g}. Resample the trajectory"
        )
    return step
