"""Reading molecules with bonds from SDF files."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from geozoo.data.molecules._qm9_bonds import Bonds, described_atoms
from geozoo.files.errors import corrupt_file_errors

if TYPE_CHECKING:
    from ase import Atoms


def sdf_molecules(path: Path) -> Iterator[tuple[Atoms, Bonds | None]]:
    """Every molecule of a file as an ASE structure, and its bonds, if it has any.

    Formal charges, unpaired electrons and data fields of the file are stored in ``info``. Valences
    need not be valid, as they are not in every drawn or computed molecule; hybridisation is then
    unknown.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If a molecule cannot be read, or has two-dimensional coordinates.
    """
    from rdkit import Chem, rdBase

    if not path.is_file():
        raise FileNotFoundError(f"path: there is no file {path}")
    options = {"sanitize": False, "removeHs": False, "strictParsing": False}
    bare = []
    for number, molecule in enumerate(Chem.SDMolSupplier(str(path), **options)):
        if molecule is None or not molecule.GetNumConformers():
            raise ValueError(f"path: molecule {number} of {path} cannot be read")
        with corrupt_file_errors(path, "not an SDF file in UTF-8"):  # decodes titles, data fields
            is_drawing, atoms = _is_drawing(molecule), _atoms_of(molecule)
        if is_drawing:
            raise ValueError(
                f"path: molecule {number} of {path} is a 2D drawing; 3D coordinates are required"
            )
        with rdBase.BlockLogs():
            is_sound = Chem.SanitizeMol(molecule, catchErrors=True) == 0
        implied = sum(a.GetTotalNumHs() for a in molecule.GetAtoms()) if is_sound else 0
        if implied and molecule.GetNumBonds():
            bare.append(number)
        yield atoms, _bonds_of(molecule, is_sound)
    if bare:
        warnings.warn(
            f"{path.name}: {len(bare)} molecules have implicit hydrogens (the first is molecule "
            f"{bare[0]}), which a model does not see. Add explicit hydrogens with positions",
            stacklevel=2,
        )  # fmt: skip


def _is_drawing(molecule: Any) -> bool:
    """Whether the file declares two-dimensional coordinates."""
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
    """The bonds; None if there are none."""
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
