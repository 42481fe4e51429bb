"""Datasets of crystals labelled by a potential: shipped and simulated."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("ase")
import ase.io  # noqa: E402
from ase.build import bulk, fcc100  # noqa: E402

from geozoo.data import CopperEMT, LabelledFrames, LoaderOptions  # noqa: E402
from geozoo.data.molecules import copper_simulator, labelled_frames  # noqa: E402
from geozoo.data.molecules.crystal_frames import CrystalPath, strained  # noqa: E402
from geozoo.data.molecules.labelled_frames import SHIPPED  # noqa: E402

LOADER = LoaderOptions(batch_size=4)


def shipped(name: str) -> LabelledFrames:
    module = LabelledFrames(loader=LOADER, name=name)
    module.setup()
    return module


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


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_sets_have_the_structures_of_their_cards(name: str) -> None:
    module = shipped(name)
    elements = {"silicon_sevennet": ("Si",), "salt_sevennet": ("Na", "Cl")}[name]
    record = module.spec.record
    assert record.dataset == name
    assert record.split == "by trajectory"
    assert "SevenNet-0 (11 July 2024)" in record.source
    assert record.structures.species == list(elements)
    assert record.structures.energy_reference == "fitted"
    assert sum(record.sizes.values()) == len(module.store) > 350
    assert bool(module.store.graph["pbc"].all())
    assert bool(module.store.graph["has_stress"].all())
    assert module.spec.tensor_fields == ("stress",)
    card = (Path(labelled_frames.dataset_entry(name)) / "README.md").read_text()
    for size in record.sizes.values():
        assert f"| {size} |" in card


@pytest.mark.parametrize("name", SHIPPED)
def test_a_trajectory_is_in_one_split_only(name: str) -> None:
    files = LabelledFrames(loader=LOADER, name=name).files
    found = {
        part: {atoms.info["trajectory"] for atoms in ase.io.read(path, ":")}
        for part, path in files.items()
    }
    assert not found["train"] & found["val"]
    assert not found["train"] & found["test"]
    assert not found["val"] & found["test"]
    kinds = [{atoms.info["config_type"] for atoms in ase.io.read(f, ":")} for f in files.values()]
    assert kinds[0] == kinds[1] == kinds[2]


@pytest.mark.parametrize("name", SHIPPED)
def test_labels_are_consistent(name: str) -> None:
    """Forces sum to zero, stresses are small in the mean, energies follow the number of atoms."""
    store = shipped(name).store
    batch = store.gather(torch.arange(len(store)))
    total = torch.zeros(len(store), 3).index_add(0, batch.batch, batch.forces)
    assert float(total.abs().max()) < 0.5  # meV/angstrom, float32 labels
    assert torch.equal(batch.stress, batch.stress.mT)
    per_atom = batch.energy / torch.bincount(batch.batch)
    assert float(per_atom.max()) < 0
    assert float(per_atom.std()) < 500


def test_a_changed_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / SHIPPED[0]
    shutil.copytree(labelled_frames.dataset_entry(SHIPPED[0]), folder)
    monkeypatch.setattr(labelled_frames, "dataset_entry", lambda name: tmp_path / name)
    content = (folder / "val.extxyz.xz").read_bytes()
    (folder / "val.extxyz.xz").write_bytes(content[:-1])
    with pytest.raises(ValueError, match=r"val\.extxyz\.xz is not the published file: its sha256"):
        shipped(SHIPPED[0])
    (folder / "val.extxyz.xz").unlink()
    with pytest.raises(FileNotFoundError, match=r"val\.extxyz\.xz is missing in .*part of geozoo"):
        shipped(SHIPPED[0])


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
