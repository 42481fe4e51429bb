"""Energies and forces of large graphs, evaluated block by block, equal those evaluated at once."""

import importlib

import pytest
import torch

from geozoo.models import CGENN, EGNN, MACE, SEGNN, NequIP, PaiNN, Ponita, SchNet, TensorNet
from geozoo.ops import _blockwise, row_blocks
from geozoo.ops.steerable import filtered
from geozoo.tasks._derivatives import energy_derivatives

NETWORKS = {
    "cgenn": lambda: CGENN(2, 1, hidden_channels=4, num_layers=2, radius=2.0),
    "egnn": lambda: EGNN(2, 1, hidden_channels=8, num_layers=2, radius=2.0),
    "schnet": lambda: SchNet(2, 1, hidden_channels=8, num_layers=2, radius=2.0),
    "painn": lambda: PaiNN(2, 1, hidden_channels=8, num_layers=2, radius=2.0),
    "tensornet": lambda: TensorNet(2, 1, hidden_channels=8, num_layers=2, radius=2.0),
    "segnn": lambda: SEGNN(2, 1, hidden_channels=4, num_layers=2, radius=2.0),
    "nequip": lambda: NequIP(2, 1, hidden_channels=4, num_layers=2, radius=2.0),
    "mace": lambda: MACE(2, 1, hidden_channels=8, degree=1, num_layers=2, radius=2.0),
    "ponita": lambda: Ponita(
        2, 1, hidden_channels=8, num_layers=2, radius=2.0,
        orientations={"num_orientations": 6}, kernel={"basis_channels": 8},
    ),
    "ponita_position": lambda: Ponita(
        2, 1, hidden_channels=8, num_layers=2, radius=2.0, representation="position"
    ),
}  # fmt: skip


def derivatives(network, inputs, *, create_graph=False):
    found = energy_derivatives(network, inputs, create_graph=create_graph)
    return [found.energy.detach(), found.force.detach()]


@pytest.mark.parametrize("name", NETWORKS)
def test_values_and_derivatives_are_those_of_the_whole_graph(name, monkeypatch):
    if name in ("mace", "nequip", "segnn"):
        pytest.importorskip("e3nn")
    torch.manual_seed(0)
    network = NETWORKS[name]().double().eval().requires_grad_(False)
    pos, count = 3 * torch.rand(30, 3, dtype=torch.float64), 30
    inputs = {
        "pos": pos, "x": torch.eye(2, dtype=torch.float64)[torch.arange(count) % 2],
        "batch": torch.zeros(count, dtype=torch.int64), "num_graphs": 1,
    }  # fmt: skip
    inputs["edge_index"] = network.neighbors(pos, inputs["batch"], num_graphs=1)
    expected = derivatives(network, inputs)
    for module in ("message_sum", "rowwise"):
        monkeypatch.setattr(importlib.import_module(f"geozoo.ops.{module}"), "CHUNK_BYTES", 600)
    monkeypatch.setattr(filtered, "BLOCK_BYTES", 4000)
    monkeypatch.setattr(row_blocks, "BLOCK_BYTES", 8000)
    monkeypatch.setattr(_blockwise, "SMALL_BYTES", 0)
    for create_graph in (False, True):
        found = derivatives(network, inputs, create_graph=create_graph)
        for one, other in zip(found, expected, strict=True):
            assert torch.allclose(one, other, rtol=1e-10, atol=1e-12)


def test_memory_does_not_grow_with_the_number_of_edges(monkeypatch):
    """The saved tensors of a trained network are those of nodes and of radial functions."""
    monkeypatch.setattr(_blockwise, "SMALL_BYTES", 1 << 20)
    torch.manual_seed(0)
    network = PaiNN(1, 1, radius=3.0).requires_grad_(False)
    pos = 6 * torch.rand(400, 3)
    batch = torch.zeros(400, dtype=torch.int64)
    edges = network.neighbors(pos, batch, num_graphs=1)
    saved = []

    def kept(tensor):
        saved.append(tensor.shape)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(kept, lambda tensor: tensor):
        network(pos.requires_grad_(), torch.ones(400, 1), batch, edges)
    num_pairs = edges.pairs.shape[1]
    assert num_pairs > 5000 and any(size and size[0] == num_pairs for size in saved)
    # Without blocks each layer would save three times 128 values per pair.
    rows = [size for size in saved if size and size[0] > 1000]
    assert max(size.numel() / size[0] for size in rows) <= 20
