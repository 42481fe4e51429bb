"""Forecasts of trajectories, also by feeding predictions back into the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from geozoo.data import GeometricSpec
from geozoo.data.trajectories._trajectory import Trajectory, checked, given
from geozoo.data.trajectories._trajectory_folder import read_trajectories
from geozoo.data.trajectories.frame_windows import (
    WindowRules,
    make_windows,
    store_of,
    velocities,
)
from geozoo.hub.structures import predict_store

#: Extent of predicted positions, in multiples of that of the known frames, that is a divergence.
_MOST_SPREAD = 100.0

if TYPE_CHECKING:
    from geozoo.hub.ensemble import Ensemble
    from geozoo.hub.loading import TrainedModel


@dataclass(frozen=True)
class MotionForecast:
    """The predicted frames of a trajectory.

    Attributes:
        trajectory: the trajectory that was read.
        last: index of the last frame that the forecast depends on.
        frames: indices of the predicted frames ``[n]``, increasing.
        position: predicted positions ``[n, P, dim]``.
        velocity: predicted velocities ``[n, P, dim]``; None if the model does not predict them.
        rounds: how often the model was applied for each frame ``[n]``: 1 unless fed back.
        dt: time between frames.
        vel: velocities ``[P, dim]`` at the last frame; NaN if unknown.
    """

    trajectory: Trajectory
    last: int
    frames: np.ndarray
    position: np.ndarray
    velocity: np.ndarray | None
    rounds: np.ndarray
    dt: float
    vel: np.ndarray

    def errors(self, horizon: int) -> list[tuple[int, float, float, float]]:
        """Mean squared errors of the positions at each multiple of the horizon that is known.

        Args:
            horizon: frames from input to target.

        Returns:
            The number of rounds, and the errors of the model, of unchanged positions and of
            constant velocity, all from the last frame.
        """
        found = []
        pos = self.trajectory.pos
        for row, frame in enumerate(self.frames.tolist()):
            ahead = frame - self.last
            if ahead % horizon or frame >= len(pos) or not np.isfinite(pos[frame]).all():
                continue
            still = pos[self.last]
            moving = still + ahead * self.dt * self.vel
            errors = (
                float(np.square(each - pos[frame]).mean())
                for each in (self.position[row], still, moving)
            )
            found.append((int(self.rounds[row]), *errors))
        return found  # type: ignore[return-value]


def reads_trajectories(spec: GeometricSpec) -> bool:
    """Whether a model was trained on `geozoo.data.Trajectories`."""
    return "windows" in spec.record.other


def rules_of_model(spec: GeometricSpec) -> WindowRules:
    """How the inputs of a model are made from trajectories."""
    return WindowRules.from_dict(spec.record.other["windows"])


def read_motion(path: Path, spec: GeometricSpec) -> list[Trajectory]:
    """Read trajectories as in training.

    Args:
        path: a folder or a file, see `geozoo.data.Trajectories`.
        spec: the spec of the model's training data.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If the trajectories lack an input of the model, or differ in dimension or time
            step from those of training.
    """
    rules = rules_of_model(spec)
    states_time = spec.record.other.get("unit_of_time") != "frame"
    read, _ = read_trajectories(path, rules.features)
    stated = any(each.dt is not None for each in read)
    if stated and not states_time:
        raise ValueError(
            f"{path} states the time between frames, but the model was trained without: remove it"
        )
    found = checked(read, dt=rules.dt if states_time else None)
    for each in found:
        _check_fits(each, spec, rules)
    return found


def forecast_motion(
    model: TrainedModel | Ensemble, found: list[Trajectory], *, frames: int | None = None,
    last_frame: int | None = None, progress: Callable[[int], None] | None = None,
) -> list[MotionForecast]:  # fmt: skip
    """Predict the frames after the last one of each trajectory.

    Frames up to the horizon are predicted directly, each from the frame one horizon before it;
    later ones from predicted frames.

    Args:
        model: a model of `geozoo.data.Trajectories`.
        found: the trajectories.
        frames: number of frames to predict; None: the horizon.
        last_frame: number of the frame after which to predict; None: the last one.
        progress: called with 1 after each trajectory.

    Raises:
        ValueError: If a trajectory is too short or has gaps where it is used, or the model does not
            predict velocities that it needs as inputs.
    """
    spec = model.spec
    assert isinstance(spec, GeometricSpec)
    rules = rules_of_model(spec)
    frames = rules.horizon if frames is None else frames
    if frames > rules.horizon and rules.has_vel and "vel" not in rules.targets:
        raise ValueError(
            f"frames must be at most the horizon of {rules.horizon} frames: the model needs "
            "velocities, but does not predict them, so that predictions cannot be fed back. Train "
            "it with dataset.targets=[pos,vel]"
        )
    forecasts = []
    for each in found:
        forecasts.append(_forecast(model, each, rules, frames, _last(each, last_frame)))
        if progress is not None:
            progress(1)
    return forecasts


def _last(each: Trajectory, last_frame: int | None) -> int:
    """Index of the last frame that is used."""
    if last_frame is None:
        return each.num_frames - 1
    index, odd = divmod(last_frame - each.first_frame, each.frame_step)
    if odd or not 0 <= index < each.num_frames:
        end = each.first_frame + (each.num_frames - 1) * each.frame_step
        raise ValueError(
            f"last_frame must be a frame of {each.name}, {each.first_frame} to {end}, got "
            f"{last_frame}"
        )
    return index


def _forecast(
    model: TrainedModel | Ensemble, each: Trajectory, rules: WindowRules, frames: int, last: int
) -> MotionForecast:
    horizon, reach = rules.horizon, rules.reach
    inputs = np.arange(max(reach, last - horizon + 1), last + 1)
    inputs = inputs[inputs + horizon <= last + frames]
    _check_known(each, rules, inputs, last)
    if len(inputs) < horizon and reach and frames > horizon:
        raise ValueError(
            f"{each.name}: to feed predictions back, {horizon + reach} frames are needed up to the "
            f"last one used, got {last + 1}"
        )
    pos = np.full((last + 1 + frames, *each.pos.shape[1:]), np.nan)
    pos[: last + 1] = each.pos[: last + 1]
    vel, has_velocity = None, "vel" in rules.targets
    if has_velocity or each.vel is not None:
        # Differences of predicted frames would amplify their errors.
        vel = np.full_like(pos, np.nan)
        vel[: last + 1] = velocities(each, rules.dt)[: last + 1]
    rounds, number = np.zeros(len(pos), dtype=np.int64), 1
    spread = float(np.ptp(pos[inputs[0] : last + 1], axis=(0, 1)).max())
    while len(inputs):
        grown = replace(each, pos=pos, vel=vel)
        windows = make_windows(grown, inputs, rules, has_targets=False)
        values = predict_store(model, store_of([windows]))
        shape = (len(inputs), *pos.shape[1:])
        target = inputs + horizon
        pos[target] = values["position"].double().numpy().reshape(shape) + windows.centre
        if has_velocity:
            assert vel is not None
            vel[target] = values["velocity"].double().numpy().reshape(shape)
        rounds[target] = number
        _check_bounded(each, pos[target], spread, number, has_velocity=has_velocity)
        number += 1
        inputs = target[target + horizon <= last + frames]
    predicted = np.flatnonzero(rounds)
    return MotionForecast(
        each, last, predicted, pos[predicted],
        vel[predicted] if vel is not None and has_velocity else None,
        rounds[predicted], rules.dt, velocities(each, rules.dt)[last],
    )  # fmt: skip


def _check_bounded(
    each: Trajectory, pos: np.ndarray, spread: float, number: int, *, has_velocity: bool
) -> None:
    """Reject predictions that have left the region of the trajectory by orders of magnitude."""
    far = np.abs(pos - pos.mean(1, keepdims=True)).max()
    if number == 1 or (np.isfinite(pos).all() and far <= _MOST_SPREAD * max(spread, 1e-12)):
        return
    hint = "" if has_velocity else (
        "; velocities are differences of predicted positions, whose errors they amplify: train "
        "with dataset.targets=[pos,vel]"
    )  # fmt: skip
    raise ValueError(
        f"{each.name}: predictions that are fed back diverge in round {number}: reduce frames{hint}"
    )


def _check_known(each: Trajectory, rules: WindowRules, inputs: np.ndarray, last: int) -> None:
    if not len(inputs):
        raise ValueError(
            f"{each.name}: a prediction needs {rules.reach + 1} frames and a target within the "
            f"frames to predict; {last + 1} frames are used and the horizon is {rules.horizon}"
        )
    first = int(inputs[0]) - rules.reach
    used = replace(
        each, pos=each.pos[first : last + 1],
        vel=None if each.vel is None else each.vel[first : last + 1],
        first_frame=each.first_frame + first * each.frame_step,
    )  # fmt: skip
    if (gap := used.gap()) is not None:
        raise ValueError(f"{gap}; it is an input of the prediction")


def _check_fits(each: Trajectory, spec: GeometricSpec, rules: WindowRules) -> None:
    for what, own, wanted in (
        ("dimension", each.pos.shape[2], spec.dim),
        ("number of features", each.num_features, rules.num_features),
        ("vel", given(each.vel is not None), given(rules.has_vel)),
    ):
        if own != wanted:
            raise ValueError(f"{each.name}: {what} is {own}, but {wanted} in training")
    if rules.given_edges and each.edge_index is None:
        raise ValueError(f"{each.name} lacks edge_index, which the training files have")
    if rules.num_points not in (None, each.num_points):
        raise ValueError(
            f"{each.name} has {each.num_points} points, but {rules.num_points} in training, whose "
            "numbers are inputs of the model (inputs.point_index)"
        )
