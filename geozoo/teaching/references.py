"""Energies of free atoms for a student, such that its energies are those of its teacher."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from geozoo.engines import PotentialEvaluator

if TYPE_CHECKING:
    from ase import Atoms

Reference = Literal["auto", "isolated", "fitted"]


class References(NamedTuple):
    """The reference energies of a student.

    Attributes:
        energies: energy of an isolated atom by chemical symbol, in eV, by the teacher; None: they
            are fitted to the training structures.
        reason: why, for the report.
    """

    energies: dict[str, float] | None
    reason: str


def reference_energies(
    teacher: PotentialEvaluator, frames: Sequence[Atoms], wanted: Reference = "auto"
) -> References:
    """Choose the reference energies of a student.

    Either choice gives the energies of the teacher on the compositions of the training structures.
    A fit leaves the smallest remainder to the network, but determines only combinations of these
    compositions; isolated atoms are defined for any.

    Args:
        teacher: the potential that labels.
        frames: the training structures.
        wanted: ``"isolated"``: energies of isolated atoms by the teacher; ``"fitted"``: a
            least-squares fit to the training energies; ``"auto"``: the fit if the training
            structures determine the energy of every element, else isolated atoms if the teacher
            accepts them, else the fit.

    Raises:
        ValueError: If isolated atoms are wanted and the teacher does not accept them.
    """
    numbers = sorted({int(z) for atoms in frames for z in atoms.numbers})
    counts = np.array([[(atoms.numbers == z).sum() for z in numbers] for atoms in frames])
    is_complete = np.linalg.matrix_rank(np.unique(counts, axis=0)) == len(numbers)
    if wanted == "fitted":
        return References(None, "fitted to the training energies, as requested")
    if wanted == "auto" and is_complete:
        return References(
            None, "fitted to the training energies, which determine the energy of every element"
        )
    try:
        energies = _isolated(teacher, numbers)
    except ValueError as error:
        if wanted == "isolated":
            raise ValueError(
                f"reference=isolated: {teacher.name} does not accept isolated atoms: {error}"
            ) from error
        return References(
            None,
            "fitted to the training energies, valid for combinations of the training compositions "
            f"only: {teacher.name} does not accept isolated atoms",
        )
    return References(energies, f"isolated atoms of {teacher.name}")


def _isolated(teacher: PotentialEvaluator, numbers: Sequence[int]) -> dict[str, float]:
    from ase.data import chemical_symbols

    return {
        chemical_symbols[number]: teacher.evaluate([[0.0, 0.0, 0.0]], [number]).energy
        for number in numbers
    }
