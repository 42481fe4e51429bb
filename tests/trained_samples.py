"""Small trained models of every family, for the tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from tiny_traffic import tiny_traffic

from geozoo.data import GeometricSpec
from geozoo.hub import Description, TrainedModel
from geozoo.hub.description import Weights
from geozoo.models import Ponita, Stid
from geozoo.options import in_groups
from geozoo.tasks import Dynamics, Forecasting, Potential

SIZES = {"hidden_channels": 8, "basis_channels": 8, "num_layers": 1, "num_orientations": 6}
#: Carbon, hydrogen, oxygen; the last column was never seen.
ELEMENTS = (6, 1, 8, 0)


def trained(task: Any) -> TrainedModel:
    """A task as a trained model."""
    weights = Weights("model.safetensors", "0" * 64, 0)
    nodes = {"model": {}, "task": {}, "data": task.spec.to_dict()}
    return TrainedModel(Description("tiny", weights=weights, **nodes), task)


def potential(options: Mapping[str, Any] | None = None, **statistics: float) -> TrainedModel:
    """Energies in meV of molecules of carbon, hydrogen and oxygen, with options of the task."""
    options = options or {}
    torch.manual_seed(0)
    spec = GeometricSpec(
        level="graph", dim=3, in_channels=4, out_channels=1, elements=ELEMENTS, target="energy",
        vector_fields=("pos", "forces"), units={"energy": "meV", "forces": "meV/angstrom"},
        statistics={"energy_shift": -4e6, "energy_scale": 2000.0, **statistics},
    )  # fmt: skip
    sizes = Potential.model_arguments(spec, options) | SIZES
    return trained(Potential(Ponita(**in_groups(Ponita, sizes)), spec, **options))


def dynamics() -> TrainedModel:
    """Positions from charges and velocities."""
    torch.manual_seed(0)
    spec = GeometricSpec(
        level="node", dim=3, in_channels=1, in_vectors=1, out_vectors=1, units={"y": "length"}
    )
    return trained(Dynamics(Ponita(**in_groups(Ponita, spec.model_arguments() | SIZES)), spec))


def forecaster() -> TrainedModel:
    """Speeds of named sensors."""
    torch.manual_seed(0)
    spec = tiny_traffic().spec
    given = {k: v for k, v in spec.model_arguments().items() if k != "adjacency"}
    return trained(Forecasting(Stid(**given, hidden_channels=8), spec))


def molecule() -> tuple[np.ndarray, np.ndarray]:
    """Formaldehyde: numbers and positions."""
    pos = [[0.0, 0.0, 0.53], [0.0, 0.0, -0.68], [0.0, 0.94, 1.12], [0.0, -0.94, 1.12]]
    return np.array([6, 8, 1, 1]), np.array(pos)
