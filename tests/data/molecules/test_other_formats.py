"""Molecules in the layouts of public sets: MD22, SPICE, ANI-1x, QM7-X, databases of ASE."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("ase")
from labelled_samples import (
    MOLECULES,
    geometries,
    write_ani,
    write_qm7x,
    write_sgdml,
    write_spice,
)

from geozoo.data import ExtXYZ, LoaderOptions, read_structures
from geozoo.data.molecules._ase_frames import read_atoms

COUNT = 12
SPICE = {"energy_unit": "hartree", "length_unit": "bohr"}
ANI = {
    "energy_unit": "hartree",
    "labels": {"energy_key": "wb97x_dz.energy", "forces_key": "wb97x_dz.forces"},
}
#: Of every layout its writer, suffix and the options that it needs.
LAYOUTS: dict[str, tuple[Callable[..., None], str, dict[str, Any]]] = {
    "sgdml": (write_sgdml, "npz", {"energy_unit": "kcal/mol"}),
    "spice": (write_spice, "hdf5", SPICE),
    "ani": (write_ani, "h5", ANI),
    "qm7x": (write_qm7x, "hdf5", {}),
}


def written(name: str, folder: Path) -> Path:
    write, suffix, _ = LAYOUTS[name]
    if suffix != "npz":
        pytest.importorskip("h5py")
    path = folder / f"set.{suffix}"
    write(path, count=COUNT)
    return path


def loaded(path: Path, **options: Any) -> Any:
    data = ExtXYZ(path=path, loader=LoaderOptions(batch_size=2), **options)
    data.prepare_data()
    data.setup("fit")
    return data


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_is_read_in_units_of_the_library(name: str, tmp_path: Path) -> None:
    store = loaded(written(name, tmp_path), **LAYOUTS[name][2]).store
    names = ("CH3CH2OH",) if name == "sgdml" else sorted(MOLECULES)
    if name == "qm7x":
        names = MOLECULES  # numbered
    start = 0
    if name == "spice":
        names = tuple(sorted(MOLECULES, key=str.lower))
    for molecule in names:
        z, pos, energy, forces = geometries(molecule, COUNT)
        for row in range(COUNT):
            rows = slice(start, start + len(z))
            np.testing.assert_array_equal(store.node["z"][rows], z)
            centred = pos[row] - pos[row].mean(0)
            np.testing.assert_allclose(store.node["pos"][rows], centred, atol=2e-6)
            if name != "ani" or row % 2 == 0:
                found = store.node["forces"][rows]
                np.testing.assert_allclose(found, 1e3 * forces[row], rtol=2e-5, atol=2e-3)
            start += len(z)
        first = names.index(molecule) * COUNT
        found = store.graph["energy"][first : first + COUNT]
        np.testing.assert_allclose(found, 1e3 * energy, rtol=1e-6, atol=1e-3)
    assert start == len(store.node["z"])


@pytest.mark.parametrize(
    ("name", "key"),
    [("spice", "hdf5_group"), ("qm7x", "hdf5_group"), ("ani", "composition")],
)
@pytest.mark.filterwarnings("ignore:validation or test structures contain")
def test_conformers_of_a_molecule_are_in_one_split(name: str, key: str, tmp_path: Path) -> None:
    options = dict(LAYOUTS[name][2])
    options["labels"] = {**options.get("labels", {}), "group_key": key}
    data = loaded(
        written(name, tmp_path), fractions={"train": 1, "val": 1, "test": 1}, **options
    )  # fmt: skip
    assert {part: len(rows) for part, rows in data.splits.items()} == dict.fromkeys(
        ("train", "val", "test"), COUNT
    )
    for rows in data.splits.values():
        batch = data.store.gather(rows)
        assert len({tuple(z.tolist()) for z in batch.z.reshape(COUNT, -1)}) == 1
        assert len(batch.group.unique()) == 1
    assert data.spec.record.split == f"groups of {key}, seed 0"
    assert data.spec.units["group"] == "1"


def test_groups_need_a_value_and_more_than_one(tmp_path: Path) -> None:
    path = written("sgdml", tmp_path)
    with pytest.raises(ValueError, match="has no entry 'smiles' with its group"):
        loaded(path, energy_unit="kcal/mol", labels={"group_key": "smiles"})
    with pytest.raises(ValueError, match="There are 1 groups, the largest of 12 samples"):
        loaded(path, energy_unit="kcal/mol", labels={"group_key": "composition"})
    again = tmp_path / "again.npz"
    again.write_bytes(path.read_bytes())
    with pytest.raises(ValueError, match="the group 0 is in the"):
        loaded(
            path, energy_unit="kcal/mol", labels={"group_key": "composition"}, val_path=again,
            test_path=_copied(path, tmp_path / "third.npz"),
        )  # fmt: skip


def _copied(path: Path, target: Path) -> Path:
    target.write_bytes(path.read_bytes())
    return target


def test_unknown_values_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = written("ani", tmp_path)
    store = loaded(path, **ANI).store
    known = store.graph["has_forces"].reshape(3, COUNT)
    assert known[:, ::2].all() and not known[:, 1::2].any()
    assert not store.node["forces"].isnan().any()
    keys = {"energy_key": "ccsd(t)_cbs.energy", "forces_key": "none"}
    with caplog.at_level(logging.WARNING):
        store = loaded(path, energy_unit="hartree", labels=keys).store
    assert len(store) == 3 * (COUNT - 4)
    assert "12 structures are left out: their ccsd(t)_cbs.energy of set.h5" in caplog.text


def test_several_levels_of_theory_need_a_key(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"available: wb97x_dz.energy.* Set energy_key"):
        loaded(written("ani", tmp_path), energy_unit="hartree")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("sgdml", {}, "energy_unit must be kcal/mol, that of set.npz, got eV"),
        ("sgdml", {"energy_unit": "kcal/mol", "length_unit": "bohr"}, "length_unit must be angst"),
        ("spice", {"length_unit": "bohr"}, "energy_unit must be hartree, that of set.hdf5"),
        ("spice", {"energy_unit": "hartree"}, "length_unit must be bohr, that of set.hdf5"),
        ("ani", {"labels": ANI["labels"]}, "energy_unit must be hartree, that of set.h5, got eV"),
        ("qm7x", {"energy_unit": "kcal/mol"}, "energy_unit must be eV, that of set.hdf5"),
    ],
)
def test_other_units_than_those_of_the_file_are_refused(
    name: str, options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        loaded(written(name, tmp_path), **options)


def test_padding_is_cut_off_and_cells_are_read(tmp_path: Path) -> None:
    path = tmp_path / "padded.npz"
    np.savez(
        path, Z=[[6, 8, 0], [6, 8, 8]], R=np.arange(18.0).reshape(2, 3, 3), E=[-1.0, -2.0],
        F=np.ones((2, 3, 3)), charges=np.zeros((2, 3)), dipole=np.ones((2, 3)),
        stress=np.zeros((2, 3, 3)), lattice=30 * np.eye(3), pbc=[True, True, False],
    )  # fmt: skip
    first, second = read_atoms(path)
    assert first.get_chemical_formula() == "CO" and second.get_chemical_formula() == "CO2"
    assert first.get_forces().shape == (2, 3)
    assert first.arrays["charges"].shape == (2,)
    assert first.info["dipole"].shape == (3,)
    assert first.info["stress"].shape == (3, 3)
    assert first.pbc.tolist() == [True, True, False] and first.cell[0, 0] == 30
    assert second.get_potential_energy() == -2.0


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"R": np.zeros((2, 3, 3))}, "must hold atomic numbers"),
        ({"z": np.ones(3)}, "must hold atomic numbers"),
        ({"z": np.ones(2), "R": np.zeros((2, 3, 3))}, r"must be \[3\] or \[2, 3\].*got \[2\]"),
        ({"z": np.full(3, 1.5), "R": np.zeros((2, 3, 3))}, "must be whole numbers"),
        ({"z": np.ones(3), "R": np.zeros((3, 3))}, r"must be \[n, N, 3\], got \[3, 3\]"),
    ],
)
def test_other_arrays_are_refused(
    arrays: dict[str, np.ndarray], message: str, tmp_path: Path
) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        list(read_atoms(tmp_path / "a.npz"))


def test_hdf5_of_another_layout_is_refused(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["speeds/values"] = np.zeros(3)
    with pytest.raises(ValueError, match=r"a.h5 cannot be read: no group .* there are speeds"):
        list(read_atoms(tmp_path / "a.h5"))
    with h5py.File(tmp_path / "b.h5", "w") as file:
        group = file.create_group("m")
        group["atomic_numbers"] = [1, 1]
        group.create_dataset("coordinates", shape=(1 << 20, 2, 3), chunks=(1, 2, 3), dtype="f8")
    with pytest.raises(ValueError, match="declares 50331648 bytes"):
        list(read_atoms(tmp_path / "b.h5"))


@pytest.mark.parametrize("name", ["energy", "coordinates"])
def test_links_to_other_files_are_not_followed(name: str, tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["energy"], other["coordinates"] = np.zeros(1), np.zeros((1, 2, 3))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group = file.create_group("m")
        group["atomic_numbers"] = [1, 1]
        for key, value in {"coordinates": np.zeros((1, 2, 3)), "energy": np.zeros(1)}.items():
            group[key] = h5py.ExternalLink("other.h5", key) if key == name else value
    (tmp_path / "other.h5").write_bytes(b"not opened")
    message = "/m/energy is a link" if name == "energy" else "no group holds"
    with pytest.raises(ValueError, match=message):
        list(read_atoms(tmp_path / "a.h5"))


def test_structures_of_a_set_are_predicted_for(tmp_path: Path) -> None:
    path = written("spice", tmp_path)
    found = read_structures(path, length_unit="bohr")
    assert len(found) == 3 * COUNT
    with pytest.raises(ValueError, match="length_unit must be bohr"):
        read_structures(path)


@pytest.mark.parametrize("suffix", ["db", "aselmdb"])
def test_databases_of_ase(suffix: str, tmp_path: Path) -> None:
    if suffix == "aselmdb":
        pytest.importorskip("ase_db_backends")
    from ase import Atoms
    from ase.calculators.singlepoint import SinglePointCalculator
    from ase.db import connect

    z, pos, energy, forces = geometries("CH4", COUNT)
    path = tmp_path / f"set.{suffix}"
    with connect(str(path)) as database:
        for row in range(COUNT):
            atoms = Atoms(numbers=z, positions=pos[row])
            atoms.calc = SinglePointCalculator(atoms, energy=energy[row], forces=forces[row])
            database.write(atoms, level="lj", data={"charge": row % 3, "spin": 1 + row % 3})
    data = loaded(path, inputs=["charge", "spin"])
    np.testing.assert_allclose(data.store.graph["energy"], 1e3 * energy)
    np.testing.assert_allclose(data.store.node["forces"], 1e3 * forces.reshape(-1, 3), rtol=1e-5)
    assert data.store.graph["charge"].tolist() == [row % 3 for row in range(COUNT)]


def test_energies_of_isolated_atoms_from_a_file(tmp_path: Path) -> None:
    """Sets such as 3BPA have them in a file of their own, without a mark."""
    lines = [f'1\nProperties=species:S:1:pos:R:3 energy={e} pbc="F F F"\n{s} 0 0 0\n'
             for s, e in (("H", -13.5), ("C", -1029.5), ("O", -2041.0))]  # fmt: skip
    (tmp_path / "iso_atoms.xyz").write_text("".join(lines))
    path = tmp_path / "set.npz"
    write_sgdml(path, count=COUNT, e_unit=np.array("eV"))
    data = loaded(path, atom_energies=tmp_path / "iso_atoms.xyz")
    assert data.spec.statistics["atom_energy_C"] == -1029.5e3
    assert data.spec.record.structures.energy_reference == "given"
    with pytest.raises(ValueError, match="must be a file of single atoms"):
        loaded(path, atom_energies=path)
    with pytest.raises(FileNotFoundError, match="atom_energies: there is no file"):
        loaded(path, atom_energies=tmp_path / "nothing.xyz")
