"""Training steps of variable size, for plots of time and memory against problem size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from benchmarks._case import Built
from benchmarks._gram_ode_steps import road_graph
from benchmarks._periodic_steps import EVALUATIONS
from geozoo.models import GramODE, Ponita

#: Neighbours per atom, excluding itself, in the sweep over atoms.
NEIGHBORS = 20


def atoms(count: int) -> Built:
    """One system of constant density, each atom with about 20 neighbours within the cutoff."""
    density = 1.0
    radius = (3 * (NEIGHBORS + 1) / (4 * torch.pi * density)) ** (1 / 3)
    model = Ponita(9, 1, radius=radius, orientations={"num_orientations": 20})
    side = (count / density) ** (1 / 3)
    return _step(model, _clouds(1, count, 9, side))


def graphs(count: int) -> Built:
    """A batch of molecules of 18 atoms, complete graphs, 16 orientations."""
    return _step(Ponita(11, 1, orientations={"num_orientations": 16}), _clouds(count, 18, 11, 3.0))


def orientations(count: int) -> Built:
    """5 molecules of 21 atoms with the given number of orientations."""
    return _step(Ponita(9, 1, orientations={"num_orientations": count}), _clouds(5, 21, 9, 3.0))


def sensors(count: int) -> Built:
    """One window of the given number of sensors, with blocks recomputed in the backward pass."""
    graph = road_graph(count)
    model = GramODE(graph, graph.T, in_channels=3, branches={"dropout": 0.0, "recompute": True})
    x, target = torch.randn(1, 12, count, 3), torch.randn(1, 12, count)

    def step() -> float:
        model.zero_grad()
        loss = (model(x) - target).abs().mean()
        loss.backward()
        return loss.item()

    return Built(step, model)


@dataclass(frozen=True)
class Sweep:
    """A sweep over one size.

    Attributes:
        build: returns the training step for a size.
        sizes: sizes, increasing.
        label: axis label.
        about: what is measured.
        work: what is done once per measurement.
    """

    build: Callable[[int], Built]
    sizes: tuple[int, ...]
    label: str
    about: str
    work: str = "a training step"


SWEEPS = {
    "atoms": Sweep(
        atoms, (10, 30, 100, 300, 1000, 3000, 10000), "atoms",
        "PONITA, radius graph of 20 neighbours, 20 orientations",
    ),
    "graphs": Sweep(
        graphs, (1, 2, 4, 8, 16, 32, 64, 128), "molecules of 18 atoms",
        "PONITA, complete graphs, 16 orientations",
    ),
    "orientations": Sweep(
        orientations, (4, 8, 16, 32, 64, 128, 256), "orientations",
        "PONITA, 5 molecules of 21 atoms",
    ),
    "sensors": Sweep(
        sensors, (100, 200, 400, 800, 1600, 3200, 5000), "sensors",
        "GRAM-ODE, one window, blocks recomputed",
    ),
}  # fmt: skip

#: Numbers of atoms of whole blocks of cells near 500, 2000, 10000 and 50000.
_ATOMS = {"copper": (500, 2048, 10976, 50784), "ethanol": (576, 1944, 9900, 49572)}
#: Evaluations of periodic systems, not part of the picture.
PERIODIC = {
    name: Sweep(
        build, _ATOMS[name.split("_")[0]], "atoms",
        f"{name.replace('_', ', ')}, cutoff 5 angstrom, periodic",
        "energy, forces and stress, with the neighbour search",
    )
    for name, build in EVALUATIONS.items()
}  # fmt: skip


def _clouds(graphs: int, nodes: int, channels: int, side: float) -> dict[str, Any]:
    return {
        "pos": side * torch.rand(graphs * nodes, 3),
        "x": torch.eye(channels)[torch.randint(channels, (graphs * nodes,))],
        "batch": torch.arange(graphs).repeat_interleave(nodes),
        "num_graphs": graphs,
    }


def _step(model: Ponita, inputs: dict[str, Any]) -> Built:
    def step() -> float:
        model.zero_grad()
        loss = model(**inputs).scalar.square().mean()
        loss.backward()
        return loss.item()

    return Built(step, model)
