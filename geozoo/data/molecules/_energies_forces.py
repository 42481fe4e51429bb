"""Data specifications of datasets with energies and forces."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from geozoo.data._graph_inputs import range_statistics
from geozoo.data.batch import GraphBatch
from geozoo.data.molecules.atom_energies import (
    COMPOSITIONS,
    FORCE_SCALE,
    AtomEnergies,
    compositions_of,
    shift_per_atom,
)
from geozoo.data.record import DataRecord
from geozoo.data.scalers import energy_force_statistics
from geozoo.data.spec import GeometricSpec
from geozoo.data.store import GraphStore

#: Energies that vary by less, relative to the largest, vary by rounding errors.
_SMALLEST_SPREAD = 1e-12
_UNITS = {
    "pos": "angstrom",
    "x": "1",
    "z": "1",
    "energy": "meV",
    "forces": "meV/angstrom",
    "cell": "angstrom",
    "pbc": "1",
    "stress": "meV/angstrom^3",
    "has_forces": "1",
    "has_stress": "1",
    "atom_energies": "meV",
    "has_atom_energies": "1",
    "dipole": "e*angstrom",
    "has_dipole": "1",
    "weight": "1",
    "charge": "e",
    "group": "1",
    "spin": "1",
    "frame": "1",
}


def energy_force_spec(
    store: GraphStore,
    train: Tensor,
    *,
    elements: tuple[int, ...],
    record: DataRecord,
    atoms: AtomEnergies | None = None,
    graph_inputs: tuple[str, ...] = (),
) -> GeometricSpec:
    """Specification of atomic graphs with one energy each and a force on every atom.

    Args:
        store: fields ``pos`` (angstrom), ``x`` (one column per species), ``z``, ``forces``
            (meV/angstrom), and per graph ``energy`` (meV) and ``frame``; optionally those of
            periodic structures, see `geozoo.data.ExtXYZ`.
        train: ``[S]`` indices of the training split, from which statistics are computed.
        elements: atomic number of each column of ``x``; the specification has 0 for elements
            absent from the training split, which no model can have learned.
        record: the data record.
        atoms: atomic reference energies by element symbol. The shift is then per atom (0 for
            fitted energies, which leave no residual mean), so that energies are size-extensive;
            None: one shift for every graph, the mean energy.
        graph_inputs: graph fields that are inputs, see `GeometricSpec`.

    The energy scale is the root mean square of the force components of training structures that
    have forces. If none has, it is that of the energies per atom, after subtracting the reference
    energies. ``force_scale_<z>`` is the root mean square of the force components on atoms with
    atomic number ``z``, if any is known; ``dipole_scale`` that of the components of the dipoles.

    Raises:
        ValueError: If neither determines a scale.
    """
    part = store.gather(train)
    return GeometricSpec(
        level="graph",
        dim=3,
        in_channels=part.x.shape[1] + len(graph_inputs),
        out_channels=1,
        vector_fields=("pos", "forces", *(name for name in ("cell", "dipole") if name in part)),
        tensor_fields=("stress",) if "stress" in part else (),
        target="energy",
        elements=tuple(z if seen else 0 for z, seen in zip(elements, part.x.any(0), strict=True)),
        units=_units(part, len(store.num_nodes.unique())),
        statistics={
            **_statistics(part, compositions_of(store)[train], elements, atoms),
            **_further_scales(part, elements),
            **range_statistics({name: getattr(part, name) for name in graph_inputs}, graph_inputs),
        },
        record=record,
        graph_inputs=graph_inputs,
    )


def _further_scales(part: GraphBatch, elements: tuple[int, ...]) -> dict[str, float]:
    """The scale of each element, and the scale of dipoles."""
    squares = part.forces.double().square().mean(1)
    known = part.has_forces[part.batch] if "has_forces" in part else torch.ones_like(squares) > 0
    found: dict[str, float] = {}
    for column, number in enumerate(elements):
        scale = squares[known & (part.x[:, column] > 0)].mean().sqrt()
        if number and scale > 0:  # NaN if there is none
            found[f"{FORCE_SCALE}{number}"] = float(scale)
    if "dipole" in part and bool(part.has_dipole.any()):
        found["dipole_scale"] = float(part.dipole[part.has_dipole].square().mean().sqrt())
    return found


def _units(part: GraphBatch, num_sizes: int) -> dict[str, str]:
    units = {name: unit for name, unit in _UNITS.items() if name in part}
    # Total energies of structures of different size are not comparable.
    return {**units, "energy_per_atom": "meV/atom"} if num_sizes > 1 else units


def _statistics(
    part: GraphBatch, compositions: Tensor, elements: tuple[int, ...], atoms: AtomEnergies | None
) -> dict[str, Any]:
    """Statistics of the training structures, forces of those that have forces."""
    if atoms is None or atoms.kind == "none":
        found = _shift_and_scale(part, part.energy - part.energy.mean(), compositions)
        # A shift per graph is valid for these compositions only, not for their sums or differences.
        return {**found, COMPOSITIONS: compositions.unique(dim=0).to(torch.int64).tolist()}
    from ase.data import chemical_symbols

    values = [atoms.values.get(chemical_symbols[z], 0.0) if z else 0.0 for z in elements]
    rest = part.energy - compositions @ torch.tensor(values, dtype=torch.float64)
    per_atom = 0.0 if atoms.kind == "fitted" else shift_per_atom(compositions, rest)
    rest = rest - per_atom * compositions.sum(1)
    found = _shift_and_scale(part, rest, compositions)
    return {**found, "energy_shift": 0.0, "energy_shift_per_atom": per_atom, **atoms.statistics}


def _shift_and_scale(part: GraphBatch, rest: Tensor, compositions: Tensor) -> dict[str, float]:
    """Shift and scale from forces; without any, the scale from energies per atom.

    Args:
        part: the training structures.
        rest: ``[S]`` energies minus everything that a potential adds to its network.
        compositions: ``[S, C]`` number of atoms of each element.
    """
    if "has_forces" not in part:
        return energy_force_statistics(part.energy, part.forces)
    known = part.has_forces
    if bool(known.any()):
        return energy_force_statistics(part.energy, part.forces[known[part.batch]])
    per_atom = rest / compositions.sum(1)
    scale = float(per_atom.square().mean().sqrt())
    if not scale > _SMALLEST_SPREAD * float(part.energy.abs().max()):
        raise ValueError(
            "the training structures have no forces, and their energies per atom do not vary "
            "beyond the reference energies: they cannot determine the energy scale. Add structures "
            "with other energies, or with forces"
        )
    return {"energy_shift": float(part.energy.mean()), "energy_scale": scale}
