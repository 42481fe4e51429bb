"""The repulsion of Ziegler, Biersack and Littmark: textbook values, images, derivatives."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from geozoo.physics import AtomicSystem, ZBLRepulsion
from geozoo.physics.covalent_radii import COVALENT_RADII
from geozoo.physics.zbl import screened_repulsion


def system(pos, numbers, batch=None, cell=None, pbc=None) -> AtomicSystem:
    pos, numbers = torch.tensor(pos, dtype=torch.float64), torch.tensor(numbers)
    batch = torch.zeros_like(numbers) if batch is None else torch.tensor(batch)
    if cell is not None:
        cell, pbc = torch.tensor(np.array(cell)).double(), torch.tensor(pbc)
    return AtomicSystem(pos, numbers, batch, int(batch.max()) + 1, cell, pbc)


def energies(atoms: AtomicSystem) -> torch.Tensor:
    term = ZBLRepulsion()
    return term(atoms, term.pairs(atoms))


def textbook(z1: int, z2: int, r: float) -> float:
    """In meV, from the book's formula with its units: e^2 = 14.3996 eV angstrom."""
    a = 0.8854 * 0.529177 / (z1**0.23 + z2**0.23)
    x = r / a
    phi = (
        0.18175 * math.exp(-3.1998 * x) + 0.50986 * math.exp(-0.94229 * x)
        + 0.28022 * math.exp(-0.4029 * x) + 0.02817 * math.exp(-0.20162 * x)
    )  # fmt: skip
    return 1000 * 14.3996 * z1 * z2 / r * phi


@pytest.mark.parametrize("z1,z2,r", [(1, 1, 0.3), (6, 8, 0.9), (14, 14, 1.5), (79, 1, 0.05)])
def test_screened_repulsion_is_the_textbook_formula(z1: int, z2: int, r: float) -> None:
    one = torch.tensor([r], dtype=torch.float64)
    found = screened_repulsion(one, torch.tensor([z1]), torch.tensor([z2]))
    assert float(found) == pytest.approx(textbook(z1, z2, r), rel=1e-5)


def test_envelope_ends_at_the_sum_of_covalent_radii() -> None:
    reach = 0.76 + 0.66
    for r in (0.4, 1.0, 1.4, reach - 1e-9, reach + 1e-9, 2.0):
        u = r / reach
        window = 1 - 28 * u**6 + 48 * u**7 - 21 * u**8 if u < 1 else 0.0
        found = float(energies(system([[0, 0, 0], [0, 0, r]], [6, 8]))[0])
        assert found == pytest.approx(textbook(6, 8, r) * window, rel=1e-5, abs=1e-9)


def test_force_and_curvature_are_continuous_at_the_end() -> None:
    r = torch.tensor([1.42 - 1e-7, 1.42 + 1e-7], dtype=torch.float64).requires_grad_()
    pos = torch.stack([torch.zeros(2).double(), r], 1).flatten()
    pos = torch.nn.functional.pad(pos[:, None], (2, 0))
    atoms = system([[0.0, 0, 0]] * 4, [6, 8, 6, 8], [0, 0, 1, 1])._replace(pos=pos)
    (slope,) = torch.autograd.grad(energies(atoms).sum(), r, create_graph=True)
    (curvature,) = torch.autograd.grad(slope.sum(), r)
    torch.testing.assert_close(slope, torch.zeros(2).double(), atol=1e-3, rtol=0)
    torch.testing.assert_close(curvature, torch.zeros(2).double(), atol=0.1, rtol=0)


def test_covalent_radii_are_those_of_ase() -> None:
    data = pytest.importorskip("ase.data")
    np.testing.assert_allclose(COVALENT_RADII, data.covalent_radii[1:97])


def test_images_are_the_atoms_of_a_large_cluster() -> None:
    """A cell smaller than the reach: self-images and several images of a pair."""
    cell = np.array([[1.6, 0, 0], [0.2, 1.5, 0], [0.1, -0.1, 1.7]])
    pos, numbers = np.array([[0.1, 0.2, 0.3], [2.9, 0.8, -0.7]]), [14, 22]
    found = float(energies(system(pos, numbers, cell=[cell], pbc=[[True] * 3]))[0])
    steps = np.stack(np.meshgrid(*[range(-4, 5)] * 3), -1).reshape(-1, 3)
    radii = [COVALENT_RADII[z - 1] for z in numbers]
    expected = 0.0
    for i in range(2):
        for j in range(2):
            for shift in steps @ cell:
                r = np.linalg.norm(pos[j] + shift - pos[i])
                u = r / (radii[i] + radii[j])
                if 0 < u < 1:
                    window = 1 - 28 * u**6 + 48 * u**7 - 21 * u**8
                    expected += textbook(numbers[i], numbers[j], r) * window / 2
    assert expected > 1e3
    assert found == pytest.approx(expected, rel=1e-5)


def test_mixed_batches_equal_single_structures_and_isolated_atoms_are_zero() -> None:
    cell, none = [[2.0, 0, 0], [0, 2.1, 0], [0, 0, 2.2]], [[0.0] * 3] * 3
    crystal = system([[0, 0, 0], [0.9, 1, 1.2]], [14, 8], cell=[cell], pbc=[[True] * 3])
    slab = system([[0, 0, 0], [0.9, 1, 1.2]], [14, 8], cell=[cell], pbc=[[True, True, False]])
    molecule = system([[0, 0, 0], [0, 0, 0.8]], [6, 8])
    pos = [[0, 0, 0], [0.9, 1, 1.2]] * 2 + [[0, 0, 0], [0, 0, 0.8], [5.0, 0, 0]]
    mixed = system(
        pos, [14, 8, 14, 8, 6, 8, 79], [0, 0, 1, 1, 2, 2, 3], [cell, cell, none, none],
        [[True] * 3, [True, True, False], [False] * 3, [False] * 3],
    )  # fmt: skip
    found = energies(mixed)
    assert float(found[3]) == 0.0 and float(found[0]) > float(found[1]) > 0
    single = torch.cat([energies(each) for each in (crystal, slab, molecule)])
    torch.testing.assert_close(found[:3], single)


def test_elements_without_a_radius_are_refused() -> None:
    with pytest.raises(ValueError, match="atomic numbers 1 to 96, .* got 97"):
        energies(system([[0, 0, 0], [0, 0, 1.0]], [6, 97]))
