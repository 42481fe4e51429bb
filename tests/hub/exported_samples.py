"""Small potentials with a cutoff, structures, and the inputs of programs as the docs make them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ase import Atoms
from torch import Tensor, nn
from trained_samples import ELEMENTS, trained

from geozoo import models
from geozoo.data import GeometricSpec, structure_of
from geozoo.hub import TrainedModel
from geozoo.hub.structures import predict_store, structure_store
from geozoo.tasks import Potential

ROOT = Path(__file__).resolve().parents[2]
#: The script of the documentation.
SCRIPT = (ROOT / "docs/programs.md").read_text().split("```python\n")[1].split("```")[0]
CUTOFF = 3.5
SMALL = {"hidden_channels": 8, "num_layers": 2, "radius": CUTOFF}
SEVENNET = {
    "irreps": "8x0e+4x1e+4x2e", "parity": False, "self_connection": "linear", "radial_bias": False,
    "gate": "silu", "trainable_basis": True, "window_start": 2.5, "window_place": "basis",
    "denominator": 3.0, "element_scaling": True,
}  # fmt: skip
NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "schnet": lambda: models.SchNet(4, 1, **SMALL, num_basis=8),
    "painn": lambda: models.PaiNN(4, 1, **SMALL, num_basis=8),
    "cgenn": lambda: models.CGENN(4, 1, **SMALL),
    "egnn": lambda: models.EGNN(4, 1, **SMALL),
    "tensornet": lambda: models.TensorNet(4, 1, **SMALL, num_basis=8, self_loops=True),
    "nequip": lambda: models.NequIP(4, 1, degree=1, radial_channels=8, **SMALL),
    "nequip as sevennet": lambda: models.NequIP(
        4, 1, degree=2, radial_channels=8, **SMALL, options=SEVENNET
    ),
    "mace": lambda: models.MACE(4, 1, degree=2, blocks={"radial_channels": [8]}, **SMALL),
    "allegro": lambda: models.Allegro(4, 1, degree=1, tensor_channels=4, **SMALL),
    "segnn": lambda: models.SEGNN(4, 1, **SMALL),
    **{
        f"ponita {name} {backend}": lambda name=name, backend=backend: models.Ponita(
            4, 1, representation=name, level="graph", **SMALL,
            kernel={"basis_channels": 8, "backend": backend},
            orientations={"num_orientations": 12 if name == "frames" else 6},
        )
        for name, backend in (
            ("position", "auto"), ("bundle", "auto"), ("bundle", "fused"),
            ("bundle_full", "fused"), ("frames", "auto"), ("edges", "auto"),
        )
    },
}  # fmt: skip


def spec() -> GeometricSpec:
    """Energies of carbon, hydrogen and oxygen with energies of free atoms."""
    return GeometricSpec(
        level="graph", dim=3, in_channels=4, out_channels=1, elements=ELEMENTS, target="energy",
        vector_fields=("pos", "forces"), units={"energy": "meV", "forces": "meV/angstrom"},
        statistics={
            "energy_shift": 0.0, "energy_scale": 2000.0, "atom_energy_H": -13.0,
            "atom_energy_C": -40.0, "atom_energy_O": -70.0,
        },
    )  # fmt: skip


def local_potential(name: str, options: dict[str, Any] | None = None) -> TrainedModel:
    """A potential in float64 on one of the networks, with options of the task."""
    torch.manual_seed(0)
    network = NETWORKS[name]()
    with torch.no_grad():  # away from zero gates and biases
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return trained(Potential(network, spec(), **options or {})).cast(torch.float64)


def structures() -> dict[str, Atoms]:
    """A molecule and crystals; boxes, so that they have stresses."""
    molecule = [[0.0, 0.1, 0.5], [0.0, 0.9, 1.1], [0.0, -0.9, 1.1], [0.0, 0.0, -0.7]]
    pos = np.random.default_rng(0).random((6, 3)) * 6
    triclinic = [[3.1, 0.3, 0.1], [0.2, 3.3, -0.4], [0.5, 0.1, -2.9]]  # left-handed
    return {
        "molecule": Atoms("CHHO", molecule, cell=[30] * 3, pbc=True),
        "crystal": Atoms("CO2H2C", pos, cell=triclinic, pbc=True),
        "one atom with its images": Atoms("C", cell=[2.4] * 3, pbc=True),
        "one atom without neighbours": Atoms("C", cell=[20] * 3, pbc=True),
    }


def inputs_of_docs(atoms: Atoms, dtype: torch.dtype = torch.float64) -> tuple[Tensor, ...]:
    """The inputs of a program by the function in the documentation."""
    names: dict[str, Any] = {}
    exec(SCRIPT.split("files = ")[0], names)
    found: tuple[Tensor, ...] = names["program_inputs"](atoms, CUTOFF, dtype)
    return found


def expected(model: TrainedModel, atoms: Atoms) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Energy, forces and virial of a structure by the model itself."""
    spec = model.spec
    assert isinstance(spec, GeometricSpec)
    store = structure_store(spec, [structure_of(atoms, "the structure")])
    found = {name: value.double().numpy() for name, value in predict_store(model, store).items()}
    return found["energy"], found["force"], -found["stress"][0] * atoms.get_volume()
