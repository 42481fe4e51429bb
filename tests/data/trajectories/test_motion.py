"""The task dynamics on trajectories: scales, baselines, velocities, and equality with N-body."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from nbody_samples import write_official
from torch.testing import assert_close

from geozoo.data import LoaderOptions, NBody, Trajectories
from geozoo.models import EGNN, PaiNN
from geozoo.tasks import Dynamics

#: The official files, if there are any; read before the tests set a folder of their own.
OFFICIAL = Path(os.environ.get("GEOZOO_DATA", "")) / "nbody"


def data_of(path: Path, pos: np.ndarray, **options: Any) -> Trajectories:
    np.savez(path / "a.npz", pos=pos, dt=0.5)
    return Trajectories(path=path / "a.npz", horizon=2, loader=LoaderOptions(4), **options)


def walks(scale: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(0)
    smooth = np.cumsum(rng.normal(size=(8, 1, 4, 3)) * np.ones((8, 20, 4, 3)), 1)
    return scale * (smooth + 0.1 * rng.normal(size=smooth.shape))


class Zero(torch.nn.Module):
    """Predict zero vectors."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(count))

    def forward(self, pos, x, batch, edge_index=None, *, vec=None, num_graphs=None):
        from geozoo.models import GeometricOutput

        return GeometricOutput(None, self.weight[None, :, None] * pos[:, None])


@pytest.mark.parametrize("scale", [1.0, 1000.0])
def test_the_zero_network_is_the_better_baseline_with_a_loss_of_one(
    tmp_path: Path, scale: float
) -> None:
    data = data_of(tmp_path, walks(scale), targets=["pos", "vel"])
    task = Dynamics(Zero(2), data.spec)
    batch = data.store.gather(data.splits["train"])
    found, moving = task.predict(batch), task.predict_baselines(batch)["constant_velocity"]
    assert data.spec.statistics["drift"] == 1.0
    assert_close(found["position"], moving["position"])
    assert_close(found["velocity"], batch.vec[:, 0])
    still = task.predict_baseline(batch)
    assert torch.equal(still["position"], batch.pos) and not still["velocity"].any()
    losses = task.loss(batch)
    assert_close(losses["position"], torch.tensor(1.0), rtol=1e-4, atol=0)
    assert_close(losses["loss"], torch.tensor(2.0), rtol=1e-4, atol=0)
    assert set(task.loss_counts(data.store)) == {"loss", "position", "velocity"}
    assert task.metric_units()["velocity_mae"] == "length/time"


def test_the_unit_of_the_data_does_not_change_what_the_network_reads(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = PaiNN(1, 0, in_vectors=1, out_vectors=1, level="node", radius=5.0)
    found = []
    for scale in (1.0, 1000.0):
        data = data_of(tmp_path, walks(scale))
        task = Dynamics(model, data.spec).eval()
        batch = data.store.gather([0, 3])
        found.append((task.inputs(batch), task.predict(batch)["position"] / scale))
    for name in ("pos", "vec", "x"):
        assert_close(found[0][0][name], found[1][0][name])
    one, other = (inputs["edge_index"].directed(8) for inputs, _ in found)
    assert torch.equal(one.sender, other.sender) and len(one.sender) == 2 * 12
    assert_close(found[0][1], found[1][1])


def test_trajectories_without_scales_are_the_nbody_dataset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("geozoo.data.particles.nbody._NUM_EVALUATION", 6)
    write_official(tmp_path / "nbody")
    nbody = NBody(loader=LoaderOptions(4), root=tmp_path, num_train=8)
    path = written(nbody_arrays(tmp_path / "nbody", {"train": 8, "valid": 6, "test": 6}), tmp_path)
    own = Trajectories(
        path=path, horizon=1, loader=LoaderOptions(4), inputs={"normalize": False},
        split={"file": tmp_path / "split.npz"},
    )  # fmt: skip
    assert own.spec.record.split_hash == nbody.spec.record.split_hash
    one, other = nbody.store.whole(), own.store.whole()
    assert_close(one.y - one.pos, other.y - other.pos, atol=1e-5, rtol=1e-5)
    assert torch.equal(one.vec, other.vec) and torch.equal(one.x, other.x)
    torch.manual_seed(0)
    model = EGNN(1, 0, in_vectors=1, out_vectors=1, level="node")
    losses = [Dynamics(model, d.spec).loss(d.store.whole())["loss"] for d in (nbody, own)]
    assert_close(*losses)


def nbody_arrays(folder: Path, counts: dict[str, int]) -> dict[str, dict[str, np.ndarray]]:
    found = {}
    for part, count in counts.items():
        loc, vel = (
            np.load(folder / f"{kind}_{part}_charged5_initvel1small.npy", mmap_mode="r")
            for kind in ("loc", "vel")
        )
        charges = np.load(folder / f"charges_{part}_charged5_initvel1small.npy")
        pos, speed = (each[:count, [30, 40]].swapaxes(-1, -2) for each in (loc, vel))
        found[part] = {"pos": pos, "vel": speed, "x": charges[:count]}
    return found


def written(parts: dict[str, dict[str, np.ndarray]], folder: Path) -> Path:
    joined = {
        name: np.concatenate([part[name] for part in parts.values()])
        for name in ("pos", "vel", "x")
    }
    np.savez(folder / "nbody.npz", **joined, dt=1.0)
    ends = np.cumsum([0, *(len(part["pos"]) for part in parts.values())])
    names = ("train", "val", "test")
    index = {n: np.arange(a, b) for n, a, b in zip(names, ends[:-1], ends[1:], strict=True)}
    np.savez(folder / "split.npz", **index)
    return folder / "nbody.npz"


def test_the_baseline_on_the_official_files(tmp_path: Path) -> None:
    folder = OFFICIAL
    if not (folder / "loc_train_charged5_initvel1small.npy").is_file():
        pytest.skip("needs the official N-body files in $GEOZOO_DATA/nbody")
    path = written(nbody_arrays(folder, {"train": 3000, "valid": 2000, "test": 2000}), tmp_path)
    own = Trajectories(
        path=path, horizon=1, loader=LoaderOptions(4), split={"file": tmp_path / "split.npz"}
    )
    task, batch = Dynamics(Zero(1), own.spec), own.store.gather(own.splits["test"])
    still = (task.predict_baseline(batch)["position"] - batch.y).square().mean()
    moving = task.predict_baselines(batch)["constant_velocity"]["position"]
    assert float(still) == pytest.approx(0.2715, abs=5e-5)
    assert float((moving - batch.y).square().mean()) == pytest.approx(0.1090, abs=5e-5)
    assert own.spec.record.split_hash == "9bf33d771234"


def test_data_with_another_horizon_are_refused(tmp_path: Path) -> None:
    data = data_of(tmp_path, walks())
    task = Dynamics(Zero(1), data.spec)
    task.check_part(data, "test")
    other = Trajectories(path=data.path, horizon=3, loader=LoaderOptions(4))
    with pytest.raises(ValueError, match="horizon of the trajectories is 3, but 2 in training"):
        task.check_part(other, "test")
