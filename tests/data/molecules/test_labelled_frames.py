"""Copper that is simulated, and names of datasets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("ase")
from ase.build import bulk, fcc100  # noqa: E402

from geozoo.data import CopperEMT, LoaderOptions  # noqa: E402
from geozoo.data.molecules import copper_simulator  # noqa: E402
from geozoo.data.molecules.crystal_frames import CrystalPath, strained  # noqa: E402
from geozoo.data.molecules.labelled_frames import LabelledFrames  # noqa: E402

LOADER = LoaderOptions(batch_size=4)


@pytest.fixture
def few_structures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short trajectories of crystals and slabs instead of the real ones."""

    def paths(seed: int) -> list[CrystalPath]:
        crystal = bulk("Cu", a=3.6, cubic=True)
        slab = fcc100("Cu", size=(1, 1, 3), a=3.6, vacuum=8.0)
        starts = [strained(crystal, size * np.eye(3)) for size in (-0.03, 0.0, 0.03)]
        bulks = [CrystalPath("cubic", each, 300.0, frames=4, steps=2) for each in starts]
        return bulks + [CrystalPath("surface", slab, 300.0, frames=2, steps=2) for _ in range(3)]

    monkeypatch.setattr(copper_simulator, "copper_paths", paths)


def copper(folder: Path, **options: object) -> CopperEMT:
    module = CopperEMT(**{"loader": LOADER, "root": folder, "seed": 7, **options})
    module.prepare_data()
    module.setup()
    return module


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ValueError, match="name must be one of"):
        LabelledFrames(loader=LOADER, name="gold")


@pytest.mark.usefixtures("few_structures")
def test_copper_is_simulated_once(tmp_path: Path) -> None:
    module = copper(tmp_path)
    times = {path: path.stat().st_mtime_ns for path in module.files.values()}
    again = copper(tmp_path)
    assert {path: path.stat().st_mtime_ns for path in again.files.values()} == times
    assert torch.equal(again.store.node["pos"], module.store.node["pos"])
    record = module.spec.record
    assert record.sizes == {"train": 6, "val": 6, "test": 6}
    assert record.source == "simulated, seed 7, simulator v1"
    assert record.structures.structures_with_stress == 12
    assert module.store.graph["has_stress"].sum() == 12
    assert module.store.graph["pbc"].sum(1).tolist() == ([3] * 4 + [2] * 2) * 3


@pytest.mark.usefixtures("few_structures")
def test_energies_of_copper_are_size_extensive(tmp_path: Path) -> None:
    spec = copper(tmp_path).spec
    assert spec.statistics["energy_shift"] == spec.statistics["energy_shift_per_atom"] == 0.0
    assert abs(spec.statistics["atom_energy_Cu"]) < 500
    assert "compositions" not in spec.statistics


@pytest.mark.usefixtures("few_structures")
def test_corrupt_and_missing_copper(tmp_path: Path) -> None:
    module = copper(tmp_path)
    path = module.files["train"]
    content = path.read_bytes()
    for broken in (content[:-9], content[:100] + b"\0" + content[101:], b""):
        path.write_bytes(broken)
        with pytest.raises(ValueError, match=r"train.* is corrupt: .*; delete it to simulate it"):
            module.load()
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"call prepare_data\(\) to simulate it"):
        module.load()


@pytest.mark.usefixtures("few_structures")
def test_another_simulation_of_the_recorded_seed_warns(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match=r"\(train, val, test\) differ from the recorded ones"):
        copper(tmp_path, seed=0)


@pytest.mark.usefixtures("few_structures")
def test_columns_of_a_trained_model(tmp_path: Path) -> None:
    module = copper(tmp_path, species=["X", "Cu", "H"])
    assert module.spec.elements == (0, 29, 0)
    assert module.spec.in_channels == 3
    with pytest.raises(ValueError, match="species must contain all elements"):
        copper(tmp_path, species=["H"])


@pytest.mark.slow
def test_the_recorded_copper(tmp_path: Path) -> None:
    module = copper(tmp_path, seed=0)
    assert sum(module.spec.record.sizes.values()) == 798
