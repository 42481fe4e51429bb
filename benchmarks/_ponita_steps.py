"""Training steps of PONITA: the textbook form, the automatic backend, and others."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from benchmarks._case import MODES, Built, Case, size
from geozoo.data import pixel_positions
from geozoo.geometry import random_rotations
from geozoo.models import Ponita
from geozoo.models._outputs import GeometricOutput
from geozoo.options import in_groups
from geozoo.tasks._compiled import CompiledModel, TracedStep
from geozoo.tasks._derivatives import energy_and_force
from geozoo.tasks._neighbors import with_neighbors

#: Arguments of the network for each variant.
FORMS: dict[str, dict[str, Any]] = {
    "textbook": {"backend": "textbook"},
    "fast": {"backend": "auto"},
    "recompute": {"backend": "auto", "recompute": True},
    "triton": {"backend": "triton"},
    "compiled": {"backend": "auto"},
    "cuda_graphs": {"backend": "auto"},
}
ON_GPU = ("triton", *MODES)
Loss = Callable[[GeometricOutput], Tensor]


def nbody(form: str, device: torch.device) -> Built:
    """Position error of 100 systems of 5 bodies."""
    torch.manual_seed(0)
    model = Ponita(
        1,
        0,
        in_vectors=1,
        out_vectors=1,
        level="node",
        hidden_channels=size(128, 8),
        **in_groups(Ponita, {"num_orientations": 16, "layer_scale": 1e-6, **FORMS[form]}),
    )
    graphs = size(100, 2)
    inputs = _clouds(graphs, 5, 3, 1, device)
    velocity = torch.randn(5 * graphs, 1, 3, device=device)

    def loss(out: GeometricOutput) -> Tensor:
        return (out.vector[:, 0] - velocity[:, 0]).square().mean()

    return _trained(model, inputs | {"vec": velocity}, loss, form, device)


def aspirin(form: str, device: torch.device) -> Built:
    """Energies and forces of 5 molecules of 21 atoms."""
    torch.manual_seed(0)
    width = size(128, 8)
    model = Ponita(
        9, 1, hidden_channels=width, **in_groups(Ponita, {"num_orientations": 20, **FORMS[form]})
    ).to(device)
    atoms = size(21, 4)
    inputs = _clouds(5, atoms, 3, 9, device)

    def evaluate(network: Any, inputs: dict[str, Any], _: Any) -> dict[str, Tensor]:
        energy, force = energy_and_force(network, inputs, create_graph=True)
        return {"loss": energy.square().mean() / 500 + force.square().mean()}

    traced = TracedStep(model, evaluate, mode=MODES[form]) if form in MODES else None

    def step() -> Tensor:
        model.zero_grad()
        found = with_neighbors(model, inputs, num_pairs=5 * atoms * (atoms - 1) // 2)
        loss = (evaluate(model, found, {}) if traced is None else traced(found, {}))["loss"]
        loss.backward()
        return loss.detach()

    return Built(step, model)


def qm9(form: str, device: torch.device) -> Built:
    """One scalar output for each of 24 molecules of 18 atoms."""
    torch.manual_seed(0)
    model = Ponita(
        11,
        1,
        hidden_channels=size(256, 8),
        num_layers=size(9, 1),
        **in_groups(Ponita, {"num_orientations": 16, "multiple_readouts": False, **FORMS[form]}),
    )
    return _trained(model, _clouds(size(24, 2), size(18, 4), 3, 11, device), _square, form, device)


def superpixels(form: str, device: torch.device) -> Built:
    """24 graphs of 75 nodes, each connected to its 8 nearest neighbours."""
    torch.manual_seed(0)
    model = Ponita(
        1,
        10,
        dim=2,
        hidden_channels=size(128, 8),
        **in_groups(Ponita, {"num_orientations": 10, "multiple_readouts": False, **FORMS[form]}),
    )
    graphs = size(24, 2)
    inputs = _clouds(graphs, 75, 2, 1, device)
    apart = torch.cdist(*[inputs["pos"].view(graphs, 75, 2)] * 2)
    sender = apart.topk(9, largest=False).indices[..., 1:]
    sender = (sender + 75 * torch.arange(graphs, device=device)[:, None, None]).flatten()
    receiver = torch.arange(graphs * 75, device=device).repeat_interleave(8)
    inputs["edge_index"] = torch.stack([sender, receiver])
    return _trained(model, inputs, _square, form, device)


def pixels(form: str, device: torch.device) -> Built:
    """8 images of 28 x 28 pixels, each with its own rotation."""
    torch.manual_seed(0)
    model = Ponita(
        1,
        10,
        dim=2,
        hidden_channels=16,
        num_layers=3,
        radius=3.5,
        lattice=(28, 28),
        **in_groups(
            Ponita,
            {
                "basis_channels": 16,
                "degree": 2,
                "num_orientations": 8,
                "multiple_readouts": False,
                **FORMS[form],
            },
        ),
    )
    inputs = _clouds(8, 784, 2, 1, device)
    turned = pixel_positions((28, 28)) @ random_rotations(8, 2).float()
    inputs["pos"] = turned.flatten(0, 1).to(device)
    return _trained(model, inputs, _square, form, device)


def _clouds(
    graphs: int, nodes: int, dim: int, channels: int, device: torch.device
) -> dict[str, Any]:
    """Random point clouds with random features."""
    pos, x = 2 * torch.randn(graphs * nodes, dim), torch.randn(graphs * nodes, channels)
    batch = torch.arange(graphs, device=device).repeat_interleave(nodes)
    return {"pos": pos.to(device), "x": x.to(device), "batch": batch, "num_graphs": graphs}


def _square(out: GeometricOutput) -> Tensor:
    return out.scalar.square().mean()


def _trained(
    model: Ponita, inputs: dict[str, Any], loss: Loss, form: str, device: torch.device
) -> Built:
    model.to(device)
    network = CompiledModel(model, mode=MODES[form]) if form in MODES else model
    sizes = inputs["batch"].bincount()
    pairs = int((sizes * (sizes - 1)).sum()) // 2

    def step() -> Tensor:
        model.zero_grad()
        value = loss(network(**with_neighbors(model, inputs, num_pairs=pairs)))
        value.backward()
        return value.detach()

    return Built(step, model)


def _case(name: str, about: str, items: int, build: Callable[[str, torch.device], Built]) -> Case:
    return Case(name, about, {form: partial(build, form) for form in FORMS}, items, ON_GPU)


CASES = [
    _case("nbody", "PONITA, published size, 100 systems of 5 bodies", 100, nbody),
    _case("aspirin", "PONITA, published size, energy and forces of 5 molecules", 5, aspirin),
    _case("qm9", "PONITA, published size, 24 molecules of 18 atoms", 24, qm9),
    _case("superpixels", "PONITA, published size, 24 graphs of 75 nodes", 24, superpixels),
    _case("pixels", "PONITA, size of mnist_pixels_quick, 8 images", 8, pixels),
]
