"""Neighbour lists against brute force over images, for every backend."""

import itertools
import math

import pytest
import torch

from geozoo import geometry as geo
from geozoo.geometry._neighbor_backends import installed

LIBRARIES = {"vesin": "vesin", "nvalchemi": "nvalchemiops"}
BACKENDS = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            name in LIBRARIES and not installed(LIBRARIES[name]), reason=f"{name} not installed"
        ),
    )
    for name in ("auto", "torch", "vesin")
]


def random_cell(generator, kind):
    """A cell that is triclinic, left-handed or stretched, of a size around one."""
    while True:
        cell = torch.eye(3, dtype=torch.float64)
        cell += 0.6 * (torch.rand(3, 3, generator=generator, dtype=torch.float64) - 0.5)
        cell *= 0.5 + torch.rand(3, 1, generator=generator, dtype=torch.float64)
        if kind % 3 == 0:
            cell = cell[[1, 0, 2]]
        if abs(float(torch.linalg.det(cell))) > 0.1:
            return cell


def random_batch(seed):
    """Some graphs, each periodic in any directions, with atoms outside of their cells."""
    generator = torch.Generator().manual_seed(seed)
    cells, flags, positions, batch = [], [], [], []
    for graph in range(1 + seed % 3):
        cell = random_cell(generator, seed + graph)
        pbc = torch.rand(3, generator=generator) < (1.0 if seed % 4 == 0 else 0.6)
        if seed % 5 == 0:  # as ASE stores directions without a vector
            cell[~pbc] = 0
        size = int(torch.randint(1, 6, (1,), generator=generator))
        spread = 1.0 if seed % 2 else 4.0
        pos = torch.rand(size, 3, generator=generator, dtype=torch.float64)
        positions.append((pos - 0.5) * spread)
        cells.append(cell)
        flags.append(pbc)
        batch += [graph] * size
    radius = float(0.3 + 2 * torch.rand(1, generator=generator))
    if seed % 7 == 0:  # cells down to a fifth of the cutoff
        heights = [torch.linalg.inv(c[:, :] if p.all() else torch.eye(3).double()).norm(dim=0).max()
                   for c, p in zip(cells, flags, strict=True)]  # fmt: skip
        radius = 5 / float(max(heights))
        radius = min(radius, 3.0)
    return (
        torch.cat(positions), radius, torch.tensor(batch), torch.stack(cells), torch.stack(flags),
    )  # fmt: skip


def brute_force(pos, radius, batch, cell, pbc):
    """Every relation once, found by testing all images that could matter, in float64."""
    found = set()
    pos, cell = pos.double(), cell.double()
    for graph in range(len(cell)):
        atoms = (batch == graph).nonzero()[:, 0].tolist()
        vectors, ways = cell[graph], pbc[graph]
        rows = vectors[ways]
        steps = [0, 0, 0]
        if len(rows):
            # |s_k| <= |r| |row k of the pseudo-inverse|, for vectors within the periodic span.
            dual = torch.linalg.pinv(rows).norm(dim=0)
            reach = radius + max((pos[a] - pos[b]).norm() for a in atoms for b in atoms)
            for axis, bound in zip(ways.nonzero()[:, 0].tolist(), dual.tolist(), strict=True):
                steps[axis] = math.ceil(float(reach) * bound)
        images = torch.tensor(
            list(itertools.product(*(range(-step, step + 1) for step in steps))),
            dtype=torch.float64,
        )
        shifts = images @ vectors
        for a, b in itertools.combinations_with_replacement(atoms, 2):
            distance = (pos[a] + shifts - pos[b]).norm(dim=1)
            for image in images[distance < radius].long().tolist():
                if a < b or next((s for s in image if s), -1) > 0:
                    found.add((a, b, *image))
    return found


def rows(pairs):
    """The pairs as a list of tuples, checked to be sorted and unique."""
    image = pairs.image
    if image is None:
        image = torch.zeros(pairs.index.shape[1], 3, dtype=torch.int64)
    assert pairs.index.dtype == image.dtype == torch.int64
    listed = [tuple(row) for row in torch.cat([pairs.index.T, image], 1).tolist()]
    assert listed == sorted(set(listed))
    return listed


def check(seed, backend, dtype=torch.float64):
    pos, radius, batch, cell, pbc = random_batch(seed)
    pos = pos.to(dtype)
    found = geo.neighbor_pairs(pos, radius, batch, cell=cell, pbc=pbc, backend=backend)
    assert set(rows(found)) == brute_force(pos, radius, batch, cell, pbc)


@pytest.mark.parametrize("backend", BACKENDS)
def test_random_cells_equal_brute_force(backend):
    for seed in range(40):
        check(seed, backend)


@pytest.mark.thorough
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("backend", BACKENDS)
def test_many_random_cells_equal_brute_force(backend, dtype):
    for seed in range(40, 540):
        check(seed, backend, dtype)


@pytest.mark.parametrize("backend", BACKENDS)
def test_single_precision_equals_brute_force(backend):
    for seed in range(40, 60):
        check(seed, backend, torch.float32)
