"""Edges by images of their senders: an atom may be moved by a lattice vector, nothing changes."""

import pytest
import torch
from torch import nn

from geozoo import models
from geozoo.geometry import complete_graph, pair_edges
from geozoo.nn.edges import DirectedEdges, as_edges
from geozoo.tasks._neighbors import with_neighbors

CELL = torch.tensor([[7.0, 0.0, 0.0], [1.0, 8.0, 0.0], [0.0, -2.0, 9.0]]).double()
SMALL = {"in_vectors": 2, "out_vectors": 1, "level": "node"}
WIDE = {"hidden_channels": 8, "num_layers": 2}
NETWORKS = {
    "cgenn": lambda: models.CGENN(2, 3, radius=5.0, **WIDE, **SMALL),
    "egnn": lambda: models.EGNN(2, 3, radius=5.0, **WIDE, **SMALL),
    "painn": lambda: models.PaiNN(2, 3, **WIDE, **SMALL),
    "schnet": lambda: models.SchNet(2, 3, level="node", **WIDE),
    "tensornet": lambda: models.TensorNet(2, 3, **WIDE, **SMALL),
    "nequip": lambda: models.NequIP(2, 3, degree=1, **WIDE, **SMALL),
    "mace": lambda: models.MACE(2, 3, degree=1, **WIDE, **SMALL),
    "allegro": lambda: models.Allegro(2, 3, degree=1, tensor_channels=4, **WIDE, **SMALL),
    "segnn": lambda: models.SEGNN(2, 3, radius=5.0, **WIDE, **SMALL),
    **{
        f"ponita {name} {backend}": lambda name=name, backend=backend: models.Ponita(
            2, 3, representation=name, radius=5.0, **WIDE, **SMALL,
            kernel={"basis_channels": 8, "backend": backend},
            orientations={"num_orientations": 12 if name == "frames" else 6},
        )
        for name in ("bundle", "bundle_full", "frames", "edges") for backend in ("fused", "auto")
    },
}  # fmt: skip


def made(name: str) -> nn.Module:
    torch.manual_seed(0)
    return NETWORKS[name]().double()


def molecule() -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    return {
        "pos": 2 * torch.randn(6, 3).double(), "x": torch.randn(6, 2).double(),
        "vec": torch.randn(6, 2, 3).double(), "batch": torch.tensor([0, 0, 0, 0, 1, 1]),
    }  # fmt: skip


def outcome(model: nn.Module, given: dict, edges) -> list[torch.Tensor]:
    pos = given["pos"].clone().requires_grad_()
    out = model(pos, given["x"], given["batch"], edges, vec=given["vec"])
    parts = [part for part in out if part is not None]
    loss = sum((part * part + part).sum() for part in parts)
    return [*parts, *torch.autograd.grad(loss, pos)]


@pytest.mark.parametrize("name", NETWORKS)
def test_an_atom_may_be_moved_by_a_lattice_vector(name):
    model, given = made(name), molecule()
    index = complete_graph(given["batch"], self_loops="ponita" in name)
    cells = torch.tensor([[0, 0, 0], [1, 0, -2], [0, 3, 0], [0, 0, 0], [-1, 1, 1], [0, 0, 1]])
    moved = given | {"pos": given["pos"] + cells.double() @ CELL}
    shift = (cells[index[1]] - cells[index[0]]).double() @ CELL
    expected = outcome(model, given, index)
    for one, other in zip(
        outcome(model, moved, DirectedEdges(index, shift)), expected, strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


def test_a_pair_moved_by_lattice_vectors_shares_its_kernel():
    model, given = made("ponita bundle auto"), molecule()
    index = complete_graph(given["batch"])
    pairs = as_edges(pair_edges(index, 6))
    cells = torch.tensor([[0, 0, 0], [1, 0, -2], [0, 3, 0], [0, 0, 0], [-1, 1, 1], [0, 0, 1]])
    moved = given | {"pos": given["pos"] + cells.double() @ CELL}
    shift = (cells[pairs.pairs[1]] - cells[pairs.pairs[0]]).double() @ CELL
    found = outcome(model, moved, pairs._replace(shift=shift))
    for one, other in zip(found, outcome(model, given, index), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", [name for name in NETWORKS if "ponita" in name])
def test_pairs_are_taken_by_every_representation(name):
    model, given = made(name), molecule()
    index = complete_graph(given["batch"])[:, 1:]
    found = outcome(model, given, pair_edges(index, 6))
    for one, other in zip(found, outcome(model, given, index), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("given_edges", [False, True])
def test_edges_that_a_model_found_are_final(name, given_edges, monkeypatch):
    model, given = made(name), molecule() | {"num_graphs": 2}
    if given_edges:  # with one listed twice, so that there are no pairs
        index = complete_graph(given["batch"], self_loops=False)
        given["edge_index"] = torch.cat([index, index[:, :1]], 1)
    told = with_neighbors(model, given)
    assert type(told["edge_index"]).__module__.startswith("geozoo.nn.edges")
    expected = model(**given)

    def searched(*args, **options):
        raise AssertionError("searched twice")

    for module in (models._neighborhoods, models._point_network):
        for find in ("complete_pairs", "complete_graph", "pair_edges", "radius_pairs",
                     "radius_graph"):  # fmt: skip
            if hasattr(module, find):
                monkeypatch.setattr(module, find, searched)
    for one, other in zip(model(**told), expected, strict=True):
        assert one is other is None or torch.equal(one, other)


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["egnn", "painn", "ponita bundle fused", "ponita bundle auto"])
def test_programs_take_edges_with_shifts(name):
    model, given = made(name), molecule()
    index = complete_graph(given["batch"], self_loops="ponita" in name)
    edges = DirectedEdges(index, 0.1 * torch.randn(index.shape[1], 3).double())
    inputs = (given["pos"], given["x"], given["batch"], edges)
    options = {"vec": given["vec"], "num_graphs": 2}
    expected = model(*inputs, **options)
    torch.compiler.reset()
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    exported = torch.export.export(model, inputs, options).module()
    for program in (compiled, exported):
        for one, other in zip(program(*inputs, **options), expected, strict=True):
            torch.testing.assert_close(one, other)
    torch.compiler.reset()
