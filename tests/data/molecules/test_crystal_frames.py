"""Sampling and labelling of crystals: strains, trajectories, splits, files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ase")
import ase.io  # noqa: E402
from ase.build import bulk, fcc111  # noqa: E402
from ase.calculators.emt import EMT  # noqa: E402

from geozoo.data.molecules import copper_simulator  # noqa: E402
from geozoo.data.molecules.copper_simulator import copper_paths, simulate_copper  # noqa: E402
from geozoo.data.molecules.crystal_frames import (  # noqa: E402
    CrystalPath,
    labelled,
    random_strain,
    rounded,
    split_of_paths,
    strained,
    text_hash,
    trajectory,
    without_atoms,
    write_parts,
)


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


def test_strains_are_symmetric_and_deform_cell_and_positions() -> None:
    strain = random_strain(generator(), 0.05)
    np.testing.assert_allclose(strain, strain.T)
    many = np.array([random_strain(np.random.default_rng(s), 0.05) for s in range(500)])
    np.testing.assert_allclose(many.std(0)[np.eye(3, dtype=bool)], 0.05 * 2**0.5, rtol=0.15)
    np.testing.assert_allclose(many.std(0)[~np.eye(3, dtype=bool)], 0.025, rtol=0.15)
    crystal = bulk("Cu", cubic=True)
    found = strained(crystal, strain)
    np.testing.assert_allclose(found.cell, crystal.cell @ (np.eye(3) + strain))
    scaled = crystal.get_scaled_positions()
    np.testing.assert_allclose(found.get_scaled_positions(), scaled, atol=1e-12)


def test_a_trajectory_has_the_temperature_of_its_thermostat_and_repeats_exactly() -> None:
    start = bulk("Cu", a=3.6, cubic=True)
    path = CrystalPath("cubic", start, 600.0, frames=3, steps=4)
    first, again = (list(trajectory(path, EMT(), generator())) for _ in range(2))
    other = list(trajectory(path, EMT(), np.random.default_rng(1)))
    assert [a.positions.tolist() for a in first] == [a.positions.tolist() for a in again]
    assert len(first) == 3
    assert not np.allclose(first[-1].positions, other[-1].positions, atol=1e-3)
    assert (start.positions == bulk("Cu", a=3.6, cubic=True).positions).all()
    for atoms in first:
        assert (atoms.positions == atoms.positions.round(6)).all()


def test_labels_are_those_of_the_stored_positions(tmp_path: Path) -> None:
    atoms = bulk("Cu", a=3.6, cubic=True)
    atoms.positions += 0.1 * generator().standard_normal((4, 3))
    frames = [labelled(rounded(atoms), EMT(), config_type="cubic", trajectory=3)]
    files = {part: tmp_path / f"{part}.extxyz.xz" for part in ("train", "val", "test")}
    write_parts([(part, frame) for part in files for frame in frames], files)
    read = ase.io.read(files["val"])
    assert read.info["config_type"] == "cubic"
    assert read.info["trajectory"] == 3
    fresh = read.copy()
    fresh.calc = EMT()
    np.testing.assert_allclose(read.get_forces(), fresh.get_forces(), atol=1e-6)
    np.testing.assert_allclose(read.get_stress(), fresh.get_stress(), atol=1e-8)
    assert abs(read.get_potential_energy() - fresh.get_potential_energy()) < 1e-6
    assert text_hash(files["val"]) == text_hash(files["test"])


def test_slabs_have_no_stress() -> None:
    slab = labelled(fcc111("Cu", size=(1, 1, 3), a=3.6, vacuum=8.0), EMT())
    assert set(slab.calc.results) == {"energy", "forces"}


def test_every_kind_is_in_every_split_and_splits_are_repeatable() -> None:
    kinds = ["cubic"] * 20 + ["vacancy"] * 5
    found = split_of_paths(kinds, generator())
    assert found == split_of_paths(kinds, generator())
    assert found != split_of_paths(kinds, np.random.default_rng(1))
    assert [found[:20].count(part) for part in ("train", "val", "test")] == [16, 2, 2]
    assert [found[20:].count(part) for part in ("train", "val", "test")] == [3, 1, 1]


def test_vacancies() -> None:
    crystal = bulk("NaCl", "rocksalt", a=5.6, cubic=True)
    assert without_atoms(crystal, [0, 1]).get_chemical_formula() == "Cl3Na3"
    assert len(crystal) == 8


def test_copper_has_the_structures_of_its_card() -> None:
    paths = copper_paths(0)
    assert sum(path.frames for path in paths) == 798
    kinds = [path.kind for path in paths]
    counts = {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}
    assert counts == {"cubic": 20, "strained": 12, "vacancy": 5, "surface": 6, "bcc": 3, "hcp": 3}
    cubic = [path for path in paths if path.kind == "cubic"]
    assert {len(path.atoms) for path in cubic} == {32}
    assert {path.kelvin for path in cubic} == {300.0, 600.0, 900.0, 1200.0}
    assert {len(path.atoms) for path in paths if path.kind == "strained"} == {4, 12, 27, 32}
    assert {tuple(path.atoms.pbc) for path in paths} == {(True,) * 3, (True, True, False)}
    other = copper_paths(1)
    strains = [np.asarray(path.atoms.cell) for path in paths if path.kind == "strained"]
    others = [np.asarray(path.atoms.cell) for path in other if path.kind == "strained"]
    assert not any(np.allclose(a, b) for a, b in zip(strains, others, strict=True))


def test_simulations_repeat_bit_for_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def few(seed: int) -> list[CrystalPath]:
        start = bulk("Cu", a=3.6, cubic=True)
        return [CrystalPath("cubic", start, 300.0 + seed, frames=2, steps=2) for _ in range(3)]

    monkeypatch.setattr(copper_simulator, "copper_paths", few)
    contents = []
    for number, seed in enumerate((0, 0, 1)):
        files = {p: tmp_path / str(number) / f"{p}.extxyz.xz" for p in ("train", "val", "test")}
        simulate_copper(files, seed=seed)
        contents.append([path.read_bytes() for path in files.values()])
    assert contents[0] == contents[1]
    assert contents[0] != contents[2]
    numbers = [frame.info["trajectory"] for frame in ase.io.read(files["test"], ":")]
    assert len(set(numbers)) == 1
    assert len(numbers) == 2
