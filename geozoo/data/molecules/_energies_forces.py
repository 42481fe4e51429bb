"""Data specifications of datasets with energies and forces."""

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
    """Specification of atomic graphs with one energy each and a force on every atom.

    Args:
        store: fields ``pos`` (angstrom), ``x`` (one column per species), ``z``, ``forces``
            (meV/angstrom), and per graph ``energy`` (meV) and ``frame``.
        train: ``[S]`` indices of the training split, from which statistics are computed.
        elements: atomic number of each column of ``x``; the specification has 0 for elements
            absent from the training split, which no model can have learned.
        record: the data record.
        atoms: atomic reference energies by element symbol. The shift is then per atom (0 for
            fitted energies, which leave no residual mean), so that energies are size-extensive;
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
        # A shift per graph is valid for these compositions only, not for their sums or differences.
        return {**found, COMPOSITIONS: compositions.unique(dim=0).to(torch.int64).tolist()}
    from ase.data import chemical_symbols

    values = [atoms.values.get(chemical_symbols[z], 0.0) if z else 0.0 for z in elements]
    rest = part.energy - compositions @ torch.tensor(values, dtype=torch.float64)
    per_atom = 0.0 if atoms.kind == "fitted" else shift_per_atom(compositions, rest)
    return {**found, "energy_shift": 0.0, "energy_shift_per_atom": per_atom, **atoms.statistics}
