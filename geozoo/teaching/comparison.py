"""Errors of a student against its teacher on held-out structures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from geozoo.data import structure_of
from geozoo.data.molecules.atom_energies import fit_atom_energies
from geozoo.engines import PotentialEvaluator

if TYPE_CHECKING:
    from ase import Atoms

_AT_ONCE = 32
_TO_MEV = 1e3


@dataclass(frozen=True)
class SetErrors:
    """Mean absolute errors on a set of structures, and those of a trivial baseline.

    The baseline predicts the energy per element that fits the training structures, zero forces and
    zero stress.

    Attributes:
        name: name of the set.
        structures: number of structures.
        energy: in meV per atom.
        force: of a force component, in meV/angstrom.
        stress: of a stress component, in GPa; None if no structure has a stress.
        baseline_energy: as ``energy``, of the baseline.
        baseline_force: as ``force``, of the baseline.
        baseline_stress: as ``stress``, of the baseline.
    """

    name: str
    structures: int
    energy: float
    force: float
    stress: float | None
    baseline_energy: float
    baseline_force: float
    baseline_stress: float | None


def compare(
    student: PotentialEvaluator, sets: Mapping[str, Sequence[Atoms]], train: Sequence[Atoms]
) -> list[SetErrors]:
    """Errors of a student on structures with labels of its teacher.

    Args:
        student: the trained student.
        sets: structures with energies and forces of the teacher as calculator results, by name.
        train: the training structures, for the baseline.
    """
    numbers = sorted({int(z) for atoms in train for z in atoms.numbers})
    energies = torch.tensor([atoms.get_potential_energy() for atoms in train]).double()
    per_element = fit_atom_energies(_counts(train, numbers), energies)
    return [
        _errors(name, student, frames, _counts(frames, numbers) @ per_element)
        for name, frames in sets.items()
        if frames
    ]


def _counts(frames: Sequence[Atoms], numbers: Sequence[int]) -> torch.Tensor:
    return torch.tensor([[int((a.numbers == z).sum()) for z in numbers] for a in frames]).double()


def _errors(
    name: str, student: PotentialEvaluator, frames: Sequence[Atoms], baseline: torch.Tensor
) -> SetErrors:
    structures = [structure_of(atoms, "the structure") for atoms in frames]
    found = [
        each
        for start in range(0, len(frames), _AT_ONCE)
        for each in student.evaluate_many(structures[start : start + _AT_ONCE])
    ]
    sizes = np.array([len(atoms) for atoms in frames])
    energy = np.array([atoms.get_potential_energy() for atoms in frames])
    force = np.concatenate([atoms.get_forces().ravel() for atoms in frames])
    predicted = np.concatenate([each.forces.ravel() for each in found])
    stress, ours = _stresses(frames), [each.stress for each in found if each.stress is not None]
    has_stress = len(stress) > 0
    return SetErrors(
        name, len(frames),
        energy=_mean(_TO_MEV * (energy - [each.energy for each in found]) / sizes),
        force=_mean(_TO_MEV * (force - predicted)),
        stress=_mean(stress - np.stack(ours) / _gpa()) if has_stress else None,
        baseline_energy=_mean(_TO_MEV * (energy - baseline.numpy()) / sizes),
        baseline_force=_mean(_TO_MEV * force),
        baseline_stress=_mean(stress) if has_stress else None,
    )  # fmt: skip


def _stresses(frames: Sequence[Atoms]) -> np.ndarray:
    """``[S, 3, 3]`` stresses in GPa of the structures that have a volume."""
    found = [atoms.get_stress(voigt=False) for atoms in frames if atoms.pbc.all()]
    return np.stack(found) / _gpa() if found else np.zeros((0, 3, 3))


def _gpa() -> float:
    from ase import units

    return float(units.GPa)


def _mean(differences: np.ndarray) -> float:
    return float(np.abs(differences).mean())
