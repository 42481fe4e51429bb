"""User-supplied structure files."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from geozoo.data import ExtXYZ, LoaderOptions, energy_factor

ase = pytest.importorskip("ase")
ase_io = pytest.importorskip("ase.io")
from ase.calculators.singlepoint import SinglePointCalculator  # noqa: E402
from ase_samples import AMMONIA, WATER, structure, waters, write  # noqa: E402

LOADER = LoaderOptions(batch_size=4)


def read(path: Path, **options: object) -> ExtXYZ:
    module = ExtXYZ(**{"path": path, "loader": LOADER, **options})
    module.setup()
    return module


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(tmp_path / "water.xyz", waters())


def test_fields_of_a_structure(file: Path) -> None:
    module, original = read(file), waters()[3]
    batch = module.store.gather([3])
    centred = original.positions - original.positions.mean(0)
    np.testing.assert_allclose(batch.pos.numpy(), centred, atol=1e-6)
    forces = original.calc.results["forces"]
    np.testing.assert_allclose(batch.forces.numpy(), 1e3 * forces, atol=1e-3)
    assert batch.energy.item() == pytest.approx(1e3 * original.calc.results["energy"], rel=1e-8)
    assert batch.z.tolist() == [8, 1, 1]
    assert batch.x.tolist() == [[0, 1], [1, 0], [1, 0]]  # columns: H, O
    assert batch.frame.tolist() == [3]


def test_forces_have_a_scale_per_element(file: Path) -> None:
    module = read(file)
    part = module.store.gather(module.splits["train"])
    for column, number in ((0, 1), (1, 8)):
        forces = part.forces[part.x[:, column] == 1].double()
        scale = module.spec.statistics[f"force_scale_{number}"]
        assert scale == pytest.approx(float(forces.square().mean().sqrt()), rel=1e-12)


def test_specification(file: Path) -> None:
    spec = read(file).spec
    assert spec.in_channels == 2
    assert spec.vector_fields == ("pos", "forces")
    assert spec.units["forces"] == "meV/angstrom"
    names = {"energy_shift", "energy_scale", "energy_shift_per_atom"}
    names |= {"force_scale_1", "force_scale_8"}
    assert set(spec.statistics) == names | {"atom_energy_H", "atom_energy_O"}
    assert spec.statistics["energy_shift"] == spec.statistics["energy_shift_per_atom"] == 0
    assert spec.record.structures.species == ["H", "O"]
    assert spec.record.sizes["train"] == 8


@pytest.mark.parametrize("energy_unit", ["eV", "meV", "kcal/mol", "kJ/mol", "hartree"])
def test_the_same_molecules_in_any_unit(tmp_path: Path, energy_unit: str) -> None:
    factor, bohr = energy_factor("eV") / energy_factor(energy_unit), 1 / 0.529177210544
    scaled = []
    for atoms in waters():
        other = ase.Atoms(atoms.symbols, positions=atoms.positions * bohr)
        energy = atoms.calc.results["energy"] * factor
        forces = atoms.calc.results["forces"] * factor / bohr
        other.calc = SinglePointCalculator(other, energy=energy, forces=forces)
        scaled.append(other)
    plain = read(write(tmp_path / "plain.xyz", waters())).store
    converted = read(
        write(tmp_path / "scaled.xyz", scaled), energy_unit=energy_unit, length_unit="bohr"
    ).store
    for name in ("pos", "forces"):
        torch.testing.assert_close(converted.node[name], plain.node[name], rtol=1e-4, atol=1e-4)
    energies = converted.graph["energy"], plain.graph["energy"]
    torch.testing.assert_close(*energies, rtol=1e-6, atol=0)


def test_other_formats_of_ase(tmp_path: Path) -> None:
    ase_io.write(tmp_path / "water.traj", waters())
    assert len(read(tmp_path / "water.traj").store) == 10


@pytest.mark.parametrize("unit", ["Hartree", "HARTREE", "EV", "kcal/Mol", "KJ/mol", "mev"])
def test_units_in_any_case(unit: str) -> None:
    from geozoo.data.molecules.units import ENERGY_TO_MEV, energy_factor, length_factor

    known = {name.lower(): factor for name, factor in ENERGY_TO_MEV.items()}
    assert energy_factor(unit) == known[unit.lower()]
    assert length_factor("Angstrom") == 1.0
    with pytest.raises(ValueError, match="energy_unit must be one of meV, eV, .*; got 'MeV'"):
        energy_factor("MeV")


def test_an_at_sign_belongs_to_the_name(tmp_path: Path) -> None:
    file = write(tmp_path / "water.xyz", waters()).rename(tmp_path / "water@2.xyz")
    assert len(read(file).store) == len(waters())


def test_split_is_seeded_and_its_fractions_are_ratios(file: Path) -> None:
    first, same = read(file), read(file, fractions={"train": 8, "val": 1, "test": 1})
    other = read(file, split_seed=1)
    hashes = [module.spec.record.split_hash for module in (first, same, other)]
    assert hashes[0] == hashes[1] != hashes[2]
    assert {part: len(index) for part, index in first.splits.items()} == {
        "train": 8,
        "val": 1,
        "test": 1,
    }


def test_separate_files_are_parts(tmp_path: Path) -> None:
    paths = {
        name: write(tmp_path / f"{name}.xyz", [structure(seed=10 * k + i) for i in range(size)])
        for k, (name, size) in enumerate([("train", 6), ("val", 2), ("test", 3)])
    }
    module = read(paths["train"], val_path=paths["val"], test_path=paths["test"])
    assert sorted(module.splits["train"].tolist()) == [0, 1, 2, 3, 4, 5]
    assert module.splits["val"].tolist() == [6, 7]
    assert module.splits["test"].tolist() == [8, 9, 10]
    energy = structure(seed=11).calc.results["energy"]
    assert module.store.graph["energy"][7].item() == pytest.approx(1e3 * energy, rel=1e-8)
    # one file of its own: the others are cut from the first, in their ratio
    partly = read(paths["train"], test_path=paths["test"], fractions=dict(train=2, val=1, test=9))
    assert [len(partly.splits[part]) for part in ("train", "val", "test")] == [4, 2, 3]
    assert partly.splits["test"].tolist() == [6, 7, 8]


def test_named_keys(tmp_path: Path) -> None:
    structures = []
    for atoms in waters():
        results = atoms.calc.results
        atoms.calc = None
        atoms.info["dft_energy"], atoms.arrays["dft_forces"] = results["energy"], results["forces"]
        structures.append(atoms)
    path = write(tmp_path / "named.xyz", structures)
    keys = {"energy_key": "dft_energy", "forces_key": "dft_forces"}
    module = read(path, labels=keys)
    expected = 1e3 * structures[0].info["dft_energy"]
    assert module.store.graph["energy"][0].item() == pytest.approx(expected, rel=1e-7)
    with pytest.warns(FutureWarning, match=r"energy_key, forces_key are now labels\.energy_key"):
        former = read(path, **keys)
    assert former.spec == module.spec
    with pytest.raises(
        ValueError, match="frame 0 has no energy with energy_key='e'; .*dft_e.* Set"
    ):
        read(path, labels={"energy_key": "e"})
    with pytest.raises(ValueError, match="no structure has forces with forces_key='f'. Set"):
        read(path, labels={"energy_key": "dft_energy", "forces_key": "f"})


def mixed() -> list:
    """Waters and ammonias whose energies are sums over elements, to 0.01 eV."""
    table = {"H": -13.6, "O": -2041.0, "N": -1485.0}
    rng = np.random.default_rng(5)
    return [
        structure(kind, seed=i, energy=sum(table[s] for s in kind[0]) + 0.01 * rng.normal())
        for i, kind in enumerate([WATER, AMMONIA] * 10)
    ]


def test_molecules_of_different_composition(tmp_path: Path) -> None:
    path = write(tmp_path / "mixed.xyz", mixed())
    module = read(path)
    assert module.spec.in_channels == 3
    assert module.store.num_nodes.tolist() == [3, 4] * 10
    # two compositions do not settle three elements, but their sums are settled
    fit = {k[-1]: v for k, v in module.spec.statistics.items() if k.startswith("atom_energy_")}
    energy = module.store.graph["energy"]
    assert energy[0].item() == pytest.approx(1e3 * mixed()[0].calc.results["energy"], rel=1e-12)
    assert energy[0].item() == pytest.approx(fit["O"] + 2 * fit["H"], abs=50)
    assert energy[1].item() == pytest.approx(fit["N"] + 3 * fit["H"], abs=50)
    assert module.spec.record.structures.energy_reference == "fitted"
    raw = read(path, energy_reference="none")
    assert raw.spec.statistics["energy_shift"] == pytest.approx(
        raw.store.graph["energy"][raw.splits["train"]].mean().item()
    )
    assert raw.spec.record.structures.energy_reference == "none"


def test_reference_energies_come_from_the_training_part(tmp_path: Path) -> None:
    structures = mixed()
    module = read(write(tmp_path / "mixed.xyz", structures))
    for index in torch.cat([module.splits["val"], module.splits["test"]]).tolist():
        structures[index].calc.results["energy"] += 7.0
    changed = read(write(tmp_path / "changed.xyz", structures))
    assert changed.spec.statistics == pytest.approx(module.spec.statistics)


def test_species_set_the_columns(file: Path) -> None:
    batch = read(file, species=["O", "C", "H"]).store.gather([0])
    assert batch.x.tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 1]]
    with pytest.raises(ValueError, match=r"species must contain .* missing: \['O'\], got \['H'\]"):
        read(file, species=["H"])
    for wrong in (["H", "Oxygen"], ["H", "O", "H"], []):
        with pytest.raises(ValueError, match="species must be distinct chemical symbols"):
            read(file, species=wrong)


def test_species_unseen_in_training_are_reported(tmp_path: Path, file: Path) -> None:
    other = write(tmp_path / "ammonia.xyz", [structure(AMMONIA, seed=i) for i in range(3)])
    with pytest.warns(UserWarning, match="structures contain N, which the training split lacks"):
        read(file, test_path=other)


def test_single_atoms_are_graphs(tmp_path: Path) -> None:
    atom = structure(("H", [[0.0, 0, 0]]), energy=-13.6, forces=np.zeros((1, 3)))
    module = read(write(tmp_path / "atom.xyz", [*waters(), atom]), energy_reference="none")
    batch = module.store.gather([10])
    assert batch.pos.tolist() == [[0.0, 0.0, 0.0]]
    assert batch.energy.item() == pytest.approx(-13600.0)


def test_a_constrained_atom_keeps_its_force(tmp_path: Path) -> None:
    from ase.constraints import FixAtoms

    structures = waters()
    for atoms in structures:
        atoms.set_constraint(FixAtoms([0]))
    ase_io.write(tmp_path / "fixed.traj", structures)
    forces = read(tmp_path / "fixed.traj").store.gather([0]).forces
    np.testing.assert_allclose(forces, 1e3 * structures[0].calc.results["forces"], atol=1e-3)


def periodic() -> object:
    atoms = structure()
    calc = atoms.calc
    atoms.cell, atoms.pbc = 10 * np.eye(3), [True, False, True]
    atoms.calc = calc  # of these positions, whatever the cell
    return atoms


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: structure(energy=None), "no energy as 'energy', .*; available: forces; forces w"),
        (lambda: structure(energy=np.nan), "energy contains NaN or infinite"),
        (lambda: structure(forces=np.full((3, 3), np.inf)), "forces contains NaN or infinite"),
        (lambda: structure(("HHH", np.eye(3)[[0, 1, 0]]), noise=0.0), "atoms 0 and 2 are 0 angst"),
        (lambda: structure(("XHH", WATER[1])), "atoms of unknown element"),
    ],
)
def test_wrong_structures_are_reported(tmp_path: Path, wrong, message: str) -> None:
    path = tmp_path / "wrong.traj"  # extended XYZ cannot hold all of these
    ase_io.write(path, [*waters(3), wrong()])
    with pytest.raises(ValueError, match=f"wrong.traj, frame 3.*{message}"):
        read(path)


def test_forces_too_large_for_their_precision_are_reported(tmp_path: Path) -> None:
    path = write(tmp_path / "wrong.xyz", [*waters(), structure(forces=np.full((3, 3), 1e40))])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match="'forces' contains NaN or infinite values"):
            read(path)


def test_nan_positions_are_reported(tmp_path: Path) -> None:
    path = write(tmp_path / "wrong.xyz", waters())
    lines = path.read_text().splitlines()
    lines[7] = "H nan nan nan 0.0 0.0 0.0"
    path.write_text("\n".join(lines))
    with pytest.raises(ValueError, match="wrong.xyz, frame 1: pos contains NaN or infinite"):
        read(path)


def test_periodic_structures_can_be_taken_as_isolated(tmp_path: Path) -> None:
    path = write(tmp_path / "box.xyz", [*waters(9), periodic()])
    with pytest.warns(UserWarning, match="1 periodic structures are treated as isolated"):
        assert len(read(path, ignore_cell=True).store) == 10


def test_files_without_structures_are_rejected(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="path: there is no file"):
        read(tmp_path / "nothing.xyz")
    (tmp_path / "empty.xyz").touch()
    with pytest.raises(ValueError, match="empty.xyz is empty"):
        read(tmp_path / "empty.xyz")
    (tmp_path / "text.xyz").write_text("this is\nno structure\n")
    with pytest.raises(ValueError, match="ASE cannot read .*text.xyz"):
        read(tmp_path / "text.xyz")
    (tmp_path / "none.xyz").write_text("0\n\n")
    with pytest.raises(ValueError, match="none.xyz.*(no atoms|no structures|cannot read)"):
        read(tmp_path / "none.xyz")


def test_a_truncated_file_is_rejected(file: Path) -> None:
    file.write_text(file.read_text()[:-60])
    with pytest.raises(ValueError, match="ASE cannot read .*water.xyz"):
        read(file)


def test_too_few_structures_for_three_parts(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="empty for 3 graphs"):
        read(write(tmp_path / "few.xyz", waters(3)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"energy_unit": "Ha"}, "energy_unit must be one of meV, eV"),
        ({"length_unit": "pm"}, "length_unit must be one of angstrom, bohr"),
        ({"energy_reference": "mean"}, "energy_reference must be one of"),
        ({"fractions": {"train": 0.9, "val": 0.1}}, "fractions must be a positive number"),
        (
            {"fractions": {"train": 1, "val": 1, "test": float("nan")}},
            "fractions must be a positive",
        ),
        ({"split_seed": -1}, "split_seed must be a whole number >= 0, got -1"),
        ({"fractions": {"train": 1, "val": 0, "test": 1}}, "a positive number for each"),
        ({"val_path": "a.xyz"}, "must be different files"),
    ],
)
def test_wrong_arguments_are_rejected(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ExtXYZ(path="a.xyz", loader=LOADER, **options)


def test_a_missing_file_of_a_part_is_reported(file: Path) -> None:
    with pytest.raises(FileNotFoundError, match="val_path: there is no file nowhere.xyz"):
        read(file, val_path="nowhere.xyz")


def test_without_ase_the_extra_is_reported(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ase.io", None)
    with pytest.raises(ImportError, match=r'pip install "geozoo\[molecules\]"'):
        read(file)


def test_the_card_names_every_reference_and_says_that_nothing_is_to_be_added() -> None:
    from typing import get_args

    from geozoo.data.molecules.extxyz import Reference

    card = Path(__file__).parents[3].joinpath("datasets/extxyz/README.md").read_text()
    rows = {line.split("`")[1] for line in card.splitlines() if line.startswith("| `")}
    assert set(get_args(Reference)) <= rows
    assert "nothing is to be added to them" in " ".join(card.split())
    for kind in ("given", "isolated atoms", "fitted", "none"):
        assert f"`{kind}`" in card
