"""Dipole moments of isolated structures: units, and the origin of charged ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from geozoo.data.molecules._frame_cells import Cell
from geozoo.data.molecules.units import LENGTH_TO_ANGSTROM

if TYPE_CHECKING:
    from ase import Atoms

#: Factors to e angstrom. 1 debye is 1e-18 statcoulomb cm.
DIPOLE_TO_E_ANGSTROM = {
    "e*angstrom": 1.0, "e*bohr": LENGTH_TO_ANGSTROM["bohr"], "debye": 0.20819433270935,
}  # fmt: skip
DipoleUnit = Literal["e*angstrom", "e*bohr", "debye"]
#: The point that the dipole of a charged structure refers to.
DipoleOrigin = Literal["zero", "centre_of_mass", "mean_position"]


def dipole_obstacle(
    atoms: Atoms, cell: Cell | None, charge: float | None, origin: DipoleOrigin | None
) -> str:
    """Why a structure has no definite dipole; empty if it has one.

    Args:
        atoms: the structure.
        cell: its cell; None for an isolated structure, or if the cell is ignored.
        charge: total charge; None: unknown, taken as neutral.
        origin: origin of the dipoles of charged structures, if it is known.
    """
    if cell is not None:
        return "it is periodic, and only isolated structures have a definite dipole"
    if charge and origin is None:
        return (
            f"its charge is {charge:g}, and the dipole of a charged structure depends on the "
            "origin: set labels.dipole_origin to zero (of the coordinates), centre_of_mass or "
            "mean_position"
        )
    return ""


def centred_dipole(
    dipole: np.ndarray, atoms: Atoms, pos: np.ndarray, charge: float | None,
    origin: DipoleOrigin | None,
) -> np.ndarray:  # fmt: skip
    """The dipole relative to the mean position, which matters for charged structures only.

    Args:
        dipole: ``[3]`` in e angstrom.
        atoms: the structure, for its masses.
        pos: ``[N, 3]`` positions in angstrom, in the coordinates of the file.
        charge: total charge.
        origin: what ``dipole`` refers to.
    """
    if not charge or origin == "mean_position":
        return dipole
    known = np.zeros(3)
    if origin == "centre_of_mass":
        known = np.average(pos, axis=0, weights=atoms.get_masses())
    return dipole - charge * (pos.mean(0) - known)
