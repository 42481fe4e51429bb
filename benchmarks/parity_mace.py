"""Deviation from the published implementation of MACE, on the outputs of `mace_reference.py`.

    python -m benchmarks.parity_mace mace_reference.npz

Weights are loaded by name with `geozoo.models.load_mace_weights`. One row per model: the largest
absolute deviation, relative to the largest entry, of energies, energies of atoms, forces and
stresses, over all structures.
"""

from __future__ import annotations

import json
import sys

import numpy as np
import torch
from torch import Tensor

from geozoo.models import MACE, MACEBlocks, load_mace_weights
from geozoo.tasks._derivatives import energy_derivatives, volumes

_BLOCK = "RealAgnosticResidualInteractionBlock"
_NUMBERS = torch.tensor([1, 6, 8])


def model_of(options: dict, weights: dict[str, Tensor]) -> tuple[MACE, Tensor]:
    """A model with the published weights, and the constants of the species."""
    first, other = options["first"] == _BLOCK, options["other"] == _BLOCK
    model = MACE(
        len(_NUMBERS), 1, hidden_channels=options["channels"],
        hidden_degree=options["hidden_degree"], degree=options["degree"],
        correlation=options["correlation"], num_layers=options["layers"],
        num_neighbors=options["num_neighbors"], radius=options["radius"], level="graph",
        blocks=MACEBlocks(
            num_basis=options["num_basis"], radial_channels=options["widths"],
            power=options["power"], residual="all" if first else "later" if other else "none",
            readout_channels=options["readout"],
        ),
    ).double()  # fmt: skip
    return model, load_mace_weights(model, weights)


def outputs(model: MACE, constants: Tensor, structure: dict[str, Tensor]) -> dict[str, Tensor]:
    """Energy, energies of atoms, forces and stress of one structure."""
    pos, cell = structure["positions"].clone(), structure["cell"][None]
    species = (structure["numbers"][:, None] == _NUMBERS).double()
    batch, pbc = torch.zeros(len(pos), dtype=torch.int64), cell.abs().sum(-1) > 0
    edges = model.neighbors(pos, batch, num_graphs=1, cell=cell, pbc=pbc)
    inputs = {"pos": pos, "x": species, "batch": batch, "edge_index": edges, "num_graphs": 1}
    periodic = bool(pbc.all())
    found = energy_derivatives(model, inputs, create_graph=False, with_virial=periodic)
    scalar, _ = model.evaluate(pos, species, None, edges)
    assert scalar is not None
    atoms = (scalar[:, 0] + species @ constants).detach()
    result = {
        "energy": found.energy.detach().flatten() + species.sum(0) @ constants,
        "node_energy": atoms, "forces": found.force.detach(),
    }  # fmt: skip
    if periodic and found.virial is not None:
        result["stress"] = -found.virial.detach() / volumes(cell, pbc)[0][:, None, None]
    return result


def deviations(arrays: dict[str, np.ndarray], name: str) -> dict[str, float]:
    """Largest relative deviation of each output of a model of the file."""
    prefix = f"{name}.w."
    weights = {
        key.removeprefix(prefix): torch.as_tensor(value)
        for key, value in arrays.items() if key.startswith(prefix)
    }  # fmt: skip
    model, constants = model_of(json.loads(str(arrays[f"{name}.options"])), weights)
    worst: dict[str, float] = {}
    for n in range(sum(key.endswith(".positions") for key in arrays)):
        structure = {
            key: torch.as_tensor(arrays[f"structure.{n}.{key}"])
            for key in ("positions", "numbers", "cell")
        }
        found = outputs(model, constants, structure)
        for key, value in found.items():
            expected = torch.as_tensor(arrays[f"{name}.out.{n}.{key}"]).reshape(value.shape)
            size = expected.abs().max().clamp_min(1e-3)
            deviation = float((value - expected).abs().max() / size)
            worst[key] = max(worst.get(key, 0.0), deviation)
    return worst


def main(path: str) -> None:
    """Print a row for each model of the file."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {key: file[key] for key in file.files}
    for name in [key.removesuffix(".options") for key in arrays if key.endswith(".options")]:
        worst = deviations(arrays, name)
        print(name, *(f"{key} {value:.1e}" for key, value in worst.items()), sep="  ")


if __name__ == "__main__":
    main(sys.argv[1])
