"""The check of periodic structures finds models that are wrong on purpose."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from toy_models import Output

from geozoo import testing
from geozoo.geometry import NeighborPairs, neighbor_pairs
from geozoo.models import Ponita
from geozoo.nn.edges import DirectedEdges, PairedEdges, edges_of_pairs
from geozoo.ops import scatter


class Springs(nn.Module):
    """Smooth pair energies within a cutoff, with periodic images."""

    radius: float | None = 3.0
    in_channels = 2

    def __init__(self) -> None:
        super().__init__()
        self.charge = nn.Linear(2, 1)

    def neighbors(
        self, pos: Tensor, batch: Tensor, edge_index: Tensor | None = None, *,
        num_graphs: int | None = None, num_pairs: int | None = None, cell: Tensor | None = None,
        pbc: Tensor | None = None, pairs: NeighborPairs | None = None,
    ) -> Any:  # fmt: skip
        cell, pbc = self.cells(cell, pbc)
        is_given = pairs is not None
        if pairs is None:
            pairs = neighbor_pairs(pos, self.radius, batch, num_graphs, cell=cell, pbc=pbc)
        return self.listed(edges_of_pairs(self.chosen(pairs), pos, batch, cell), is_given)

    def cells(self, cell: Tensor | None, pbc: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
        return cell, pbc

    def listed(self, edges: PairedEdges, is_given: bool) -> Any:
        return edges.both_directions()

    def chosen(self, pairs: NeighborPairs) -> NeighborPairs:
        return pairs

    def vectors(self, pos: Tensor, edges: Any) -> Tensor:
        return edges.vectors(pos)

    def forward(
        self, pos: Tensor, x: Tensor, batch: Tensor, edge_index: Any = None, *,
        vec: Tensor | None = None, num_graphs: int | None = None,
    ) -> Output:  # fmt: skip
        square = self.vectors(pos, edge_index).square().sum(-1) / self.radius**2
        sender, receiver = edge_index.index
        charge = self.charge(x)[:, 0]
        energy = (1 - square) ** 3 * (1 + charge[sender]) * (2 + charge[receiver])
        return Output(scatter(energy[:, None], batch[receiver], num_graphs), None)


class IgnoresShifts(Springs):
    def vectors(self, pos: Tensor, edges: Any) -> Tensor:
        return pos[edges.index[0]] - pos[edges.index[1]]


class IgnoresCells(Springs):
    def cells(self, cell, pbc):
        return None, None


class WrongSign(Springs):
    def vectors(self, pos: Tensor, edges: Any) -> Tensor:
        return pos[edges.index[0]] - pos[edges.index[1]] - edges.shift


class HalvesSelfImages(Springs):
    def listed(self, edges, is_given):
        both = edges.both_directions()
        if both.shift is None:
            return both
        is_kept = (both.sender != both.receiver) | (
            torch.arange(len(both.shift)) < edges.num_mutual
        )
        return DirectedEdges(both.index[:, is_kept], both.shift[is_kept])


class DropsSelfImages(Springs):
    def chosen(self, pairs: NeighborPairs) -> NeighborPairs:
        kept = pairs.index[0] != pairs.index[1]
        return NeighborPairs(pairs.index[:, kept], None if pairs[1] is None else pairs[1][kept])


class OneImage(Springs):
    """Joins a pair of atoms once."""

    def chosen(self, pairs: NeighborPairs) -> NeighborPairs:
        key = pairs.index[0] * 1000 + pairs.index[1]
        first = torch.ones_like(key, dtype=torch.bool)
        first[1:] = key[1:] != key[:-1]
        return NeighborPairs(pairs.index[:, first], None if pairs[1] is None else pairs[1][first])


class UnstrainedShifts(Springs):
    def listed(self, edges, is_given):
        both = edges.both_directions()
        self.kept = both.shift
        return both

    def vectors(self, pos: Tensor, edges: Any) -> Tensor:
        shift = 0.0 if self.kept is None else self.kept
        return pos[edges.index[0]] + shift - pos[edges.index[1]]


class PeriodicEverywhere(Springs):
    """Periodic along all vectors if along any."""

    def cells(self, cell, pbc):
        if cell is None or bool(pbc.any()) is False:
            return cell, pbc
        return cell, (cell != 0).any(2) & pbc.any(1, keepdim=True)


class FirstCell(Springs):
    """Uses the first cell of a batch for all graphs."""

    def cells(self, cell, pbc):
        if cell is None:
            return None, None
        return cell[:1].expand_as(cell), pbc[:1].expand_as(pbc)


class TakesPairsAsDirected(Springs):
    def listed(self, edges, is_given):
        return DirectedEdges(edges.pairs, edges.shift) if is_given else edges.both_directions()


class PlainEdges(Springs):
    def listed(self, edges, is_given):
        return edges.both_directions().index


def made(kind: type[nn.Module]) -> nn.Module:
    torch.manual_seed(0)
    return kind()


def test_a_right_model_passes() -> None:
    model = made(Springs)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    testing.assert_periodic(model)
    assert testing.assert_contract(model) == "geometric"
    assert model.charge.weight.dtype == torch.float32
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (IgnoresShifts, "energy in a supercell is not that of its 8 cells: off by"),
        (IgnoresCells, "energy in a supercell is not that of its 8 cells: off by"),
        (WrongSign, "energy in a supercell is not that of its 8 cells: off by"),
        (HalvesSelfImages, "energy in a supercell is not that of its 8 cells: off by"),
        (DropsSelfImages, "energy in a supercell is not that of its 8 cells: off by"),
        (OneImage, "energy in a supercell is not that of its 8 cells: off by"),
        (UnstrainedShifts, "virial is not the derivative of the energy under strain"),
        (PeriodicEverywhere, "energy of a slab changes with a lattice vector across it"),
        (FirstCell, "energy in a batch of a crystal, a slab and a molecule is not that of each"),
        (TakesPairsAsDirected, "energy changes if neighbour pairs are given: off by"),
        (PlainEdges, "must return edges with the shifts of periodic images.*got Tensor without"),
    ],
)
def test_wrong_models_are_found(kind: type[nn.Module], message: str) -> None:
    for check in (testing.assert_periodic, testing.assert_contract):
        with pytest.raises((AssertionError, ValueError), match=f"{kind.__name__}.*({message})"):
            check(made(kind))


def test_models_that_refuse_cells_or_have_no_cutoff_are_not_checked_by_the_contract() -> None:
    model = made(IgnoresShifts)
    model.radius = None
    with pytest.raises(AssertionError, match="a cutoff as attribute radius, got radius None"):
        testing.assert_periodic(model)
    options = {"hidden_channels": 4, "num_layers": 1, "kernel": {"basis_channels": 4}}
    complete = Ponita(
        2, 1, representation="edges", radius=3.0, orientations={"interaction": "complete"},
        **options,
    )  # fmt: skip
    assert testing.assert_contract(complete) == "geometric"


def test_the_number_of_inputs_may_be_given() -> None:
    model = made(Springs)
    del type(model).in_channels
    try:
        with pytest.raises(AssertionError, match="no attribute in_channels: pass in_channels="):
            testing.assert_periodic(model)
        testing.assert_periodic(model, in_channels=2)
    finally:
        Springs.in_channels = 2


def test_vectors_and_outputs_of_nodes_are_checked() -> None:
    torch.manual_seed(0)
    options = {"hidden_channels": 4, "num_layers": 1, "radius": 2.0, "level": "node"}
    basis, few = {"basis_channels": 4}, {"num_orientations": 4}
    testing.assert_periodic(
        Ponita(1, 1, in_vectors=1, out_vectors=1, kernel=basis, orientations=few, **options)
    )
    testing.assert_contract(Ponita(1, 1, dim=2, kernel=basis, orientations=few, **options))


def test_forces_of_collinear_neighbours_are_no_rounding_errors() -> None:
    # Lattice vectors join collinear atoms of a supercell, across whose line the energy has a kink.
    torch.manual_seed(0)
    testing.assert_periodic(
        Ponita(1, 1, representation="edges", level="graph", hidden_channels=4, num_layers=1,
               radius=2.0, kernel={"basis_channels": 4})
    )  # fmt: skip
