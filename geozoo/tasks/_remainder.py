"""What physical terms leave to the network: remaining labels, and references fitted to them."""

from __future__ import annotations

import torch
from torch import Tensor

from geozoo.data import GraphBatch, GraphStore
from geozoo.data.molecules.atom_energies import (
    PREFIX,
    compositions_of,
    fit_atom_energies,
    shift_per_atom,
)
from geozoo.tasks._compositions import column_energies
from geozoo.tasks._derivatives import Derivatives, volumes
from geozoo.tasks._reference_energies import ReferencedTask
from geozoo.tasks._terms import SumOfTerms

#: Remaining forces below this fraction of the labels are rounding errors: the terms explain all.
_SMALLEST = 1e-9


def remainder(batch: GraphBatch, terms: Derivatives) -> GraphBatch:
    """The batch with the labels minus the terms.

    Args:
        batch: the graphs.
        terms: energies, forces and virials of the terms, in the units of the labels.
    """
    left = {"energy": batch.energy - terms.energy.to(batch.energy.dtype)}
    if "forces" in batch:
        left["forces"] = batch.forces - terms.force.to(batch.forces.dtype)
    if "stress" in batch and terms.virial is not None:
        left["stress"] = batch.stress - _stress(batch, terms.virial).to(batch.stress.dtype)
    return batch.replace(**left)


def with_terms(
    predicted: dict[str, Tensor], batch: GraphBatch, terms: Derivatives
) -> dict[str, Tensor]:
    """Predictions of the network (energy, force, stress if there is one) plus the terms."""
    added = {
        "energy": predicted["energy"] + terms.energy,
        "force": predicted["force"] + terms.force.to(predicted["force"].dtype),
    }
    if "stress" in predicted and terms.virial is not None:
        stress = predicted["stress"]
        added["stress"] = stress + _stress(batch, terms.virial).to(stress.dtype)
    if "virial" in predicted and terms.virial is not None:
        added["virial"] = predicted["virial"] + terms.virial.to(predicted["virial"].dtype)
    return {**predicted, **added}


def _stress(batch: GraphBatch, virial: Tensor) -> Tensor:
    """The stress of each graph; 0 for graphs without a volume."""
    volume, has_volume = volumes(batch.cell, batch.pbc)
    return torch.where(has_volume[:, None, None], -virial / volume[:, None, None], 0.0)


def fit_references(
    task: ReferencedTask, terms: SumOfTerms, store: GraphStore, train: Tensor
) -> None:
    """Replace references and scale of a task by those of the labels minus the terms.

    The shift (a mean), fitted energies of free atoms, and the shift per atom are linear in the
    labels: each is reduced by its value for the energies of the terms. Given energies of free atoms
    stay: the terms vanish for isolated atoms.

    Args:
        task: the task; its specification holds the statistics of the labels.
        terms: its terms.
        store: the data, with the fields of the terms.
        train: indices of the training split.
    """
    statistics, compositions = task.spec.statistics, compositions_of(store)[train]
    batch = store.gather(train)
    known = terms.known(batch) or terms(batch)
    energies = known.energy
    has_atoms = any(name.startswith(PREFIX) for name in statistics)
    if has_atoms and task.spec.record.files.energy_reference == "fitted":
        fitted = fit_atom_energies(compositions, energies)
        task.atom_energies.copy_(column_energies(task.spec) - fitted)
    elif has_atoms:
        per_atom = shift_per_atom(compositions, energies)
        is_element = torch.tensor(task.spec.elements) > 0
        task.atom_energies.copy_(column_energies(task.spec) - per_atom * is_element)
    elif statistics["energy_shift"] != 0.0:
        task.energy_shift.fill_(statistics["energy_shift"] - float(energies.mean()))
    scale = _scale(task, remainder(batch, known._replace(virial=None)), compositions)
    if scale > _SMALLEST * statistics["energy_scale"]:
        task.energy_scale.fill_(scale)


def _scale(task: ReferencedTask, part: GraphBatch, compositions: Tensor) -> float:
    """Root mean square of the force components; without forces, of the energies per atom."""
    known = part.get("has_forces")
    forces = part.forces if known is None else part.forces[known[part.batch]]
    if forces.numel():
        return float(forces.double().square().mean().sqrt())
    rest = part.energy - compositions @ task.atom_energies.cpu() - task.energy_shift.cpu()
    return float((rest / compositions.sum(1)).square().mean().sqrt())
