"""Crystals labelled by SevenNet-0, which are part of the package."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

pytest.importorskip("ase")
import ase.io  # noqa: E402

from geozoo.data import LabelledFrames, LoaderOptions  # noqa: E402
from geozoo.data.molecules import labelled_frames  # noqa: E402
from geozoo.data.molecules.labelled_frames import SHIPPED  # noqa: E402

LOADER = LoaderOptions(batch_size=4)


def shipped(name: str) -> LabelledFrames:
    module = LabelledFrames(loader=LOADER, name=name)
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
