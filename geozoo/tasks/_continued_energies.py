"""Energies of a potential that continues another one, on data with other reference energies."""

from __future__ import annotations

import torch
from torch import Tensor

from geozoo.data import GraphDataModule, GraphStore
from geozoo.data.molecules.atom_energies import (
    composition_span,
    compositions_of,
    fit_atom_energies,
)
from geozoo.tasks._shares import graphs_of
from geozoo.tasks.potential import Potential

#: Structures evaluated at a time.
_CHUNK = 16


def continue_energies(task: Potential, source: Potential, datamodule: GraphDataModule) -> float:
    """Take over scale and energies of atoms, and fit the latter to new data.

    The new potential then predicts the forces and stresses of the trained one. Its energies differ
    by an energy per element, fitted to the training split, since data of other programs and
    functionals have other energies of free atoms.

    Args:
        task: the new potential, with the weights of the trained one.
        source: the trained potential.
        datamodule: the data, of which the training split is used.

    Returns:
        Root mean square of the remaining energy per atom, in the unit of the data.

    Raises:
        ValueError: If the elements of the two differ, or the new potential has physical terms or
            one scale per element.
    """
    theirs, ours = source.spec.elements, task.spec.elements
    # Columns of elements that do not occur in the training data are 0.
    apart = any(a and b and a != b for a, b in zip(theirs, ours, strict=False))
    if not ours or len(theirs) != len(ours) or apart:
        raise ValueError("the columns of both potentials must stand for the same elements")
    if task.terms is not None or source.terms is not None or task.scale_by != "all":
        raise ValueError("needs task.terms without terms and task.scale_by=all")
    store, train = graphs_of(datamodule.store), datamodule.splits["train"]
    task.energy_scale.copy_(source.energy_scale)
    task.energy_shift.copy_(source.energy_shift)
    task.atom_energies.copy_(source.atom_energies)
    rest = torch.cat([_remaining(task, store, part) for part in train.split(_CHUNK)])
    compositions = compositions_of(store)[train].to(rest)
    fitted = fit_atom_energies(compositions, rest)
    task.atom_energies.add_(fitted.to(task.atom_energies))
    task.composition_span.copy_(composition_span(compositions))
    task.shift_composition.zero_()
    left = (rest - compositions @ fitted) / compositions.sum(1)
    return float(left.square().mean().sqrt())


def _remaining(task: Potential, store: GraphStore, part: Tensor) -> Tensor:
    """Energies that the potential does not explain, in float64 on the CPU."""
    batch = store.gather(part).to(task.energy_scale.device)
    is_training = task.training
    task.eval()
    with torch.enable_grad():
        found = task.scaled_derivatives(batch, create_graph=False).energy.detach().double()
    task.train(is_training)
    explained = found * task.energy_scale + task.offset(batch)
    return (batch.energy.double() - explained).cpu()
