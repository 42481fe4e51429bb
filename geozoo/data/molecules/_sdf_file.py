"""Molecules of an SDF file, with the bonds that it gives them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from geozoo.data.molecules._qm9_bonds import Bonds, described_atoms
from geozoo.files.errors import damage_named

if TYPE_CHECKING:
    from ase import Atoms


def sdf_molecules(path: Path) -> Iterator[tuple[Atoms, Bonds | None]]:
    """Every molecule of a file as a structure of ASE, and its bonds, if it has any.

    Formal charges and unpaired electrons of the file are in ``info``, as are its data fields. No
    valence has to be right, as it is not in every molecule that is drawn or computed; but then no
    hybridisation is known.

    Raises:
        FileNotFoundError: when the file is not there.
        ValueError: for a molecule that cannot be read, or one that is drawn in the plane.
    """
    from rdkit import Chem, rdBase

    if not path.is_file():
        raise FileNotFoundError(f"path: there is no file {path}")
    options = {"sanitize": False, "removeHs": False, "strictParsing": False}
    bare = []
    for number, molecule in enumerate(Chem.SDMolSupplier(str(path), **options)):
        if molecule is None or not molecule.GetNumConformers():
            raise ValueError(f"path: molecule {number} of {path} cannot be read")
        with damage_named(path, "no sdf file in UTF-8"):  # titles and data fields are texts
            is_drawing, atoms = _is_drawing(molecule), _atoms_of(molecule)
        if is_drawing:
            raise ValueError(
                f"path: molecule {number} of {path} is a drawing (it says 2D), which has no "
                "distances: give positions in space"
            )
        with rdBase.BlockLogs():
            is_sound = Chem.SanitizeMol(molecule, catchErrors=True) == 0
        implied = sum(a.GetTotalNumHs() for a in molecule.GetAtoms()) if is_sound else 0
        if implied and molecule.GetNumBonds():
            bare.append(number)
        yield atoms, _bonds_of(molecule, is_sound)
    if bare:
        warnings.warn(
            f"{path.name}: the bonds of {len(bare)} molecules ask for hydrogens that have no "
            f"positions (the first is molecule {bare[0]}): to a network these are not there. Add "
            "them, with positions", stacklevel=2,
        )  # fmt: skip


def _is_drawing(molecule: Any) -> bool:
    """Whether the file itself says that its coordinates are in two dimensions."""
    line = molecule.GetProp("_MolFileInfo") if molecule.HasProp("_MolFileInfo") else ""
    return bool(line[20:22] == "2D" and not molecule.GetConformer().Is3D())


def _atoms_of(molecule: Any) -> Atoms:
    from ase import Atoms

    numbers = [atom.GetAtomicNum() for atom in molecule.GetAtoms()]
    found = Atoms(numbers, molecule.GetConformer().GetPositions())
    found.info.update(molecule.GetPropsAsDict())
    charge = sum(atom.GetFormalCharge() for atom in molecule.GetAtoms())
    unpaired = sum(atom.GetNumRadicalElectrons() for atom in molecule.GetAtoms())
    if charge:
        found.info["charge"] = charge
    if unpaired:
        found.info["unpaired_electrons"] = unpaired
    return found


def _bonds_of(molecule: Any, is_sound: bool) -> Bonds | None:
    """The bonds; None where there are none at all."""
    between = list(molecule.GetBonds())
    if not between:
        return None
    pairs = [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in between]
    order = [bond.GetBondTypeAsDouble() for bond in between]
    described = np.zeros((3, molecule.GetNumAtoms()), dtype=np.int8)
    if is_sound:
        heavy = [atom.GetIdx() for atom in molecule.GetAtoms() if atom.GetAtomicNum() > 1]
        described[:, heavy] = described_atoms([molecule.GetAtomWithIdx(k) for k in heavy])
    return Bonds(np.array(pairs).T, np.array(order, dtype=np.float32), *described)
