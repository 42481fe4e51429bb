"""Edges of every kind against lists of edges, one by one."""

import pytest
import torch
from layer_cases import random, seeded

import geozoo.nn as layers
from geozoo import geometry, testing
from geozoo.nn.edges import (
    DirectedEdges,
    Kernel,
    PairedEdges,
    SortedEdges,
    Stencil,
    as_directed,
    as_edges,
    lattice_stencil,
)
from geozoo.ops import sort_edges, textbook

INDEX = torch.tensor([[0, 1, 2, 3, 0, 1, 4, 3, 2], [1, 0, 1, 3, 3, 2, 2, 4, 2]])
SHIFT = random(9, 3, seed=1)
POS = random(5, 3)
MUTUAL = PairedEdges(torch.tensor([[0, 3, 2], [1, 4, 4]]), 2, None, random(3, 3, seed=2))
SOME_LOOPS = MUTUAL._replace(has_loop=torch.tensor([True, False, True, False, False]))
KINDS = {
    "directed": DirectedEdges(INDEX),
    "directed, shifted": DirectedEdges(INDEX, SHIFT),
    "sorted": SortedEdges(sort_edges(INDEX, 5)),
    "sorted, shifted": SortedEdges(sort_edges(INDEX, 5), SHIFT),
    "pairs": MUTUAL._replace(shift=None),
    "pairs, shifted": MUTUAL,
    "pairs, some loops": SOME_LOOPS,
}


def test_vectors_lead_from_the_receiver_to_the_image_of_the_sender():
    pos = torch.tensor([[1.0, 0.0], [4.0, 2.0]])
    edges = DirectedEdges(torch.tensor([[1], [0]]))
    assert edges.vectors(pos).tolist() == [[3.0, 2.0]]
    shifted = edges._replace(shift=torch.tensor([[-4.0, 0.0]]))
    assert shifted.vectors(pos).tolist() == [[-1.0, 2.0]]


@pytest.mark.parametrize("name", KINDS)
def test_edges_of_every_kind_can_be_listed(name):
    edges = KINDS[name]
    listed, rows = edges.directed(5), edges.vectors(POS)
    assert rows.shape == (*edges.axes[1], 3)
    for row, (j, i) in enumerate(listed.index.T.tolist()):
        shift = 0 if listed.shift is None else listed.shift[row]
        assert torch.equal(listed.vectors(POS)[row], POS[j] - POS[i] + shift)
    # The rows are those of the first edges; then come ways back and loops.
    assert torch.equal(listed.vectors(POS)[: len(rows)], rows)
    assert torch.equal(listed.receiver[: len(rows)], edges.receiver)
    if edges.has_loop_rows:
        count = edges.num_mutual
        torch.testing.assert_close(
            listed.vectors(POS)[len(rows) : len(rows) + count], -rows[:count]
        )
        loops = listed.index[:, len(rows) + count :]
        has_loop = [True] * 5 if edges.has_loop is None else edges.has_loop.tolist()
        assert loops.tolist() == [[n for n in range(5) if has_loop[n]]] * 2
        assert not listed.vectors(POS)[len(rows) + count :].any()


def both_kernels(edges, full, orientations):
    """A kernel for these edges, and the same one for the edges in a list."""
    middle = (orientations,) if orientations else ()
    linear = seeded(lambda: torch.nn.Linear(2, 12 if full else 4, bias=False))
    basis, loop = random(*edges.axes[1], *middle, 2, seed=3), random(1, 2, seed=4)
    if not edges.has_loop_rows:
        return Kernel(linear, basis, full), Kernel(linear, basis, full)
    listed, back = edges.directed(5), basis[: edges.num_mutual]
    if orientations:
        back = back.roll(orientations // 2, 1)
    loops = loop.expand(listed.index.shape[1] - len(basis) - len(back), *middle, 2)
    together = torch.cat([basis, back, loops])
    return Kernel(linear, basis, full, loop), Kernel(linear, together, full)


@pytest.mark.parametrize("orientations", [0, 6])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("name", KINDS)
def test_convolutions_are_sums_over_the_list(name, full, orientations):
    edges = KINDS[name]
    own, listed_kernel = both_kernels(edges, full, orientations)
    x = random(5, *([orientations] if orientations else []), 4, seed=5).requires_grad_()
    values = [x, own.map.weight]
    listed = edges.directed(5)
    outcomes = []
    for each, kernel in ((edges, own), (listed, listed_kernel)):
        with textbook(when=each is listed):
            y = each.convolve(kernel, x)
        first = torch.autograd.grad((y * y).sum(), values, create_graph=True)
        second = torch.autograd.grad(sum((g * g).sum() for g in first), values)
        outcomes.append([y, *first, *second])
    for one, other in zip(*outcomes, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-11)
    expected = torch.zeros_like(outcomes[0][0])
    for row, (j, i) in zip(listed_kernel.rows(), listed.index.T.tolist(), strict=True):
        message = (
            (row.unflatten(-1, (3, 4)) @ x[j].unsqueeze(-1)).squeeze(-1) if full else row * x[j]
        )
        expected = expected.index_add(0, torch.tensor([i]), message.unsqueeze(0))
    torch.testing.assert_close(outcomes[0][0], expected)


def test_a_stencil_is_the_list_of_near_points():
    steps = torch.tensor([[[1.0, 0.2], [0.0, 1.5]]]).double()
    pos = (geometry.lattice_indices([3, 4]).double() @ steps[0]).repeat(2, 1)
    batch = torch.arange(2).repeat_interleave(12)
    stencil = lattice_stencil(pos, batch, (3, 4), 2, radius=1.6)
    assert stencil.reach == (1, 1) and len(stencil.steps) == 1
    assert len(lattice_stencil(pos, batch, (3, 4), 2, rows_of_each=True).steps) == 2
    ways, rows = stencil.vectors(pos), random(1, 9, 4)
    assert ways.shape == (1, 9, 2) and stencil.receiver.tolist() == [[0] * 9]
    x, expected = random(24, 4, seed=1), torch.zeros(24, 4).double()
    for i in range(24):
        for j in range(24):
            same = (ways[0] - (pos[j] - pos[i])).norm(dim=-1) < 1e-9
            if batch[i] == batch[j] and same.any():
                expected[i] += rows[0, same][0] * x[j]
    torch.testing.assert_close(stencil.convolve(Kernel(torch.nn.Identity(), rows), x), expected)


def test_what_is_no_edges_is_refused_by_name():
    with pytest.raises(TypeError, match=r"edge_index must be a tensor \[2, E\] or edges .* list"):
        as_edges([[0, 1], [1, 0]])
    with pytest.raises(ValueError, match=r"edge_index must have shape \(2, E\), got \(3, 2\)"):
        as_edges(torch.zeros(3, 2).long())
    with pytest.raises(
        ValueError, match="edge_index must be an explicit list of edges .* a Stencil"
    ):
        as_directed(Stencil((2, 2), (1, 1)), 4)
    with pytest.raises(ValueError, match="steps of the Stencil must be given for edge vectors"):
        Stencil((2, 2), (1, 1)).vectors(POS)
    with pytest.raises(ValueError, match=r"shift must have shape \(E=9, dim=3\), got \(1, 3\)"):
        DirectedEdges(INDEX, SHIFT[:1]).vectors(POS)
    conv = seeded(lambda: layers.PointConv(4, 4, 3))
    with pytest.raises(ValueError, match="loop_basis must be given for paired edges"):
        conv(random(5, 4), random(3, 3), MUTUAL)
    with pytest.raises(
        ValueError, match="loop_basis must be None for DirectedEdges, .* got a value"
    ):
        conv(random(5, 4), random(9, 3), DirectedEdges(INDEX), loop_basis=random(1, 3))


def test_what_other_rooms_find_become_edges():
    paired = geometry.pair_edges(INDEX[:, [0, 1, 3, 7]], 5)
    assert isinstance(as_edges(paired), PairedEdges) and as_edges(paired)[:3] == tuple(paired)
    assert isinstance(as_edges(sort_edges(INDEX, 5)), SortedEdges)
    both = as_edges(INDEX[:, :1], pairs=True)
    assert isinstance(both, PairedEdges) and both.num_mutual == 1 and both.has_loop is None
    assert as_edges(both) is both


def test_derivatives_by_shifts_and_positions():
    def lengths(pos, shift):
        return DirectedEdges(INDEX, shift).vectors(pos).square()

    testing.assert_gradients(lengths, {"pos": POS, "shift": SHIFT}, wrt=("pos", "shift"))
