"""Energies of atoms and dipoles in structure files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("ase")
import ase.io
from ase_samples import WATER, silicon, structure

from geozoo.data import ExtXYZ, LoaderOptions

BOHR, DEBYE = 0.529177210544, 0.2081943


def read(path: Path, frames: list, **options: Any) -> ExtXYZ:
    ase.io.write(path, frames, format="extxyz")
    options = {"energy_reference": "none", "fractions": dict(train=8, val=1, test=1)} | options
    return ExtXYZ(path=path, loader=LoaderOptions(batch_size=5), **options)


def water(seed: int = 0, **results: Any) -> ase.Atoms:
    """Water with energies of atoms and a dipole, as an ASE calculator gives them."""
    rng = np.random.default_rng(seed)
    of_atoms = rng.normal(size=3) - 4
    given = {"energies": of_atoms, "energy": of_atoms.sum(), "dipole": rng.normal(size=3)}
    return structure(WATER, seed=seed, **(given | results))


def test_results_of_calculators_are_read(tmp_path: Path) -> None:
    frames = [water(seed) for seed in range(10)]
    for number, name in ((3, "energies"), (4, "dipole")):
        del frames[number].calc.results[name]
    module = read(tmp_path / "a.xyz", frames)
    batch = module.store.gather(range(10))
    assert batch.has_atom_energies.tolist() == [number != 3 for number in range(10)]
    assert batch.has_dipole.tolist() == [number != 4 for number in range(10)]
    for number, atoms in enumerate(frames):
        rows, results = batch.batch == number, atoms.calc.results
        expected = 1e3 * results.get("energies", np.zeros(3))
        np.testing.assert_allclose(batch.atom_energies[rows], expected, rtol=1e-6)
        np.testing.assert_allclose(batch.dipole[number], results.get("dipole", np.zeros(3)), 1e-6)
    spec = module.spec
    assert spec.units["atom_energies"] == "meV" and spec.units["dipole"] == "e*angstrom"
    assert spec.vector_fields == ("pos", "forces", "dipole")
    part = module.store.gather(module.splits["train"])
    scale = part.dipole[part.has_dipole].square().mean().sqrt()
    assert spec.statistics["dipole_scale"] == pytest.approx(float(scale), rel=1e-12)


@pytest.mark.parametrize(
    ("unit", "factor"), [("e*angstrom", 1.0), ("e*bohr", BOHR), ("debye", DEBYE)]
)
def test_other_keys_and_units(tmp_path: Path, unit: str, factor: float) -> None:
    frames = []
    for seed in range(10):
        atoms = water(seed)
        atoms.info["mu"] = atoms.calc.results.pop("dipole")
        atoms.arrays["e"] = atoms.calc.results.pop("energies") / 27.211386
        atoms.calc.results["energy"] /= 27.211386
        frames.append(atoms)
    keys = {"atom_energies_key": "e", "dipole_key": "mu", "dipole_unit": unit}
    batch = read(tmp_path / "a.xyz", frames, labels=keys, energy_unit="hartree").store.gather([2])
    np.testing.assert_allclose(batch.dipole[0], factor * frames[2].info["mu"], rtol=1e-6)
    np.testing.assert_allclose(batch.atom_energies, 27211.386 * frames[2].arrays["e"], rtol=1e-6)


def test_targets_that_are_not_to_be_read(tmp_path: Path) -> None:
    keys = {"atom_energies_key": "none", "dipole_key": "none"}
    store = read(tmp_path / "a.xyz", [water(s) for s in range(10)], labels=keys).store
    assert not {"atom_energies", "dipole"} & {*store.node, *store.graph}


@pytest.mark.parametrize("origin", ["zero", "centre_of_mass", "mean_position"])
def test_dipoles_of_ions_are_moved_to_the_mean_position(tmp_path: Path, origin: str) -> None:
    frames = []
    for seed in range(10):
        atoms = water(seed)
        atoms.positions += [5.0, -3.0, 1.0]
        charges = np.array([-0.5, 0.7, 0.8])
        known = {"zero": np.zeros(3), "centre_of_mass": atoms.get_center_of_mass()}
        known["mean_position"] = atoms.positions.mean(0)
        atoms.calc.results["dipole"] = charges @ (atoms.positions - known[origin])
        atoms.info["charge"] = 1.0
        frames.append(atoms)
    batch = read(tmp_path / "a.xyz", frames, labels={"dipole_origin": origin}).store.gather([1])
    expected = charges @ (frames[1].positions - frames[1].positions.mean(0))
    np.testing.assert_allclose(batch.dipole[0], expected, atol=1e-6)


def test_structures_without_a_definite_dipole(tmp_path: Path, caplog: Any) -> None:
    ions = [water(seed) for seed in range(4)]
    for atoms in ions:
        atoms.info["charge"] = -1.0
    crystals = [silicon(seed, dipole=np.ones(3)) for seed in range(3)]
    frames = [*ions, *crystals, *(water(seed) for seed in range(4, 8))]
    with caplog.at_level("WARNING"), pytest.warns(UserWarning, match="total charge of -1, none"):
        store = read(tmp_path / "a.xyz", frames).store
    assert store.graph["has_dipole"].tolist() == [False] * 7 + [True] * 4
    assert "dipoles of 4 structures are not read: its charge is -1" in caplog.text
    assert "dipoles of 3 structures are not read: it is periodic" in caplog.text
    for part, message in ((ions, "frame 0 .*charge is -1.*dipole_origin"), (crystals, "periodic")):
        with pytest.raises(ValueError, match=message):
            read(tmp_path / "b.xyz", part * 3, labels={"dipole_key": "dipole"}).setup()


def test_other_shapes_and_sums(tmp_path: Path, caplog: Any) -> None:
    frames = [structure(WATER, seed=seed) for seed in range(10)]
    for atoms in frames:
        atoms.info["REF_dipole"] = 1.85  # an absolute value
    assert "dipole" not in read(tmp_path / "a.xyz", frames).store.graph
    with pytest.raises(ValueError, match=r"REF_dipole must have shape \(3,\), got \(\)"):
        read(tmp_path / "a.xyz", frames, labels={"dipole_key": "REF_dipole"}).setup()
    with caplog.at_level("WARNING"):
        read(tmp_path / "a.xyz", [water(s, energies=np.ones(3)) for s in range(10)]).setup()
    assert "atomic energies of 10 structures do not add up to their energy" in caplog.text
    with pytest.raises(ValueError, match="dipole_unit must be one of"):
        read(tmp_path / "a.xyz", frames, labels={"dipole_unit": "D"})
