"""The Platonic transformer against its equations, written with loops over group elements."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from second_derivatives import assert_equal, derivatives
from torch import Tensor

from geozoo import testing
from geozoo.geometry import FiniteGroup, closed_group, finite_group, random_rotations
from geozoo.models import Platonic
from geozoo.nn import GroupLinear, RotaryAttention
from geozoo.nn.attention import point_blocks
from geozoo.ops import textbook

GROUPS = [
    ("trivial", 2, 1), ("cyclic", 2, 5), ("dihedral", 2, 3),
    ("trivial", 3, 1), ("tetrahedral", 3, 1), ("octahedral", 3, 1), ("icosahedral", 3, 1),
]  # fmt: skip
SIZES = [3, 0, 4, 1]
BATCH = torch.repeat_interleave(torch.arange(4), torch.tensor(SIZES))
OPTIONS: list[dict[str, Any]] = [
    {}, {"turn_values": True, "start": "normal"}, {"form": "linear", "turn_values": True},
]  # fmt: skip


def random(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def index_of(matrix: Tensor, group: FiniteGroup) -> int:
    return int((group.elements - matrix).abs().amax((1, 2)).argmin())


def looped_linear(layer: GroupLinear, group: FiniteGroup, x: Tensor) -> Tensor:
    """y(h) = b + sum over g of K[g^-1 h] x(g)."""
    rows = []
    for h in group.elements:
        total = layer.bias
        for column, g in enumerate(group.elements):
            total = total + x[:, column] @ layer.weight[:, index_of(g.T @ h, group)].T
        rows.append(total)
    return torch.stack(rows, 1)


def turned(x: Tensor, angles: Tensor) -> Tensor:
    """Channel pairs (f, F + f) as complex numbers, times exp(i angle)."""
    half = x.shape[-1] // 2
    pairs = torch.complex(x[..., :half], x[..., half:]) * torch.exp(1j * angles)
    return torch.cat([pairs.real, pairs.imag], -1)


def looped_attention(
    layer: RotaryAttention, group: FiniteGroup, x: Tensor, pos: Tensor, sees: Tensor
) -> Tensor:
    """Attention of every node, element and head, from differences of positions only."""
    parts = looped_linear(layer.inward, group, x).unflatten(-1, (3, layer.heads, -1))
    nodes = []
    for i in range(len(pos)):
        others = [j for j in range(len(pos)) if sees[i, j]]
        elements = []
        for place, g in enumerate(group.elements):
            heads = []
            for head in range(layer.heads):
                omega = layer.frequencies[head] @ g.T
                q, values, scores = parts[i, place, 0, head], [], []
                for j in others:
                    angles = omega @ (pos[j] - pos[i])
                    k, v = parts[j, place, 1, head], parts[j, place, 2, head]
                    scores.append(q @ turned(k, angles) / math.sqrt(len(q)))
                    values.append(turned(v, angles) if layer.turn_values else v)
                weights = torch.stack(scores)
                weights = weights / len(others) if layer.form == "linear" else weights.softmax(0)
                heads.append(weights @ torch.stack(values))
            elements.append(torch.cat(heads))
        nodes.append(torch.stack(elements))
    return looped_linear(layer.outward, group, torch.stack(nodes))


@pytest.mark.parametrize(("name", "dim", "order"), GROUPS)
def test_tables_are_those_of_the_matrices(name: str, dim: int, order: int) -> None:
    group = finite_group(name, dim, order)
    size = {"trivial": 1, "cyclic": order, "dihedral": 2 * order, "tetrahedral": 12}
    assert len(group.elements) == (size | {"octahedral": 24, "icosahedral": 60})[name]
    expected = torch.einsum("gji,hjk->hgik", group.elements, group.elements)
    assert (group.elements[group.quotients] - expected).abs().max() < 1e-12
    unit = group.elements.det().abs()
    assert (unit - 1).abs().max() < 1e-12
    assert bool((group.elements.det() < 0).any()) == (name == "dihedral")


def test_what_is_no_group_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="elements must be the distinct matrices"):
        closed_group(finite_group("octahedral", 3).elements[:5])
    with pytest.raises(ValueError, match="group must be one of trivial, cyclic, dihedral in 2"):
        Platonic(1, 1, dim=2, symmetry={"group": "octahedral"})
    with pytest.raises(ValueError, match="group must be one of trivial, tetrahedral"):
        Platonic(1, 1, symmetry={"group": "cyclic"})
    with pytest.raises(ValueError, match="dim must be 2 or 3, got 4"):
        Platonic(1, 1, dim=4)
    with pytest.raises(ValueError, match=r"multiple of 2 \* heads"):
        Platonic(1, 1, hidden_channels=12, attention={"heads": 4})
    with pytest.raises(ValueError, match="rope_sigma must be positive"):
        Platonic(1, 1, attention={"rope_sigma": 0.0})


@pytest.mark.parametrize("name", ["trivial", "tetrahedral"])
def test_group_linear_is_the_sum_over_elements(name: str) -> None:
    group = finite_group(name, 3)
    layer = GroupLinear(3, 2, group).double()
    x = random(4, len(group.elements), 3).requires_grad_()
    given = [x, layer.weight]
    found, expected = layer(x), looped_linear(layer, group, x)
    assert_equal(derivatives(found.square(), given), derivatives(expected.square(), given))


def test_initial_blocks_have_the_stated_deviation() -> None:
    torch.manual_seed(0)
    weight = GroupLinear(64, 64, finite_group("octahedral", 3)).weight
    assert float(weight.detach().std()) == pytest.approx((24 * 64) ** -0.5, rel=0.02)


@pytest.mark.parametrize("options", OPTIONS, ids=["plain", "values", "linear"])
@pytest.mark.parametrize("with_edges", [False, True])
def test_attention_is_the_loop_over_points_elements_and_heads(
    options: dict[str, Any], with_edges: bool
) -> None:
    group = finite_group("dihedral", 2, 3)
    layer = RotaryAttention(8, 2, group, **options).double()
    x, pos = random(8, 6, 8).requires_grad_(), random(8, 2, seed=1).requires_grad_()
    edges = torch.tensor([[0, 2, 3, 4, 6], [1, 1, 4, 6, 3]]) if with_edges else None
    sees = BATCH[:, None] == BATCH
    if edges is not None:
        sees = torch.eye(8, dtype=torch.bool)
        sees[edges[1], edges[0]] = True
    given = [x, pos, layer.frequencies, layer.inward.weight]
    found = layer(x, pos, point_blocks(BATCH, 4, edges))
    expected = looped_attention(layer, group, x, pos, sees)
    assert_equal(derivatives(found, given), derivatives(expected, given))


def model(group: str, dim: int, order: int = 1, **options: Any) -> Platonic:
    torch.manual_seed(0)
    attention = {"heads": 2, **options}
    return Platonic(
        2, 2, in_vectors=1, out_vectors=1, dim=dim, level="node", hidden_channels=8, num_layers=2,
        symmetry={"group": group, "order": order}, attention=attention,
    ).double()  # fmt: skip


def inputs(dim: int) -> dict[str, Any]:
    return {
        "pos": random(8, dim), "x": random(8, 2, seed=1), "vec": random(8, 1, dim, seed=2),
        "batch": BATCH, "num_graphs": 4,
    }  # fmt: skip


@pytest.mark.parametrize(("name", "dim", "order"), GROUPS)
def test_every_element_of_the_group_is_followed(name: str, dim: int, order: int) -> None:
    for options in ({"absolute_sigma": 0.5}, {"form": "linear", "turn_values": False}):
        testing.assert_equivariant(
            model(name, dim, order, **options), inputs(dim),
            rotations=finite_group(name, dim, order).elements[:24], tolerance=(1e-10, 1e-10),
        )  # fmt: skip


def test_larger_groups_are_closer_to_all_rotations() -> None:
    rotation = random_rotations(1, 3, generator=torch.Generator().manual_seed(3)).double()[0]
    given = inputs(3)
    moved = {**given, "pos": given["pos"] @ rotation.T, "vec": given["vec"] @ rotation.T}
    error = []
    for name in ("trivial", "tetrahedral", "icosahedral"):
        network = model(name, 3, rope_sigma=0.3)
        before, after = network(**given).scalar, network(**moved).scalar
        assert before is not None and after is not None
        error.append(float(((before - after).std() / before.std()).detach()))
    assert error[0] > error[1] > error[2] > 0


def test_fused_kernel_and_written_form_agree() -> None:
    network, given = model("octahedral", 3), inputs(3)
    fused = network(**given)
    with textbook():
        written = network(**given)
    for one, other in zip(fused, written, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


def test_given_edges_are_used() -> None:
    network, given = model("tetrahedral", 3), inputs(3)
    index = torch.arange(8)
    pairs = torch.cartesian_prod(index, index).T
    complete = pairs[:, BATCH[pairs[0]] == BATCH[pairs[1]]]
    everything, listed = network(**given), network(**given, edge_index=complete)
    torch.testing.assert_close(listed.scalar, everything.scalar, rtol=1e-10, atol=1e-12)
    fewer = network(**given, edge_index=complete[:, 2:]).scalar
    assert fewer is not None and everything.scalar is not None
    changed = (fewer - everything.scalar).abs().amax(1) > 1e-6
    assert changed.tolist() == [True] * 3 + [False] * 5
    with pytest.raises(ValueError, match="edge_index must join nodes of the same graph"):
        network(**given, edge_index=torch.tensor([[0], [7]]))


def test_periodic_structures_are_refused_by_name() -> None:
    pbc = torch.ones(4, 3, dtype=torch.bool)
    given = inputs(3)
    with pytest.raises(ValueError, match="attention between all points does not support periodic"):
        model("tetrahedral", 3).neighbors(given["pos"], BATCH, num_graphs=4, pbc=pbc)


def test_the_condition_of_a_graph_reaches_its_nodes_only() -> None:
    network = Platonic(2, 1, hidden_channels=8, num_layers=1, condition_channels=1).double()
    given, condition = inputs(3), torch.zeros(4, 1, dtype=torch.float64)
    other = condition.clone()
    other[2] = 1.0
    del given["vec"]
    one = network(**given, condition=condition).scalar
    two = network(**given, condition=other).scalar
    assert one is not None and two is not None
    assert ((one - two).abs().amax(1) > 1e-8).tolist() == [False, False, True, False]
    with pytest.raises(ValueError, match="condition must have shape"):
        network(**given)


@pytest.mark.parametrize("sizes", [[], [0, 0], [1], [2, 2]])
def test_batches_of_any_size_have_finite_derivatives(sizes: list[int]) -> None:
    total = sum(sizes)
    batch = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes, dtype=int))
    pos = random(total, 3).requires_grad_()
    network = Platonic(2, 1, hidden_channels=8, num_layers=1).double()
    out = network(pos, random(total, 2), batch, num_graphs=len(sizes)).scalar
    assert out is not None and out.shape == (len(sizes), 1)
    out.sum().backward()
    assert pos.grad is not None and bool(pos.grad.isfinite().all())


@pytest.mark.thorough
def test_compiled_with_blocks_given_and_found() -> None:
    network, given = model("tetrahedral", 3), inputs(3)
    testing.assert_compiles(network, given)  # one masked block
    blocks = network.neighbors(given["pos"], BATCH, num_graphs=4)
    testing.assert_compiles(network, {**given, "edge_index": blocks})
