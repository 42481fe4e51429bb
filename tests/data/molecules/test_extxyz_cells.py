"""Cells of periodic structures: fields, checks, units."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from geozoo.data import ExtXYZ, LoaderOptions, read_structures, rotate_batch, structure_of

ase = pytest.importorskip("ase")
ase_io = pytest.importorskip("ase.io")
from ase.calculators.singlepoint import SinglePointCalculator  # noqa: E402
from ase_samples import silicon, structure, waters, write  # noqa: E402

LOADER = LoaderOptions(batch_size=4)


def read(path: Path, **options: object) -> ExtXYZ:
    module = ExtXYZ(**{"path": path, "loader": LOADER, **options})
    module.setup()
    return module


def crystals(number: int = 10) -> list:
    return [silicon(seed) for seed in range(number)]


def in_box(cell: object, pbc: object = True, atoms: object = None) -> object:
    """Water in a cell, with its energy and forces."""
    atoms = structure() if atoms is None else atoms
    results = atoms.calc.results
    atoms.set_cell(cell)
    atoms.pbc = pbc
    atoms.calc = SinglePointCalculator(atoms, **results)
    return atoms


def test_cells_and_positions_are_those_of_the_file(tmp_path: Path) -> None:
    frames = crystals()
    for number, atoms in enumerate(frames):  # positions outside the cell stay there
        calc = atoms.calc
        atoms.positions[0] += (number - 5) * atoms.cell[1]
        atoms.calc = calc
        calc.atoms = atoms.copy()
    batch = read(write(tmp_path / "si.xyz", frames)).store.gather([3, 8])
    assert batch.cell.dtype == torch.float64
    for row, number in enumerate((3, 8)):
        atoms = frames[number]
        np.testing.assert_allclose(batch.cell[row], np.asarray(atoms.cell), atol=1e-7)
        centred = atoms.positions - atoms.positions.mean(0)
        np.testing.assert_allclose(batch.pos[batch.batch == row], centred, atol=2e-6)
    assert batch.pbc.tolist() == [[True] * 3] * 2


def test_molecules_and_crystals_in_one_file(tmp_path: Path) -> None:
    mixed = [*crystals(6), *waters(6), in_box(np.diag([4.0, 0, 20]), [True, False, False])]
    module = read(write(tmp_path / "mixed.xyz", mixed))
    cell, pbc = module.store.graph["cell"], module.store.graph["pbc"]
    assert not cell[6:12].any()
    assert not pbc[6:12].any()
    assert pbc[12].tolist() == [True, False, False]
    assert cell[12].tolist() == [[4, 0, 0], [0, 0, 0], [0, 0, 20]]
    assert module.spec.vector_fields == ("pos", "forces", "cell")
    assert module.spec.units["cell"] == "angstrom"
    assert module.spec.record.structures.periodic_structures == 7


def test_molecules_alone_have_no_cell(tmp_path: Path) -> None:
    frames = waters()
    for atoms in frames:  # a box without periodicity
        in_box(np.eye(3) * 9, False, atoms)
    module = read(write(tmp_path / "water.xyz", frames))
    assert "cell" not in module.store.graph
    assert module.spec.vector_fields == ("pos", "forces")
    assert module.spec.tensor_fields == ()


def test_cells_obey_the_unit_of_length(tmp_path: Path) -> None:
    frames, bohr = crystals(), 0.529177210544
    plain = read(write(tmp_path / "a.xyz", frames)).store
    for atoms in frames:
        results = dict(atoms.calc.results)
        results["forces"] = results["forces"] * bohr
        results["stress"] = results["stress"] * bohr**3
        atoms.set_cell(atoms.cell / bohr, scale_atoms=True)
        atoms.calc = SinglePointCalculator(atoms, **results)
    path = tmp_path / "bohr.traj"
    ase_io.write(path, frames)
    converted = read(path, length_unit="bohr").store
    for name in ("cell", "stress"):
        torch.testing.assert_close(converted.graph[name], plain.graph[name], rtol=1e-5, atol=1e-4)
    for name in ("pos", "forces"):
        torch.testing.assert_close(converted.node[name], plain.node[name], rtol=1e-4, atol=1e-4)
    (first, *_) = read_structures(path, length_unit="bohr")
    np.testing.assert_allclose(first.cell, plain.graph["cell"][0], rtol=1e-6, atol=1e-6)


SKEWED = np.array([[5.0, 0, 0], [4.9, 3, 0], [2, -2.9, 4]])


def through(*fractions: float) -> object:
    """Two atoms that coincide through a face, an edge or a corner of a skewed cell."""
    apart = np.round(fractions) @ SKEWED
    atoms = structure(("HH", [[0.1, 0.2, 0.3], apart + [0.13, 0.2, 0.3]]), noise=0.0)
    return in_box(SKEWED, True, atoms)


def _nan_cell() -> object:
    atoms = in_box(np.eye(3) * 5)
    atoms.cell[0, 1] = np.nan
    return atoms


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: in_box(np.diag([5.0, 0, 5])), "is periodic along direction 2 .*has no vector"),
        (lambda: in_box([[5, 0, 0], [0, 5, 0], [5, 5, 0]]), "dependent: the cell has zero volume"),
        (
            lambda: in_box([[5, 0, 0], [9, 0, 0], [0, 0, 5]], [True, True, False]),
            "dependent: the cell has zero area",
        ),
        (_nan_cell, "the cell contains NaN"),
        (lambda: in_box(np.diag([5, 5, 0.05])), "every atom is 0.05 angstrom or less from its own"),
        (lambda: through(1, 0, 0), "atoms 0 and 1 are 0.03 angstrom apart through the cell bound"),
        (lambda: through(0, -1, 1), "atoms 0 and 1 are 0.03 angstrom apart through the cell"),
        (lambda: through(-1, -1, 2), "atoms 0 and 1 are 0.03 angstrom apart through the cell"),
        (lambda: through(0, 0, 0), "atoms 0 and 1 are 0.03 angstrom apart; check"),
    ],
)
def test_wrong_cells_are_reported(tmp_path: Path, wrong, message: str) -> None:
    atoms = wrong()
    ase_io.write(tmp_path / "wrong.traj", [*waters(3), atoms])
    with pytest.raises(ValueError, match=f"wrong.traj, frame 3.*{message}"):
        read(tmp_path / "wrong.traj")
    with pytest.raises(ValueError, match=f"wrong.traj, frame 3.*{message}"):
        read_structures(tmp_path / "wrong.traj")


def test_atoms_close_through_a_boundary_are_those_of_a_search_over_images() -> None:
    from geozoo.data.molecules._frame_cells import cell_of, check_distances

    rng = np.random.default_rng(0)
    found = []
    for _ in range(60):
        vectors = rng.normal(size=(3, 3)) + np.eye(3)
        pbc = rng.integers(0, 2, 3).astype(bool)
        if np.linalg.svd(vectors, compute_uv=False)[-1] < 0.2:
            continue
        inside = rng.uniform(size=(16, 3))
        pos = (inside + pbc * rng.integers(-2, 3, (16, 3))) @ vectors
        images = np.stack(np.meshgrid(*[[-2, -1, 0, 1, 2] if p else [0] for p in pbc]), -1)
        apart = inside[:, None] - inside[None]
        apart = apart[np.triu_indices(16, 1)][:, None] + images.reshape(1, -1, 3)
        expected = np.linalg.norm(apart @ vectors, axis=-1).min() < 0.1
        try:
            check_distances(pos, "it", cell_of(ase.Atoms("H", cell=vectors, pbc=pbc), "it"))
            found.append((False, expected))
        except ValueError as error:
            assert "angstrom apart" in str(error)
            found.append((True, expected))
    assert all(ours == other for ours, other in found)
    assert 5 < sum(ours for ours, _ in found) < len(found) - 5


def test_an_ignored_cell_has_no_stress(tmp_path: Path) -> None:
    frames = [in_box(np.eye(3) * 9, True, atoms) for atoms in waters()]
    for atoms in frames:
        atoms.calc.results["stress"] = np.ones(6)
    path = write(tmp_path / "box.xyz", frames)
    with pytest.warns(UserWarning, match="10 periodic structures are treated as isolated"):
        store = read(path, ignore_cell=True).store
    assert not {"cell", "pbc", "stress", "has_stress"} & store.graph.keys()
    with pytest.raises(ValueError, match="cannot be combined with ignore_cell=true"):
        ExtXYZ(path=path, loader=LOADER, ignore_cell=True, labels={"stress_key": "stress"})


def test_structures_keep_their_cell(tmp_path: Path) -> None:
    frames = [silicon(), structure()]
    periodic, isolated = read_structures(write(tmp_path / "a.xyz", frames))
    np.testing.assert_allclose(periodic.cell, np.asarray(frames[0].cell), atol=1e-7)
    assert periodic.pbc.tolist() == [True] * 3
    np.testing.assert_allclose(periodic.pos, frames[0].positions, atol=1e-7)
    assert (isolated.cell, isolated.pbc, periodic.periodic) == (None, None, None)
    given = structure_of(frames[0], "it")
    np.testing.assert_array_equal(given.cell, np.asarray(frames[0].cell))


def test_cells_and_stresses_rotate_with_the_structure(tmp_path: Path) -> None:
    module = read(write(tmp_path / "si.xyz", crystals()))
    batch = module.store.gather([0, 1])
    rotation = torch.linalg.qr(
        torch.randn(2, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    )[0]
    spec = module.spec
    assert spec.tensor_fields == ("stress",)
    turned = rotate_batch(batch, rotation, spec.vector_fields, spec.tensor_fields)
    for graph in range(2):
        r = rotation[graph]
        torch.testing.assert_close(turned.cell[graph], batch.cell[graph] @ r.T)
        torch.testing.assert_close(turned.stress[graph], r @ batch.stress[graph] @ r.T)
    # The virial of a pair, force times distance, rotates as the tensor does.
    pair = torch.einsum("ni,nj->ij", batch.forces[:2].double(), batch.pos[:2].double())
    after = torch.einsum("ni,nj->ij", turned.forces[:2].double(), turned.pos[:2].double())
    r = rotation[0]
    torch.testing.assert_close(after, r @ pair @ r.T, rtol=1e-4, atol=1e-2)
    with pytest.raises(ValueError, match="tensor_fields: both last axes of 'pos' must have size 3"):
        rotate_batch(batch, rotation, ("pos",), ("pos",))
