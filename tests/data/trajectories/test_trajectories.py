"""``dataset=trajectories``: windows by hand, no leak of later frames, splits, scales."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from motion_samples import made, walks, write_folder, write_table
from torch.testing import assert_close

from geozoo.data import GraphStore
from geozoo.data.trajectories.frame_windows import WindowRules


def store(data: object) -> GraphStore:
    found = data.store  # type: ignore[attr-defined]
    assert isinstance(found, GraphStore)
    return found


def test_windows_without_velocities_are_those_computed_by_hand(tmp_path: Path) -> None:
    pos = walks()
    data = made(
        write_folder(tmp_path, pos, dt=0.5), inputs={"history": 2, "up": [0, 0, 2]}, stride=2,
        targets=["pos", "vel"],
    )  # fmt: skip
    # Two differences need two earlier frames: input frames 2, 4, 6, 8 of 12 with horizon 3.
    assert len(store(data)) == 5 * 4
    for number in (0, 5, 19):
        trial, frame = number // 4, 2 + 2 * (number % 4)
        batch, p = store(data).gather([number]), torch.from_numpy(pos[trial])
        centre = p[frame].mean(0)
        assert_close(batch.pos, (p[frame] - centre).float())
        assert_close(batch.y, (p[frame + 3] - centre).float())
        assert_close(batch.y_vel, ((p[frame + 3] - p[frame + 2]) / 0.5).float())
        assert_close(batch.vec[:, 0], ((p[frame] - p[frame - 1]) / 0.5).float())
        assert_close(batch.vec[:, 1], ((p[frame - 1] - p[frame - 2]) / 0.5).float())
        assert_close(batch.vec[:, 2], torch.tensor([[0.0, 0, 1]]).expand(3, 3))
        assert_close(batch.x, torch.ones(3, 1))
    assert data.spec.units["y_vel"] == "length/time"
    assert (data.spec.in_vectors, data.spec.out_vectors, data.spec.in_channels) == (3, 2, 1)


def test_given_velocities_and_features_are_read(tmp_path: Path) -> None:
    pos, vel = walks(dim=2), walks(dim=2) * 0.1
    mass = np.array([1.0, 2, 3])
    np.savez(tmp_path / "all.npz", pos=pos, vel=vel, x=mass, dt=0.1)
    data = made(tmp_path / "all.npz", inputs={"point_index": True, "history": 2})
    assert len(store(data)) == 5 * 8  # input frames 1 to 8
    batch = store(data).gather([3])
    assert_close(batch.vec[:, 0], torch.from_numpy(vel[0, 4]).float())
    assert_close(batch.vec[:, 1], torch.from_numpy(vel[0, 3]).float())
    assert_close(batch.x, torch.cat([torch.tensor([[1.0], [2], [3]]), torch.eye(3)], 1))
    assert data.spec.dim == 2 and data.spec.in_channels == 4


@pytest.mark.parametrize("history", [1, 2, 3])
@pytest.mark.parametrize("has_vel", [False, True])
def test_no_input_depends_on_a_later_frame(tmp_path: Path, has_vel: bool, history: int) -> None:
    pos, frame = walks(count=3), 6
    later = pos.copy()
    later[:, frame + 1 :] += 7.0
    batches = []
    for name, values in (("a", pos), ("b", later)):
        arrays = {"pos": values, "dt": 1.0} | ({"vel": values / 3} if has_vel else {})
        np.savez(tmp_path / f"{name}.npz", **arrays)
        data = made(tmp_path / f"{name}.npz", inputs={"history": history, "radius": 2.0})
        first = history - has_vel
        batches.append(store(data).gather([frame - first]))
    for field in ("pos", "vec", "x", "edge_index"):
        assert torch.equal(getattr(batches[0], field), getattr(batches[1], field))
    assert not torch.equal(batches[0].y, batches[1].y)


def test_whole_trajectories_are_split(tmp_path: Path) -> None:
    data = made(write_folder(tmp_path, walks(20)))
    windows = 8  # of each trajectory
    owners = {part: set((index // windows).tolist()) for part, index in data.splits.items()}
    assert [len(owners[part]) for part in ("train", "val", "test")] == [16, 2, 2]
    assert not owners["train"] & owners["val"] and not owners["val"] & owners["test"]
    names = sorted(path.name for path in tmp_path.iterdir())
    assert set(data.test_parts) == {names[number] for number in owners["test"]}
    again = made(tmp_path, split={"seed": 1})
    assert set((again.splits["test"] // windows).tolist()) != owners["test"]


def test_a_split_by_time_uses_no_frame_twice(tmp_path: Path) -> None:
    pos = np.arange(40.0)[None, :, None, None] * np.ones((2, 1, 2, 3))
    data = made(write_folder(tmp_path, pos, dt=1.0), split={"fractions": [0.5, 0.25, 0.25]})
    assert "by time" in data.spec.record.split  # two trajectories: by time
    used: dict[str, set[int]] = {}
    for part, index in data.splits.items():
        frames = index % 36 + 1
        used[part] = {int(f) + step for f in frames for step in (-1, 0, 1, 2, 3)}
    assert used["train"] == set(range(20))
    assert used["val"] == set(range(20, 30)) and used["test"] == set(range(30, 40))


def test_trajectories_of_a_file_are_split_as_given(tmp_path: Path) -> None:
    np.savez(tmp_path / "split.npz", train=[4, 0], val=[1], test=[3])
    np.savez(tmp_path / "all.npz", pos=walks())
    data = made(tmp_path / "all.npz", split={"file": tmp_path / "split.npz"})
    assert sorted(set((data.splits["train"] // 8).tolist())) == [0, 4]
    assert set((data.splits["test"] // 8).tolist()) == {3}


def test_a_table_holds_the_same_as_arrays(tmp_path: Path) -> None:
    pos, vel = walks(), walks() * 0.1
    np.savez(tmp_path / "a.npz", pos=pos, vel=vel, mass=np.array([1.0, 2, 3]), dt=0.5)
    options = {"inputs": {"features": ["mass"]}}
    one = made(tmp_path / "a.npz", **options)
    for separator in (",", ";"):
        table = write_table(tmp_path / "b.csv", pos, vel=vel, separator=separator)
        other = made(table, **options)
        whole, same = store(one).whole(), store(other).whole()
        for field in ("pos", "vec", "x", "y"):
            assert_close(getattr(whole, field), getattr(same, field))
        for name, value in one.spec.statistics.items():
            assert other.spec.statistics[name] == pytest.approx(value)


def test_points_may_differ_between_files(tmp_path: Path) -> None:
    for number, points in enumerate((2, 3, 4, 5)):
        np.savez(tmp_path / f"{number}.npz", pos=walks(1, points=points)[0])
    data = made(tmp_path)
    assert store(data).num_nodes.unique().tolist() == [2, 3, 4, 5]
    with pytest.raises(ValueError, match="point_index needs the same points.*1.npz has 3 points"):
        _ = made(tmp_path, inputs={"point_index": True}).data


def test_neighbours_come_from_files_bones_or_a_radius(tmp_path: Path, caplog) -> None:
    caplog.set_level(logging.INFO)
    pos = walks(3)
    edges = np.array([[0, 1], [1, 2]])
    np.savez(tmp_path / "a.npz", pos=pos, edge_index=edges)
    batch = store(made(tmp_path / "a.npz")).gather([1, 0])
    assert batch.edge_index.tolist() == [[0, 1, 3, 4], [1, 2, 4, 5]]
    assert "2 of 2 edges of edge_index have no reverse edge" in caplog.text
    table = write_table(tmp_path / "a.csv", pos)
    (tmp_path / "bones.csv").write_text("from,to\nhip,knee\nknee,toe\n")
    bones = made(table, inputs={"edges": tmp_path / "bones.csv"})
    batch = store(bones).gather([0])
    assert sorted(map(tuple, batch.edge_index.T.tolist())) == [(0, 1), (1, 0), (1, 2), (2, 1)]
    near = made(tmp_path / "a.npz", inputs={"radius": 3.0})
    batch = store(near).gather([4, 2])
    found = set(map(tuple, batch.edge_index.T.tolist()))
    distance = torch.cdist(batch.pos, batch.pos)
    same = batch.batch[:, None] == batch.batch
    expected = (distance < 3.0) & same & ~torch.eye(6, dtype=torch.bool)
    assert found == set(map(tuple, expected.nonzero().tolist()))
    assert "edge_index of the files is not read: inputs.radius is given" in caplog.text
    assert made(table).spec.has_edges is False


def test_scales_come_from_the_training_windows(tmp_path: Path) -> None:
    data = made(write_folder(tmp_path, walks(20)), targets=["pos", "vel"])
    batch = store(data).gather(data.splits["train"])
    found = data.spec.statistics
    assert found["time"] == 3.0 and found["drift"] == 0.0  # a random walk has no direction
    assert found["pos_scale"] == pytest.approx(float(batch.pos.square().sum(1).mean().sqrt()))
    assert found["change_scale"] == pytest.approx(
        float((batch.y - batch.pos).square().mean()) ** 0.5
    )
    assert found["vec_scale"] == pytest.approx([float(batch.vec.square().sum(2).mean().sqrt())])
    steady = np.arange(12.0)[None, :, None, None] + walks(20, frames=1)
    smooth = made(write_folder(tmp_path / "smooth", steady))
    assert smooth.spec.statistics["drift"] == 3.0
    assert made(tmp_path, inputs={"normalize": False}).spec.statistics == {"time": 3.0}


def test_missing_values_are_refused_or_their_windows_left_out(tmp_path: Path) -> None:
    pos = walks()
    pos[1, 5, 2, 0] = np.nan
    folder = write_folder(tmp_path, pos)
    with pytest.raises(ValueError, match="trial_1.npz, frame 5: point 2 has no position.*skip"):
        _ = made(folder).data
    data = made(folder, missing="skip")
    # Of the second trial, the windows of input frames 2, 5 and 6 use frame 5.
    assert len(store(data)) == 5 * 8 - 3
    table = write_table(tmp_path / "a.csv", walks(), left_out=((0, 4, 1), (2, 7, 0), (2, 7, 1)))
    with pytest.raises(ValueError, match="trajectory run0, frame 4: point knee has no position"):
        _ = made(table).data
    assert len(store(made(table, missing="skip"))) == 5 * 8 - 6


def test_a_horizon_may_be_a_time(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, walks(), dt=0.25)
    data = made(folder, horizon="0.75 s", time_unit="s", unit="m")
    rules = WindowRules.from_dict(data.spec.record.other["windows"])
    assert rules.horizon == 3 and rules.time == 0.75
    assert WindowRules.from_dict(rules.to_dict()) == rules
    assert data.spec.units["vec"] == "m/s"
    assert made(write_folder(tmp_path / "b", walks())).spec.units["vec"] == "length/frame"
    for horizon, message in (
        ("0.6 s", "2.4 frames of 0.25 s; it must be a whole number, such as 2 frames = 0.5 s"),
        ("0.75 ms", "a time in dataset.time_unit such as '0.1 s'"), ("soon", "got 'soon'"),
        (0, "horizon must be a whole number >= 1"),
        (9, None), (50, "no trajectory has a window of 52 known frames; the longest has 12"),
    ):  # fmt: skip
        if message is not None:
            with pytest.raises(ValueError, match=message):
                _ = made(folder, horizon=horizon, time_unit="s").data
