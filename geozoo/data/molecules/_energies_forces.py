"""What the data sets of energies and forces tell models and tasks."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from geozoo.data.molecules.atom_energies import (
    COMPOSITIONS,
    AtomEnergies,
    compositions_of,
    shift_per_atom,
)
from geozoo.data.record import DataRecord
from geozoo.data.scalers import energy_force_statistics
from geozoo.data.spec import GeometricSpec
from geozoo.data.store import GraphStore


def energy_force_spec(
    store: GraphStore,
    train: Tensor,
    *,
    elements: tuple[int, ...],
    record: DataRecord,
    atoms: AtomEnergies | None = None,
) -> GeometricSpec:
    """Describe graphs of atoms with one energy each and a force on every atom.

    Args:
        store: fields ``pos`` (angstrom), ``x`` (one column a species), ``z``, ``forces``
            (meV/angstrom), and per graph ``energy`` (meV) and ``frame``.
        train: ``[S]`` graphs of the training part, whose statistics count.
        elements: atomic number of each column of ``x``; of one that the training part never has,
            the description says 0, as no model can have learned it.
        record: what makes a number comparable.
        atoms: energies of free atoms, by the symbols of the columns. The shift is then one per
            atom (0 for fitted energies, which leave none), so that energies grow with the system;
            None: one shift for every graph, the mean energy.
    """
    part = store.gather(train)
    return GeometricSpec(
        level="graph",
        dim=3,
        in_channels=part.x.shape[1],
        out_channels=1,
        vector_fields=("pos", "forces"),
        target="energy",
        elements=tuple(z if seen else 0 for z, seen in zip(elements, part.x.any(0), strict=True)),
        units={
            "pos": "angstrom",
            "x": "1",
            "z": "1",
            "energy": "meV",
            "forces": "meV/angstrom",
            "frame": "1",
        },
        statistics=_statistics(store, train, elements, atoms),
        record=record,
    )


def _statistics(
    store: GraphStore, train: Tensor, elements: tuple[int, ...], atoms: AtomEnergies | None
) -> dict[str, Any]:
    part = store.gather(train)
    found = energy_force_statistics(part.energy, part.forces)
    compositions = compositions_of(store)[train]
    if atoms is None or atoms.kind == "none":
        # One shift for every graph holds for these alone, whatever their sums and differences are.
        return {**found, COMPOSITIONS: compositions.unique(dim=0).to(torch.int64).tolist()}
    from ase.data import chemical_symbols

    values = [atoms.values.get(chemical_symbols[z], 0.0) if z else 0.0 for z in elements]
    rest = part.energy - compositions @ torch.tensor(values, dtype=torch.float64)
    per_atom = 0.0 if atoms.kind == "fitted" else shift_per_atom(compositions, rest)
    return {**found, "energy_shift": 0.0, "energy_shift_per_atom": per_atom, **atoms.statistics}
