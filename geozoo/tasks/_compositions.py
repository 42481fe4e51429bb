"""Free-atom energies, and error messages for compositions with undetermined energy."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from geozoo.data import GeometricSpec
from geozoo.data.molecules.atom_energies import PREFIX, formula

_ADVICE = (
    "Train with energies of free atoms (dataset.atom_energies={H: ..., ...}, or frames with "
    "config_type=IsolatedAtom), or set any_composition=true, which leaves an unknown energy offset "
    "per composition"
)
_SHOWN = 3


def undetermined(
    compositions: Tensor, elements: Sequence[int], numbers: Sequence[int], is_listed: bool
) -> str:
    """Error message: compositions with undetermined energy, the reason, and remedies.

    Args:
        compositions: number of atoms per column of ``x``, ``[S, C]``.
        elements: atomic number of each column; 0: an element missing from the training split.
        numbers: as ``elements``, with the numbers of the missing elements where they are known.
        is_listed: whether energies are valid only for the compositions of the training split,
            which has no energies of free atoms.
    """
    rows = compositions.unique(dim=0)
    shown = ", ".join(formula(row, numbers) for row in rows[:_SHOWN].tolist())
    if len(rows) > _SHOWN:
        shown += f" and {len(rows) - _SHOWN} more"
    new = [k for k, number in enumerate(elements) if not number and bool(rows[:, k].any())]
    if new:
        names = _symbols([numbers[k] for k in new]) or "one of these elements"
        return (
            f"{shown}: the training split does not contain {names}, only {_symbols(elements)}. "
            f"Train on structures with {names}, or remove these structures"
        )
    why = "the training energies do not determine the energies of these compositions"
    if is_listed:
        why = (
            "the model has no energies of free atoms, and its mean energy is valid only for the "
            f"compositions of its training split: {why}"
        )
    return f"{shown}: {why}. {_ADVICE}"


def _symbols(numbers: Sequence[int]) -> str:
    """Chemical symbols of the nonzero atomic numbers."""
    from ase.data import chemical_symbols

    return ", ".join(chemical_symbols[number] for number in sorted(numbers) if number)


def column_energies(spec: GeometricSpec) -> Tensor:
    """Free-atom energy in meV of each column of ``x`` ``[C]``, including the shift per atom."""
    known = {k.removeprefix(PREFIX): v for k, v in spec.statistics.items() if k.startswith(PREFIX)}
    values = torch.zeros(spec.node_channels, dtype=torch.float64)
    if known:
        from ase.data import chemical_symbols

        per_atom = spec.statistics.get("energy_shift_per_atom", 0.0)
        for column, number in enumerate(spec.elements):
            if number:
                values[column] = known.get(chemical_symbols[number], 0.0) + per_atom
    return values
