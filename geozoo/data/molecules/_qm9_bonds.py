"""Covalent bonds of QM9 molecules, from SMILES by RDKit or from distances."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np
import torch

from geozoo.data.molecules._qm9_files import Molecule
from geozoo.data.molecules.bonds import bond_orders

BondSource = Literal["auto", "rdkit", "distance"]
#: A source that `resolve_bond_source` returns.
ResolvedSource = Literal["rdkit", "distance"]
#: Values of `Bonds.hybridization`.
_HYBRIDIZATIONS = {"SP": 1, "SP2": 2, "SP3": 3}


@dataclass(frozen=True)
class Bonds:
    """The bonds of a molecule of ``n`` atoms.

    Attributes:
        pairs: ``[2, b]`` atoms of each bond, listed once.
        order: ``[b]`` 1, 2, 3, or 1.5 for aromatic bonds.
        hybridization: ``[n]`` 1, 2, 3 for sp, sp2, sp3; 0 if unknown, and for hydrogen.
        aromatic: ``[n]`` whether an atom is part of an aromatic ring; 0 if unknown.
        charge: ``[n]`` formal charge; 0 if unknown.
    """

    pairs: np.ndarray
    order: np.ndarray
    hybridization: np.ndarray
    aromatic: np.ndarray = field(repr=False)
    charge: np.ndarray = field(repr=False)


def resolve_bond_source(source: BondSource) -> ResolvedSource:
    """Resolve ``"auto"`` to RDKit if it is installed, and to distances otherwise.

    Raises:
        ImportError: If the source is ``"rdkit"`` and RDKit is not installed.
    """
    is_installed = find_spec("rdkit") is not None
    if source == "rdkit" and not is_installed:
        raise ImportError('bonds=rdkit requires RDKit: pip install "geozoo[molecules]"')
    if source == "auto":
        return "rdkit" if is_installed else "distance"
    return source


def find_bonds(
    molecules: Sequence[Molecule], source: ResolvedSource, advance: Callable[[int], object]
) -> tuple[list[Bonds], str, int]:
    """The bonds of every molecule.

    Args:
        molecules: the molecules.
        source: ``"rdkit"``: bonds between heavy atoms are those of the SMILES, whose atoms are in
            file order, and each hydrogen is bonded to the nearest heavy atom. If the hydrogen
            counts then differ from the SMILES, or the SMILES cannot be parsed, bonds come from
            distances. ``"distance"``: always from distances.
        advance: called with 1 for each molecule.

    Returns:
        The bonds, the method with its version, and the number of molecules for which RDKit failed.
    """
    version = f"rdkit {metadata.version('rdkit')}" if source == "rdkit" else "distances"
    found, failed = [], 0
    for molecule in molecules:
        bonds = _from_smiles(molecule) if source == "rdkit" else None
        failed += bonds is None and source == "rdkit"
        found.append(bonds or bonds_from_distances(molecule))
        advance(1)
    return found, version, failed


def hydrogens_of_nearest(molecule: Molecule) -> Bonds:
    """Bonds of hydrogens only, each to the nearest heavy atom; from distances if there is none."""
    heavy, hydrogen = np.flatnonzero(molecule.z > 1), np.flatnonzero(molecule.z == 1)
    if not len(heavy):
        return bonds_from_distances(molecule)
    pairs = np.stack([heavy[_nearest(molecule, heavy, hydrogen)], hydrogen])
    nothing = np.zeros(len(molecule.z), dtype=np.int8)
    return Bonds(pairs, np.ones(len(hydrogen), dtype=np.float32), nothing, nothing, nothing)


def _nearest(molecule: Molecule, heavy: np.ndarray, hydrogen: np.ndarray) -> np.ndarray:
    """For each hydrogen, the index of the nearest heavy atom within the heavy atoms."""
    apart = molecule.pos[hydrogen, None] - molecule.pos[None, heavy]
    return np.square(apart).sum(-1).argmin(1)


def bonds_from_distances(molecule: Molecule) -> Bonds:
    """Bonds by `bond_orders`, without hybridisation, aromaticity and charge."""
    first, second = np.triu_indices(len(molecule.z), 1)
    distance = np.linalg.norm(molecule.pos[first] - molecule.pos[second], axis=1)
    z = torch.from_numpy(molecule.z.astype(np.int64))
    order = bond_orders(torch.from_numpy(distance), z[first], z[second]).numpy()
    is_bond = order > 0
    nothing = np.zeros(len(molecule.z), dtype=np.int8)
    pairs = np.stack([first[is_bond], second[is_bond]])
    return Bonds(pairs, order[is_bond].astype(np.float32), nothing, nothing, nothing)


def _from_smiles(molecule: Molecule) -> Bonds | None:
    """Bonds by RDKit; None if SMILES and geometry are inconsistent."""
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        graph = Chem.MolFromSmiles(molecule.smiles)
    heavy, hydrogen = np.flatnonzero(molecule.z > 1), np.flatnonzero(molecule.z == 1)
    atoms = [] if graph is None else list(graph.GetAtoms())
    if not atoms or [atom.GetAtomicNum() for atom in atoms] != molecule.z[heavy].tolist():
        return None
    owner = _nearest(molecule, heavy, hydrogen)
    count = np.bincount(owner, minlength=len(heavy)).tolist()
    if count != [atom.GetTotalNumHs() for atom in atoms]:
        return None
    between = list(graph.GetBonds())
    skeleton = [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in between]
    heavy_pairs = heavy[np.array(skeleton, dtype=np.int64).reshape(-1, 2).T]
    pairs = np.concatenate([heavy_pairs, np.stack([heavy[owner], hydrogen])], 1)
    order = [*(bond.GetBondTypeAsDouble() for bond in between), *[1.0] * len(hydrogen)]
    described = np.zeros((3, len(molecule.z)), dtype=np.int8)
    described[:, heavy] = described_atoms(atoms)
    return Bonds(pairs, np.array(order, dtype=np.float32), *described)


def described_atoms(atoms: Sequence[Any]) -> np.ndarray:
    """Hybridisation, aromaticity and formal charge ``[3, n]`` of RDKit atoms."""
    return np.array(
        [
            [_HYBRIDIZATIONS.get(atom.GetHybridization().name, 0) for atom in atoms],
            [atom.GetIsAromatic() for atom in atoms],
            [atom.GetFormalCharge() for atom in atoms],
        ],
        dtype=np.int8,
    )
