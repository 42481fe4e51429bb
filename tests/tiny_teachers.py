"""A small potential with random weights as a teacher, and structures for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from ase import Atoms
from ase.build import bulk, molecule
from trained_samples import trained

from geozoo.data import GeometricSpec
from geozoo.hub import TrainedModel, write_model
from geozoo.models import PaiNN
from geozoo.tasks import Potential

_SIZES: dict[str, Any] = {"hidden_channels": 8, "num_layers": 1, "num_basis": 6, "radius": 3.5}


def teacher(seed: int = 0) -> TrainedModel:
    """Energies of molecules and crystals of hydrogen, oxygen and silicon."""
    torch.manual_seed(seed)
    spec = GeometricSpec(
        level="graph", dim=3, in_channels=3, out_channels=1, elements=(1, 8, 14), target="energy",
        units={"energy": "meV", "forces": "meV/angstrom"},
        statistics={"energy_shift": 0.0, "energy_scale": 200.0},
    )  # fmt: skip
    return trained(Potential(PaiNN(3, 1, **_SIZES), spec))


def written(folder: Path, seed: int = 0) -> Path:
    """The teacher as the folder of a published model."""
    model = teacher(seed)
    write_model(
        folder, name="tiny", state=model.task.state_dict(), data=model.spec.to_dict(),
        model={"_target_": "geozoo.models.PaiNN", "in_channels": 3, "out_channels": 1, **_SIZES},
        task={"_target_": "geozoo.tasks.Potential"},
    )  # fmt: skip
    return folder


def silicon(seed: int = 0, size: float = 0.05) -> Atoms:
    """Two atoms of a displaced crystal."""
    atoms = bulk("Si", a=5.43)
    atoms.positions += size * np.random.default_rng(seed).normal(size=(2, 3))
    return atoms


def water(seed: int = 0) -> Atoms:
    """A displaced water molecule."""
    atoms = molecule("H2O")
    atoms.positions += 0.02 * np.random.default_rng(seed).normal(size=(3, 3))
    return atoms
