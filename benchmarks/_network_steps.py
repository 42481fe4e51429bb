"""Other networks on energies and forces of 5 molecules, on any device and in this environment.

Their wall times show what a step costs, not which predicts better. `benchmarks.peers` compares the
same networks of other libraries, each in an environment of its own, on a CPU.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec

import torch
from torch import Tensor, nn

from benchmarks._case import Built, Case
from benchmarks._ponita_steps import aspirin
from geozoo.geometry import complete_graph
from geozoo.ops import scatter

GRAPHS, ATOMS = 5, 21
Energies = Callable[[Tensor], Tensor]


def schnet(device: torch.device) -> Built:
    """PyG's SchNet at its default size, all pairs of atoms."""
    from torch_geometric.nn.models import SchNet

    species, batch, edges = _molecules(device)

    def graph(pos: Tensor, batch: Tensor) -> tuple[Tensor, Tensor]:
        return edges, (pos[edges[0]] - pos[edges[1]]).norm(dim=-1)

    model = SchNet(interaction_graph=graph).to(device)
    return _potential(model, lambda pos: model(species, pos, batch))


def dimenet(device: torch.device) -> Built:
    """PyG's DimeNet++ at its published size."""
    from torch_geometric.nn.models import DimeNetPlusPlus

    species, batch, _ = _molecules(device)
    model = DimeNetPlusPlus(128, 1, 4, 64, 8, 256, 7, 6).to(device)
    return _potential(model, lambda pos: model(species, pos, batch))


def e3nn_layers(device: torch.device) -> Built:
    """Five NequIP-like layers built from e3nn: 64 channels, l up to 2, all pairs."""
    species, batch, edges = _molecules(device)
    model = _TensorProductNetwork().to(device)
    return _potential(model, lambda pos: model(species, pos, batch, edges))


class _TensorProductNetwork(nn.Module):
    """Scalars, vectors and tensors mixed by tensor products with spherical harmonics."""

    def __init__(self, channels: int = 64, degree: int = 2, layers: int = 5) -> None:
        from e3nn import o3

        super().__init__()
        self.harmonics = o3.Irreps.spherical_harmonics(degree)
        hidden = o3.Irreps([(channels, (ir.l, ir.p)) for _, ir in self.harmonics])
        self.embedding = nn.Embedding(10, channels)
        self.layers = nn.ModuleList()
        width = o3.Irreps(f"{channels}x0e")
        for _ in range(layers):
            self.layers.append(_TensorProductLayer(width, self.harmonics, hidden))
            width = hidden
        self.readout = nn.Linear(channels, 1)
        self.channels = channels

    def forward(self, species: Tensor, pos: Tensor, batch: Tensor, edges: Tensor) -> Tensor:
        from e3nn import o3
        from e3nn.math import soft_one_hot_linspace

        between = pos[edges[0]] - pos[edges[1]]
        angular = o3.spherical_harmonics(self.harmonics, between, True, "component")
        radial = soft_one_hot_linspace(between.norm(dim=-1), 0.0, 8.0, 8, "bessel", cutoff=True)
        x = self.embedding(species)
        for layer in self.layers:
            x = layer(x, angular, radial, edges)
        return scatter(self.readout(x[:, : self.channels]), batch, GRAPHS)


class _TensorProductLayer(nn.Module):
    """Linear map, weighted tensor product on edges, sum, gate."""

    def __init__(self, width: object, harmonics: object, hidden: object) -> None:
        from e3nn import nn as e3nn_layers
        from e3nn import o3

        super().__init__()
        scalars = o3.Irreps([(m, ir) for m, ir in hidden if ir.l == 0])
        others = o3.Irreps([(m, ir) for m, ir in hidden if ir.l > 0])
        gates = o3.Irreps([(others.num_irreps, (0, 1))])
        self.gate = e3nn_layers.Gate(
            scalars, [torch.nn.functional.silu], gates, [torch.sigmoid], others
        )
        found, paths = [], []
        for i, (count, one) in enumerate(width):
            for j, (_, other) in enumerate(harmonics):
                for product in one * other:
                    if any(product == ir for _, ir in hidden):
                        paths.append((i, j, len(found), "uvu", True))
                        found.append((count, product))
        self.before = o3.Linear(width, width)
        self.product = o3.TensorProduct(
            width, harmonics, o3.Irreps(found), paths, shared_weights=False, internal_weights=False
        )
        self.weights = nn.Sequential(
            nn.Linear(8, 64), nn.SiLU(), nn.Linear(64, self.product.weight_numel)
        )
        self.after = o3.Linear(o3.Irreps(found), self.gate.irreps_in)
        self.keep = o3.Linear(width, self.gate.irreps_in)

    def forward(self, x: Tensor, angular: Tensor, radial: Tensor, edges: Tensor) -> Tensor:
        message = self.product(self.before(x)[edges[0]], angular, self.weights(radial))
        summed = scatter(message, edges[1], len(x)) / ATOMS**0.5
        return self.gate(self.after(summed) + self.keep(x))


def _molecules(device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    batch = torch.arange(GRAPHS).repeat_interleave(ATOMS)
    edges = complete_graph(batch, GRAPHS, self_loops=False)
    species = torch.randint(1, 9, (GRAPHS * ATOMS,))
    return species.to(device), batch.to(device), edges.to(device)


def _potential(model: nn.Module, energies: Energies) -> Built:
    device = next(model.parameters()).device
    pos = 2 * torch.randn(GRAPHS * ATOMS, 3, device=device)

    def step() -> float:
        model.zero_grad()
        moved = pos.clone().requires_grad_()
        # The FLOP counter does not accept a leaf as the input of a module.
        energy = energies(moved.clone())
        (gradient,) = torch.autograd.grad(energy.sum(), moved, create_graph=True)
        (energy.square().mean() / 500 + gradient.square().mean()).backward()
        return 0.0  # other networks, other losses

    return Built(step)


def _without_comparison(build: Callable[[torch.device], Built], device: torch.device) -> Built:
    built = build(device)

    def step() -> float:
        built.step()
        return 0.0

    return Built(step)


def _variants() -> dict[str, Callable[[torch.device], Built]]:
    found = {"ponita": partial(_without_comparison, partial(aspirin, "fast"))}
    if find_spec("torch_geometric"):
        found["schnet"] = schnet
    if all(find_spec(name) for name in ("torch_geometric", "torch_cluster", "torch_sparse")):
        found["dimenet"] = dimenet
    if find_spec("e3nn"):
        found["e3nn_layers"] = e3nn_layers
    return found


CASES = [
    Case("other_networks", "energies and forces of 5 molecules of 21 atoms", _variants(), GRAPHS),
]
