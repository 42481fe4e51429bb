"""What atoms add to an energy, and why a potential has none for some compositions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from geozoo.data import GeometricSpec
from geozoo.data.molecules.atom_energies import PREFIX, formula

_ADVICE = (
    "Train with energies of free atoms (dataset.atom_energies={H: ..., ...}, or frames with "
    "config_type=IsolatedAtom), or take any_composition=true, which leaves the energies wrong by a "
    "constant of the composition"
)
_SHOWN = 3


def undetermined(
    compositions: Tensor, elements: Sequence[int], numbers: Sequence[int], is_listed: bool
) -> str:
    """Which compositions the training does not determine, why, and what helps.

    Args:
        compositions: ``[S, C]`` atoms of each column.
        elements: atomic number of each column; 0: an element that the training never had.
        numbers: the same, with the numbers of those elements as far as they are known.
        is_listed: whether energies hold for the compositions of the training alone, which has no
            energies of free atoms.
    """
    rows = compositions.unique(dim=0)
    shown = ", ".join(formula(row, numbers) for row in rows[:_SHOWN].tolist())
    if len(rows) > _SHOWN:
        shown += f" and {len(rows) - _SHOWN} more"
    new = [k for k, number in enumerate(elements) if not number and bool(rows[:, k].any())]
    if new:
        names = _symbols([numbers[k] for k in new]) or "one of their elements"
        return (
            f"{shown}: the training part has no {names}, only {_symbols(elements)}, so that "
            f"nothing is known of {names}. Train on structures with it, or leave these out"
        )
    why = "the training energies do not determine those of such compositions"
    if is_listed:
        why = (
            "the model has no energies of free atoms, and its mean energy holds for the "
            f"compositions of its training alone: {why}"
        )
    return f"{shown}: {why}. {_ADVICE}"


def _symbols(numbers: Sequence[int]) -> str:
    """Chemical symbols of those numbers that are known."""
    from ase.data import chemical_symbols

    return ", ".join(chemical_symbols[number] for number in sorted(numbers) if number)


def column_energies(spec: GeometricSpec) -> Tensor:
    """The energy in meV of a free atom of each column of ``x``, with the shift per atom."""
    known = {k.removeprefix(PREFIX): v for k, v in spec.statistics.items() if k.startswith(PREFIX)}
    values = torch.zeros(spec.in_channels, dtype=torch.float64)
    if known:
        from ase.data import chemical_symbols

        per_atom = spec.statistics.get("energy_shift_per_atom", 0.0)
        for column, number in enumerate(spec.elements):
            if number:
                values[column] = known.get(chemical_symbols[number], 0.0) + per_atom
    return values
