"""Training steps of the zoo's models as configured, on the batches used to compare them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import yaml
from torch import Tensor, nn

from benchmarks._case import Built, Case, size
from geozoo.config import zoo_folder
from geozoo.options import former_names
from geozoo.tasks._derivatives import energy_and_force

POTENTIALS = (
    "ponita",
    "cgenn",
    "egnn",
    "schnet",
    "painn",
    "segnn",
    "platonic",
    "rapidash",
    "nequip",
    "allegro",
    "mace",
    "tensornet",
)
MOVERS = (
    "ponita", "platonic", "rapidash", "cgenn", "egnn", "painn", "segnn", "nequip", "allegro",
    "mace", "tensornet",
)  # fmt: skip
FORECASTERS = (
    "gram_ode", "stgode", "stid", "stgcn", "dcrnn", "graph_wavenet", "agcrn", "staeformer",
)  # fmt: skip
SENSORS, WINDOWS, STEPS_PER_DAY = 207, 8, 288


def model_of(name: str, **given: Any) -> nn.Module:
    """The network of an entry: its configured arguments, and those that a dataset would set."""
    import geozoo.models

    text = (zoo_folder() / "models" / name / "config.yaml").read_text()
    config = yaml.safe_load(text)
    kind = getattr(geozoo.models, config.pop("_target_").rpartition(".")[2])
    known = inspect.signature(kind).parameters
    config |= {key: value for key, value in given.items() if key in known}
    for key, group in former_names(kind).items():
        config[group] |= {key: given[key]} if key in given else {}
    torch.manual_seed(0)
    return kind(**config)


def potential(name: str, atoms: int, species: int, device: torch.device) -> Built:
    """Energies and forces of 5 molecules."""
    data = {"in_channels": species, "in_vectors": 0, "out_channels": 1, "out_vectors": 0, "dim": 3}
    radius = {"cgenn": 5.0, "egnn": 5.0, "schnet": 5.0, "segnn": 5.0}
    options = {"radius": radius[name]} if name in radius else {}
    model = model_of(name, **data, **options, level="graph", num_orientations=20, lattice=None)
    model = model.to(device)
    atoms = size(atoms, 4)
    batch = torch.arange(5, device=device).repeat_interleave(atoms)
    kinds = torch.randint(species, (5 * atoms,))
    inputs = {
        "pos": 1.5 * torch.randn(5 * atoms, 3).to(device),
        "x": nn.functional.one_hot(kinds, species).float().to(device), "batch": batch,
        "num_graphs": 5,
    }  # fmt: skip

    def loss() -> Tensor:
        energy, force = energy_and_force(model, inputs, create_graph=True)
        return energy.square().mean() / 500 + force.square().mean()

    return _built(model, loss)


def mover(name: str, device: torch.device) -> Built:
    """Positions of 100 systems of 5 bodies."""
    data = {"in_channels": 1, "in_vectors": 1, "out_channels": 0, "out_vectors": 1, "dim": 3}
    options = {"num_orientations": 16, "lattice": None}
    if name in ("painn", "nequip", "allegro", "mace", "tensornet"):  # all pairs of the five
        options |= {"radius": 20.0, "num_neighbors": 4.0}
    model = model_of(name, **data, **options, level="node").to(device)
    graphs = size(100, 2)
    batch = torch.arange(graphs, device=device).repeat_interleave(5)
    inputs = {
        "pos": torch.randn(5 * graphs, 3, device=device), "batch": batch, "num_graphs": graphs,
        "x": torch.randn(5 * graphs, 1, device=device),
        "vec": torch.randn(5 * graphs, 1, 3, device=device),
    }  # fmt: skip
    return _built(model, lambda: model(**inputs).vector.square().mean())


def forecaster(name: str, device: torch.device) -> Built:
    """A one-hour horizon for `WINDOWS` windows of 207 sensors."""
    sensors, windows = size(SENSORS, 5), size(WINDOWS, 2)
    road = 0.4 * (torch.eye(sensors) + torch.rand(sensors, sensors) / sensors)
    data = {
        "road_adjacency": road, "spatial_adjacency": road, "semantic_adjacency": road.T.clone(),
        "in_channels": 1, "input_steps": 12, "horizon": 12, "num_nodes": sensors,
        "steps_per_day": STEPS_PER_DAY,
    }  # fmt: skip
    model = model_of(name, **data).to(device)
    x = torch.randn(windows, 12, sensors, 1, device=device)
    steps = torch.arange(windows)[:, None] + torch.arange(24)
    time = torch.stack([steps % STEPS_PER_DAY, steps % 7], -1)
    inputs: dict[str, Any] = {"x": x}
    if "time" in inspect.signature(model.forward).parameters:
        inputs["time"] = time.to(device)
    return _built(model, lambda: model(**inputs).abs().mean())


def _built(model: nn.Module, loss: Callable[[], Tensor]) -> Built:
    def step() -> Tensor:
        model.zero_grad()
        value = loss()
        value.backward()
        return 0.0 * value.detach()  # other networks, other losses

    return Built(step)


def _cases() -> list[Case]:
    ethanol = {name: partial(potential, name, 9, 3) for name in POTENTIALS}
    aspirin = {name: partial(potential, name, 21, 3) for name in POTENTIALS}
    bodies = {name: partial(mover, name) for name in MOVERS}
    traffic = {name: partial(forecaster, name) for name in FORECASTERS}
    about = f"an hour ahead for {WINDOWS} windows of {SENSORS} sensors"
    return [
        Case("zoo_ethanol", "energies and forces of 5 molecules of 9 atoms", ethanol, 5),
        Case("zoo_aspirin", "energies and forces of 5 molecules of 21 atoms", aspirin, 5),
        Case("zoo_nbody", "positions of 100 systems of 5 bodies", bodies, 100),
        Case("zoo_traffic", about, traffic, WINDOWS),
    ]


CASES = _cases()
