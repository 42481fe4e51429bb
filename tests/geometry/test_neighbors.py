"""Neighbour lists against brute force over images, for every backend."""

import itertools
import math

import pytest
import torch

from geozoo import geometry as geo
from geozoo.geometry import neighbors
from geozoo.geometry._neighbor_backends import Candidates, installed
from geozoo.geometry._neighbor_order import canonical

LIBRARIES = {"vesin": "vesin", "nvalchemi": "nvalchemiops"}
BACKENDS = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            name in LIBRARIES and not installed(LIBRARIES[name]), reason=f"{name} not installed"
        ),
    )
    for name in ("auto", "torch", "vesin", "nvalchemi")
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


CUBE = torch.eye(3, dtype=torch.float64)[None]
ALL = torch.ones(1, 3, dtype=torch.bool)
ONE = torch.zeros(1, dtype=torch.int64)


@pytest.mark.parametrize("backend", BACKENDS)
def test_atom_is_neighbour_of_its_own_images(backend):
    """A simple cubic lattice with one atom: 6 neighbours at 1, 12 at sqrt(2), each counted once."""
    pos = torch.tensor([[7.3, -4.1, 0.2]], dtype=torch.float64)
    found = geo.neighbor_pairs(pos, 1.5, ONE, cell=CUBE, pbc=ALL, backend=backend)
    assert rows(found)[:4] == [(0, 0, 0, 0, 1), (0, 0, 0, 1, -1), (0, 0, 0, 1, 0), (0, 0, 0, 1, 1)]
    assert found.index.shape == (2, 9)


@pytest.mark.parametrize("backend", BACKENDS)
def test_cutoff_is_exclusive_across_the_boundary(backend):
    pos = torch.zeros(1, 3, dtype=torch.float64)
    found = geo.neighbor_pairs(pos, 1.0, ONE, cell=CUBE, pbc=ALL, backend=backend)
    assert found.index.shape == (2, 0) and found.image.shape == (0, 3)
    further = math.nextafter(1.0, 2)
    found = geo.neighbor_pairs(pos, further, ONE, cell=CUBE, pbc=ALL, backend=backend)
    assert found.index.shape == (2, 3)


@pytest.mark.parametrize("backend", BACKENDS)
def test_wrapping_positions_changes_images_only(backend):
    pos, radius, batch, cell, _ = random_batch(8)
    pbc = torch.ones(len(cell), 3, dtype=torch.bool)
    turns = torch.randint(-9, 9, pos.shape, generator=torch.Generator().manual_seed(0))
    moved = pos + torch.einsum("ni,nij->nj", turns.double(), cell[batch])
    first, second = (
        geo.neighbor_pairs(positions, radius, batch, cell=cell, pbc=pbc, backend=backend)
        for positions in (pos, moved)
    )
    assert torch.equal(first.index, second.index)
    expected = first.image - turns[first.index[0]] + turns[first.index[1]]
    assert torch.equal(second.image, expected)


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("backend", BACKENDS)
def test_large_graphs_equal_torch_backend(backend, dtype, periodic):
    """Liquid density, several hundred atoms, an empty graph and one of another size."""
    sizes = [700, 0, 300]
    batch = torch.arange(3).repeat_interleave(torch.tensor(sizes))
    generator = torch.Generator().manual_seed(3)
    pos = torch.rand(len(batch), 3, generator=generator, dtype=torch.float64).to(dtype) * 20 - 5
    cell = random_cell(generator, 0).expand(3, 3, 3) * 20
    pbc = torch.tensor([[True, True, True], [True, False, True], [False, True, True]])
    cells = {"cell": cell, "pbc": pbc} if periodic else {}
    found = geo.neighbor_pairs(
        pos, 4.0, batch, 4 if not periodic else None, backend=backend, **cells
    )
    expected = geo.neighbor_pairs(pos, 4.0, batch, backend="torch", **cells)
    assert torch.equal(found.index, expected.index)
    assert found.image is None if not periodic else torch.equal(found.image, expected.image)
    if not periodic:
        pairs = geo.complete_pairs(batch)
        near = (pos[pairs[0]] - pos[pairs[1]]).square().sum(-1) < 16.0
        assert torch.equal(found.index, pairs[:, near])


@pytest.mark.parametrize("dim", [1, 2, 3, 5])
@pytest.mark.parametrize("backend", ["all_pairs", "torch", "auto"])
def test_any_number_of_dimensions(backend, dim):
    pos = torch.randn(400, dim, generator=torch.Generator().manual_seed(dim))
    batch = torch.arange(400) // 250
    pairs = geo.complete_pairs(batch)
    near = (pos[pairs[0]] - pos[pairs[1]]).square().sum(-1) < 0.7 * 0.7
    assert torch.equal(geo.neighbor_pairs(pos, 0.7, batch, backend=backend).index, pairs[:, near])


@pytest.mark.parametrize("scale", [1e3, 1e9, 1e15])
@pytest.mark.parametrize("backend", BACKENDS)
def test_far_apart_clusters_stay_linear(backend, scale):
    """Empty space costs nothing and does not overflow grid indices (vesin divides by zero)."""
    generator = torch.Generator().manual_seed(1)
    cluster = torch.rand(50, 3, generator=generator, dtype=torch.float64).mul(16).round()
    place = torch.rand(40, 1, 3, generator=generator, dtype=torch.float64).mul(scale).round()
    pos, batch = (place + cluster).reshape(-1, 3), torch.zeros(2000, dtype=torch.int64)
    pbc = torch.tensor([[False, True, False]])
    found = geo.neighbor_pairs(pos, 4.5, batch, cell=16 * CUBE, pbc=pbc, backend=backend)
    assert torch.equal(found.index, geo.neighbor_pairs(
        pos, 4.5, batch, cell=16 * CUBE, pbc=pbc, backend="torch").index)  # fmt: skip
    bare = geo.neighbor_pairs(pos, 4.5, batch, backend=backend).index
    assert torch.equal(bare, geo.neighbor_pairs(pos, 4.5, batch, backend="all_pairs").index)


def test_rows_too_wide_for_one_integer_are_sorted():
    generator = torch.Generator().manual_seed(0)
    first, second = torch.randint(0, 4, (2, 300), generator=generator)
    image = torch.randint(-(2**30), 2**30, (300, 3), generator=generator)
    image[::2] %= 2
    found = canonical(Candidates(first, second, image, torch.zeros(300).double()), 4, 1.0)
    listed = torch.cat([found.pairs.T, found.image], 1).tolist()
    assert listed == sorted(listed)
    assert bool((found.pairs[0] <= found.pairs[1]).all())


def test_batches_without_periodic_graphs_have_no_images():
    pos, none = torch.rand(4, 3), torch.zeros(1, 3, dtype=torch.bool)
    batch = torch.zeros(4, dtype=torch.int64)
    found = geo.neighbor_pairs(pos, 9.0, batch, cell=0 * CUBE, pbc=none)
    assert found.image is None and found.index.shape == (2, 6)
    assert geo.neighbor_pairs(pos, math.inf, batch).index.shape == (2, 6)
    empty = geo.neighbor_pairs(torch.zeros(0, 3), 1.0, batch[:0], cell=CUBE, pbc=ALL)
    assert empty.index.shape == (2, 0) and empty.image.shape == (0, 3)


def test_list_of_a_graph_does_not_depend_on_its_batch():
    pos, radius, batch, cell, pbc = random_batch(11)
    pos, alone = pos.float(), []
    for graph in range(len(cell)):
        own, only = batch == graph, slice(graph, graph + 1)
        found = geo.neighbor_pairs(
            pos[own], radius, 0 * batch[own], cell=cell[only], pbc=pbc[only], backend="torch"
        )
        start = int(own.nonzero()[0])
        alone += [(a + start, b + start, *image) for a, b, *image in rows(found)]
    together = geo.neighbor_pairs(pos, radius, batch, cell=cell, pbc=pbc)
    assert rows(together) == alone


def test_gradients_of_inputs_are_ignored():
    pos, radius, batch, cell, pbc = random_batch(4)
    found = geo.neighbor_pairs(
        pos.requires_grad_(), radius, batch, cell=cell.requires_grad_(), pbc=pbc
    )
    assert not found.image.is_floating_point() and not found.index.requires_grad


def test_vectors_of_pairs_are_shorter_than_the_cutoff():
    pos, radius, batch, cell, pbc = random_batch(12)
    index, image = geo.neighbor_pairs(pos, radius, batch, cell=cell, pbc=pbc)
    shift = torch.einsum("pi,pij->pj", image.double(), cell[batch[index[0]]])
    assert bool((geo.edge_vectors(pos, *index, shift).norm(dim=1) < radius).all())


NAN, INF = float("nan"), float("inf")
FLAT = torch.tensor([[[1.0, 0, 0], [0, 1, 0], [1, 1, 0]]], dtype=torch.float64)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"radius": 0.0}, "radius must be positive, got 0.0"),
        ({"radius": NAN}, "radius must be positive, got nan"),
        ({"radius": INF}, "radius must be finite for periodic graphs"),
        ({"batch": torch.tensor([1, 0])}, "batch must be sorted"),
        ({"pos": torch.full((2, 3), NAN)}, "pos must be finite"),
        ({"pos": torch.zeros(2, 2)}, "pos must have 3 coordinates with a cell, got 2"),
        ({"cell": INF * CUBE}, "cell must be finite"),
        ({"cell": None}, "cell and pbc must be given together, got pbc without cell"),
        ({"pbc": None}, "cell and pbc must be given together, got cell without pbc"),
        ({"cell": CUBE[0]}, r"cell must have shape \(G=1, 3, 3\), got \(3, 3\)"),
        ({"cell": CUBE[:0]}, r"cell must have shape \(G=1, 3, 3\), got \(0, 3, 3\)"),
        ({"num_graphs": 2}, r"cell must have shape \(G=2, 3, 3\), got \(1, 3, 3\)"),
        ({"pbc": ALL[0]}, r"pbc must have shape \(G=1, 3\), got \(3,\)"),
        ({"pbc": ALL.int()}, "pbc must be of dtype torch.bool, got torch.int32"),
        (
            {"cell": FLAT},
            r"independent.*\[1.0, 1.0, 0.0\]\] with pbc \[True.* in graph 0",
        ),
        ({"cell": 0 * CUBE}, "cell must have independent, nonzero vectors"),
        ({"backend": "ase"}, "backend must be one of auto, all_pairs, .*, got 'ase'"),
        ({"backend": "all_pairs"}, "'all_pairs' does not take periodic graphs"),
    ],
)
def test_bad_input_raises_an_error_that_names_it(changes, message):
    given = {
        "pos": torch.rand(2, 3), "radius": 1.0, "batch": torch.zeros(2, dtype=torch.int64),
        "cell": CUBE, "pbc": ALL, **changes,
    }  # fmt: skip
    with pytest.raises(ValueError, match=message):
        geo.neighbor_pairs(**given)


def test_flat_cell_is_accepted_where_it_is_not_periodic():
    pbc = torch.tensor([[True, True, False]])
    assert geo.neighbor_pairs(torch.rand(1, 3), 1.1, ONE, cell=FLAT, pbc=pbc).index.shape == (2, 2)


@pytest.mark.parametrize(("name", "package"), [("vesin", "vesin"), ("nvalchemi", "nvalchemi-tool")])
def test_missing_library_raises_an_error(name, package, monkeypatch):
    monkeypatch.setattr(neighbors, "installed", lambda library: False)
    batch = torch.zeros(2, dtype=torch.int64)
    with pytest.raises(ImportError, match=f"{name}.*pip install {package}"):
        geo.neighbor_pairs(torch.rand(2, 3), 1.0, batch, backend=name)
    large = torch.rand(900, 3)  # and "auto" does without
    assert geo.radius_pairs(large, 0.1, torch.zeros(900, dtype=torch.int64)).shape[1] > 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        # 4e5 atoms at one point: all pairs are close, which no mean density would tell.
        (lambda pos, batch: geo.radius_pairs(0 * pos, 1.0, batch), "have about 8e[+]10 pairs"),
        (lambda pos, batch: geo.radius_pairs(pos, 1e9, batch), "have about 8e[+]10 pairs"),
        (lambda pos, batch: geo.radius_pairs(pos, INF, batch), "test 8e[+]10 pairs"),
        (
            lambda pos, batch: geo.neighbor_pairs(pos, 0.5, batch, cell=CUBE, pbc=ALL),
            "400000 atoms would have about 4.2e[+]10 pairs and need .* GiB of memory, .* available",
        ),
    ],
)
def test_too_many_pairs_raise_before_memory_is_used(call, message):
    generator = torch.Generator().manual_seed(0)
    pos = torch.rand(400_000, 3, generator=generator, dtype=torch.float64)
    with pytest.raises(MemoryError, match=message):
        call(pos, torch.zeros(400_000, dtype=torch.int64))
