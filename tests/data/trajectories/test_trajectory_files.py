"""Files of trajectories that are refused by name."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from motion_samples import made, walks, write_folder, write_table

POS = walks()


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": POS[0, 0]}, "lacks pos"),
        ({"pos": POS[0, 0]}, r"pos must have shape \[frames, points, dim\].*got \(3, 3\)"),
        ({"pos": POS[..., :1]}, "dim 2 or 3"),
        ({"pos": POS, "vel": POS[:, :3], "dt": 1.0}, "vel must have the shape of pos"),
        ({"pos": POS, "vel": POS}, "not the time between frames: set dataset.dt"),
        ({"pos": POS, "x": np.ones(4)}, r"x holds constants of the points.*got \(4,\)"),
        ({"pos": POS[:3], "x": np.ones((3, 3))}, "a row per point or per trajectory"),
        ({"pos": POS, "x": np.array([1, np.nan, 2])}, "a feature of point 1 is missing"),
        ({"pos": POS, "edge_index": np.array([[0, 3], [1, 2]])}, "must be in 0..2"),
        ({"pos": POS, "edge_index": np.zeros((2, 2))}, "whole numbers of shape"),
        ({"pos": POS, "dt": -1.0}, "dt must be one positive number"),
        ({"pos": POS, "dt": 1.0, "time": np.arange(12.0)}, "both dt and time"),
        ({"pos": POS, "time": np.arange(11.0)}, r"time must have shape \[12\]"),
        ({"pos": POS, "time": np.r_[0:6, 7:13] * 0.1}, "after 0.5 comes 0.7"),
        ({"pos": POS, "time": -np.arange(12.0)}, "times must increase evenly"),
    ],
)
def test_arrays_are_refused(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ValueError, match=message) as told:
        _ = made(tmp_path / "a.npz").data
    assert "a.npz" in str(told.value)


def test_rounded_times_are_even(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", pos=POS, time=np.round(np.arange(12) / 120, 3))
    rules = made(tmp_path / "a.npz").spec.record.other["windows"]
    assert rules["dt"] == pytest.approx(1 / 120, rel=0.01)


def edited(path: Path, old: str, new: str, count: int = 1) -> Path:
    path.write_text(path.read_text().replace(old, new, count))
    return path


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("point", "joint", "lacks the columns point; .* It has trajectory, time, joint"),
        ("time", "clock", "lacks the columns frame or time"),
        (",hip,", ",knee,", "are both point knee in frame 0"),
        ("\nrun0,0.5,", "\nrun0,soon,", "line 5, column time: 'soon' is not a number"),
        ("\nrun0,0.5,hip,", "\nrun0,0.7,hip,", "times must increase evenly"),
        ("2.0,-", "2.5,-", "the feature mass of point knee changes over time"),
        ("mass,note", "mass,mass", "'mass' occurs twice"),
    ],
)
def test_tables_are_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    table = edited(write_table(tmp_path / "a.csv", POS), old, new)
    with pytest.raises(ValueError, match=message) as told:
        _ = made(table, inputs={"features": ["mass"]}).data
    assert "a.csv" in str(told.value)


def test_frames_of_tables_may_start_anywhere_and_have_gaps(tmp_path: Path) -> None:
    gone = tuple((0, 4, point) for point in range(3))
    table = write_table(tmp_path / "a.csv", POS, dt=None, left_out=gone)
    with pytest.raises(ValueError, match="run0, frame 14: no point has a position; 2 more"):
        _ = made(table).data
    assert len(made(table, missing="skip").store) == 5 * 8 - 3
    edited(table, "run1,21", "run1,2100", 3)
    with pytest.raises(ValueError, match="12 frames spread over 2091 steps"):
        _ = made(table, missing="skip").data


def test_files_must_agree(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, POS, dt=0.5)
    np.savez(folder / "u.npz", pos=POS[0], dt=0.6)
    with pytest.raises(
        ValueError, match=r"u.npz: the time between frames is 0.6, but 0.5 by trial_0"
    ):
        _ = made(folder).data
    np.savez(folder / "u.npz", pos=POS[0])
    with pytest.raises(ValueError, match="u.npz does not state the time between frames"):
        _ = made(folder).data
    _ = made(folder, dt=0.5).data
    np.savez(folder / "u.npz", pos=POS[0, ..., :2], dt=0.5)
    with pytest.raises(ValueError, match="u.npz: dimension is 2, but 3 in trial_0.npz"):
        _ = made(folder).data
    (folder / "v.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match=".csv and .npz files; keep one"):
        _ = made(folder).data
    with pytest.raises(FileNotFoundError, match="no .npz or .csv files"):
        _ = made(write_folder(tmp_path / "none", POS[:0])).data
    with pytest.raises(FileNotFoundError, match="there is no file or folder"):
        _ = made(tmp_path / "nothing").data


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"targets": ["vel"]}, r"targets must be \[pos\] or \[pos, vel\]"),
        ({"stride": 0}, "stride must be"), ({"dt": 0.0}, "dt must be positive"),
        ({"missing": "mask"}, "missing must be"),
        ({"inputs": {"history": 0}}, "inputs.history"),
        ({"inputs": {"up": [0, 0]}}, "inputs.up must be a direction"),
        ({"inputs": {"up": [0, 1]}}, "inputs.up must have 3 components"),
        ({"inputs": {"radius": 1.0, "edges": "a.csv"}}, "both given"),
        ({"inputs": {"features": ["mass"]}}, "lacks mass"),
        ({"split": {"fractions": [0.5, 0.5]}}, "three positive shares"),
        ({"split": {"by": "point"}}, "split.by must be"),
        ({"split": {"by": "time"}}, "split: val has no window; a window spans 5 frames"),
    ],
)  # fmt: skip
def test_options_are_checked(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    folder = write_folder(tmp_path, POS)
    with pytest.raises(ValueError, match=message):
        _ = made(folder, **options).data


def test_unknown_bones_and_few_trajectories(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "a", POS)
    (tmp_path / "bones.csv").write_text("from,to\n0,1\n1,7\n")
    with pytest.raises(ValueError, match="there is no point '7' in trial_0.npz; it has 0, 1, 2"):
        _ = made(folder, inputs={"edges": tmp_path / "bones.csv"}).data
    few = write_folder(tmp_path / "b", walks(2, frames=60))
    with pytest.raises(ValueError, match="at least three trajectories, got 2; set split.by=time"):
        _ = made(few, split={"by": "trajectory"}).data
    np.savez(tmp_path / "split.npz", train=[0], val=[1], test=[5])
    with pytest.raises(ValueError, match="lists trajectories 0 to 5; there are 2"):
        _ = made(few, split={"file": tmp_path / "split.npz"}).data


def test_velocities_in_another_unit_are_reported(tmp_path: Path, caplog) -> None:
    smooth = np.linspace(0, 1, 12)[None, :, None, None] * np.ones((3, 12, 2, 3))
    for factor, is_odd in ((1.0, False), (1000.0, True)):
        vel = np.full_like(smooth, factor / 11 / 0.1)
        np.savez(tmp_path / "a.npz", pos=smooth, vel=vel, dt=0.1)
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            _ = made(tmp_path / "a.npz").data
        assert ("points move 0.001 times as far" in caplog.text) == is_odd
