"""Several processes, or accumulated batches, train as one batch of all their graphs does."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

ROOT = Path(__file__).parents[2]
# Every last batch leaves one process with a graph less than the other, or a step with one batch.
COMMON = (
    "recipe=none trainer.max_epochs=3 trainer.accelerator=cpu trainer.precision=64-true "
    "optimizer.lr=1e-2 schedule=constant test=false"
).split()
PONITA = (
    "model=ponita model.hidden_channels=8 model.kernel.basis_channels=8 model.num_layers=2 "
    "model.orientations.num_orientations=8"
).split()
#: Words and size of the whole batch: graphs of one size, and of several.
RUNS = {
    "nbody": (
        [*PONITA, "dataset=nbody", "dataset.source=generate", "dataset.num_train=23"], 8,
    ),
    "molecules": (
        [*PONITA, "dataset=extxyz", "dataset.path=frames.xyz", "task.energy_weight=1.0"], 6,
    ),
}  # fmt: skip
Run = tuple[list[dict[str, float]], dict[str, torch.Tensor]]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with molecules of two to nine atoms."""
    folder, draw = tmp_path_factory.mktemp("parallel"), np.random.default_rng(0)
    frames = []
    for number in range(30):
        count = 2 + number % 8
        atoms = Atoms("H" * count, draw.normal(size=(count, 3)) * 1.5)
        forces = draw.normal(size=(count, 3))
        atoms.calc = SinglePointCalculator(atoms, energy=draw.normal() * count, forces=forces)
        frames.append(atoms)
    write(folder / "frames.xyz", frames, format="extxyz")
    return folder


def trained(folder: Path, *words: str) -> Run:
    """The curves by epoch and the last weights of a run."""
    command = [sys.executable, str(ROOT / "train.py"), *COMMON, f"run_dir={folder}", *words]
    done = subprocess.run(
        command, cwd=folder.parent, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr + done.stdout
    with (folder / "metrics.csv").open(encoding="utf-8") as file:
        rows = [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)]
    content = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    return rows, content["state_dict"]


@pytest.fixture(scope="module", params=RUNS)
def whole(request: pytest.FixtureRequest, place: Path) -> tuple[str, Run]:
    """The name of a run, and the run itself in one process with one batch a step."""
    words, size = RUNS[request.param]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("GEOZOO_DATA", str(place / "data"))
        words = [*words, f"dataset.loader.batch_size={size}"]
        return request.param, trained(place / request.param, *words)


@pytest.mark.thorough
@pytest.mark.parametrize("way", ["processes", "accumulated"])
def test_parts_of_a_batch_train_as_the_whole(
    way: str, whole: tuple[str, Run], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way == "processes" and not torch.distributed.is_gloo_available():
        pytest.skip("torch has no gloo")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("GEOZOO_DATA", str(place / "data"))
    name, (rows, weights) = whole
    words, size = RUNS[name]
    own = ["trainer.accumulate_grad_batches=2"]
    if way == "processes":
        own = ["trainer.devices=2", "trainer.strategy=ddp"]
    words = [*words, *own, f"dataset.loader.batch_size={size // 2}"]
    others, parts = trained(place / f"{name}_{way}", *words)
    assert len(rows) == len(others) == 3
    for row, other in zip(rows, others, strict=True):
        assert row.keys() == other.keys() >= {"train/loss"}
        for key, value in row.items():
            assert other[key] == pytest.approx(value, rel=1e-6), key  # logged in float32
    for name, value in weights.items():
        torch.testing.assert_close(parts[name], value, rtol=1e-7, atol=1e-8)
