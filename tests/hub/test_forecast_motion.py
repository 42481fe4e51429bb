"""Forecasts of trajectories: direct, fed back, and what is refused."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from geozoo.data import LoaderOptions, Trajectories
from geozoo.hub.trajectories import forecast_motion, read_motion


def steady(frames: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Points that move with constant velocity: positions ``[S, T, P, dim]`` and velocities."""
    rng = np.random.default_rng(0)
    vel = np.broadcast_to(rng.normal(size=(4, 1, 3, 3)), (4, frames, 3, 3))
    times = 0.5 * np.arange(frames)[None, :, None, None]
    return 1e5 + rng.normal(size=(4, 1, 3, 3)) + vel * times, np.array(vel)


def model_of(folder: Path, *, has_vel: bool, growth: float = 1.0, **options: Any) -> Any:
    """A model that continues with constant velocity, times a factor."""
    pos, vel = steady()
    arrays = {"pos": pos, "dt": 0.5} | ({"vel": vel} if has_vel else {})
    np.savez(folder / "a.npz", **arrays)
    data = Trajectories(path=folder / "a.npz", horizon=3, loader=LoaderOptions(4), **options)

    def predict(batch: Any) -> dict[str, torch.Tensor]:
        found = {"position": batch.pos + 1.5 * growth * batch.vec[:, 0]}
        if "vel" in data.targets:
            found["velocity"] = batch.vec[:, 0]
        return found

    return SimpleNamespace(spec=data.spec, device=torch.device("cpu"), predict=predict)


@pytest.mark.parametrize("has_vel", [False, True])
@pytest.mark.parametrize("targets", [["pos"], ["pos", "vel"]])
def test_constant_velocity_is_continued_over_several_rounds(
    tmp_path: Path, has_vel: bool, targets: list[str]
) -> None:
    model = model_of(tmp_path, has_vel=has_vel, targets=targets, inputs={"history": 2})
    found = read_motion(tmp_path / "a.npz", model.spec)
    if has_vel and targets == ["pos"]:
        with pytest.raises(
            ValueError, match=r"frames must be at most the horizon of 3.*\[pos,vel\]"
        ):
            forecast_motion(model, found, frames=8)
        return
    forecasts = forecast_motion(model, found, frames=8, last_frame=7)
    pos, vel = steady(20)
    for number, each in enumerate(forecasts):
        assert each.frames.tolist() == list(range(8, 16))
        assert each.rounds.tolist() == [1, 1, 1, 2, 2, 2, 3, 3]
        assert np.abs(each.position - pos[number, 8:16]).max() < 1e-3  # relative to 1e5
        assert (each.velocity is None) == (targets == ["pos"])
        ((rounds, own, still, moving),) = each.errors(3)  # frame 10 is known, 13 is not
        assert rounds == 1 and own < 1e-6 and moving < 1e-6
        assert still == pytest.approx(np.square(vel[number, 0] * 1.5).mean(), rel=1e-4)


def test_a_forecast_depends_on_no_later_frame(tmp_path: Path) -> None:
    model = model_of(tmp_path, has_vel=False)
    pos, _ = steady()
    pos[:, 8:] = np.nan
    np.savez(tmp_path / "b.npz", pos=pos, dt=0.5)
    one, other = (
        forecast_motion(model, read_motion(tmp_path / name, model.spec), frames=6, last_frame=7)
        for name in ("a.npz", "b.npz")
    )
    assert all(np.array_equal(a.position, b.position) for a, b in zip(one, other, strict=True))
    assert other[0].errors(3) == []
    with pytest.raises(ValueError, match="b.npz, trajectory 0, frame 8: no point.* an input"):
        forecast_motion(model, read_motion(tmp_path / "b.npz", model.spec))


def test_a_single_frame_with_velocities_gives_one_forecast(tmp_path: Path) -> None:
    model = model_of(tmp_path, has_vel=True, targets=["pos", "vel"])
    pos, vel = steady()
    np.savez(tmp_path / "b.npz", pos=pos[0, :1], vel=vel[0, :1], dt=0.5)
    (each,) = forecast_motion(model, read_motion(tmp_path / "b.npz", model.spec), frames=9)
    assert each.frames.tolist() == [3, 6, 9] and each.rounds.tolist() == [1, 2, 3]


def test_divergence_is_reported(tmp_path: Path) -> None:
    model = model_of(tmp_path, has_vel=False, growth=20.0)
    with pytest.raises(ValueError, match="diverge in round .: reduce frames; velocities are diff"):
        forecast_motion(model, read_motion(tmp_path / "a.npz", model.spec), frames=60)


def test_files_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    model = model_of(tmp_path, has_vel=False, inputs={"point_index": True})
    pos, vel = steady()
    for arrays, message in (
        ({"pos": pos[0, :, :, :2], "dt": 0.5}, "dimension is 2, but 3 in training"),
        ({"pos": pos[0], "dt": 0.6}, "the time between frames is 0.6, but 0.5"),
        ({"pos": pos[0], "vel": vel[0]}, "vel is given, but not given in training"),
        ({"pos": pos[0], "x": np.ones(3)}, "number of features is 1, but 0 in training"),
        ({"pos": pos[0, :, :2]}, "has 2 points, but 3 in training"),
    ):
        np.savez(tmp_path / "b.npz", **arrays)
        with pytest.raises(ValueError, match=message):
            read_motion(tmp_path / "b.npz", model.spec)
    np.savez(tmp_path / "b.npz", pos=pos[0, :3])
    found = read_motion(tmp_path / "b.npz", model.spec)
    with pytest.raises(ValueError, match="to feed predictions back, 4 frames are needed"):
        forecast_motion(model, found, frames=5)
    with pytest.raises(ValueError, match="last_frame must be a frame of b.npz, 0 to 2, got 9"):
        forecast_motion(model, found, last_frame=9)
