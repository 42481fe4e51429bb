"""Energies, forces and stress of large periodic systems: liquid ethanol and copper."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch

from benchmarks._case import Built
from benchmarks._zoo_steps import model_of
from geozoo.data import GraphStore
from geozoo.tasks._derivatives import energy_derivatives
from geozoo.tasks._neighbors import with_neighbors

#: Cutoff of all networks in angstrom.
RADIUS = 5.0
NETWORKS = ("egnn", "schnet", "painn", "tensornet", "nequip", "allegro", "mace", "ponita")
SYSTEMS = ("copper", "ethanol")
ELEMENTS = (1, 6, 8, 29)
#: Lattice constant of copper, and standard deviation of its displacements, in angstrom.
_LATTICE, _RATTLED = 3.615, 0.1
#: Density of liquid ethanol in g/cm3 and its molar mass in g/mol; cubic angstrom per molecule.
_DENSITY, _MOLAR = 0.789, 46.069
_VOLUME = _MOLAR / _DENSITY / 0.602214076


def copper(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Elements, positions and cell of face-centred cubic copper with displaced atoms.

    Args:
        count: desired number of atoms; the nearest block of whole cubic cells is built.
    """
    cells = _block(count / 4)
    corner = np.array([[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0]]) / 2
    pos = (_grid(cells)[:, None] + corner).reshape(-1, 3) * _LATTICE
    pos += np.random.default_rng(0).normal(0, _RATTLED, pos.shape)
    return np.full(len(pos), 29), pos, np.diag(_LATTICE * np.array(cells))


def ethanol(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Elements, positions and cell of molecules with random rotations, at the liquid's density.

    Args:
        count: desired number of atoms; the nearest block of whole molecules is built.
    """
    from ase.build import molecule
    from scipy.spatial.transform import Rotation

    one = molecule("CH3CH2OH")
    cells = _block(count / len(one))
    side = _VOLUME ** (1 / 3)
    centers = (_grid(cells) + 0.5) * side
    turned = Rotation.random(len(centers), random_state=0).as_matrix()
    shape = one.positions - one.positions.mean(0)
    pos = (centers[:, None] + shape @ turned).reshape(-1, 3)
    return np.tile(one.numbers, len(centers)), pos, np.diag(side * np.array(cells))


def _block(count: float) -> tuple[int, int, int]:
    """Numbers of cells along three axes, nearly equal, whose product is close to the count."""
    third = round(count ** (1 / 3))
    rest = round((count / third) ** 0.5)
    return third, rest, max(1, round(count / third / rest))


def _grid(cells: tuple[int, int, int]) -> np.ndarray:
    return np.stack(np.meshgrid(*map(np.arange, cells), indexing="ij"), -1).reshape(-1, 3)


def store_of(system: str, count: int) -> GraphStore:
    """A store with one periodic system."""
    numbers, pos, cell = {"copper": copper, "ethanol": ethanol}[system](count)
    column = torch.tensor([ELEMENTS.index(number) for number in numbers])
    node = {
        "pos": torch.from_numpy(pos).float(),
        "x": torch.nn.functional.one_hot(column, len(ELEMENTS)).float(),
    }
    graph = {"cell": torch.from_numpy(cell)[None], "pbc": torch.ones(1, 3, dtype=torch.bool)}
    return GraphStore(torch.tensor([len(numbers)]), node=node, graph=graph)


def evaluation(system: str, network: str, count: int) -> Built:
    """Energy, forces and stress with a configured network, including the neighbour search."""
    model = model_of(
        network, in_channels=len(ELEMENTS), in_vectors=0, out_channels=1, out_vectors=0, dim=3,
        level="graph", radius=RADIUS, num_orientations=20, lattice=None,
    )  # fmt: skip
    model.eval().requires_grad_(False)  # as in geozoo.hub.TrainedModel
    batch = store_of(system, count).gather(torch.arange(1))
    inputs = {"pos": batch.pos, "x": batch.x, "batch": batch.batch, "num_graphs": 1}

    def step() -> float:
        listed = with_neighbors(model, inputs, batch)
        found = energy_derivatives(model, listed, create_graph=False, with_virial=True)
        return float(found.energy.detach().sum() + found.force.square().mean())

    return Built(step)


EVALUATIONS = {
    f"{system}_{network}": partial(evaluation, system, network)
    for system in SYSTEMS
    for network in NETWORKS
}
