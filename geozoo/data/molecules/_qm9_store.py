"""The preprocessed file of QM9: all molecules as one memory-mapped graph store."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from geozoo.data.molecules._qm9_bonds import Bonds, ResolvedSource, find_bonds
from geozoo.data.molecules._qm9_files import (
    FREE_ATOMS,
    PROPERTIES,
    Molecule,
    check_free_atoms,
    read_archive,
    read_excluded,
)
from geozoo.data.molecules.units import energy_factor
from geozoo.data.store import GraphStore
from geozoo.files.progress import progress_bar

_LOG = logging.getLogger(__name__)
#: Version of the prepared file; files of other versions are recreated.
_VERSION = "1"
_ENERGIES = ("homo", "lumo", "gap", "zpve", "u0", "u", "h", "g")
#: All properties of a molecule, in the order of the field ``properties``.
COLUMNS = (*PROPERTIES, "u0_atom", "u_atom", "h_atom", "g_atom")


def prepared_path(folder: Path, bonds: str) -> Path:
    """Path of the prepared file with bonds from ``"rdkit"`` or ``"distance"``."""
    return folder / f"prepared_{bonds}.safetensors"


def prepared_header(path: Path) -> Mapping[str, str] | None:
    """Metadata of a prepared file; None if it is missing, corrupt or outdated."""
    header = GraphStore.header(path)
    return header if header and header.get("version") == _VERSION else None


def prepare_store(folder: Path, archive: Path, excluded: Path, bonds: ResolvedSource) -> None:
    """Read the archive and write the prepared file atomically.

    Args:
        folder: folder of ``prepared_<bonds>.safetensors`` and, optionally, ``atomref.txt``.
        archive: ``dsgdb9nsd.xyz.tar.bz2``.
        excluded: ``uncharacterized.txt``.
        bonds: ``"rdkit"`` or ``"distance"``.

    Raises:
        ValueError: If a file is corrupt or has unexpected content.
    """
    check_free_atoms(folder / "atomref.txt")
    left_out = read_excluded(excluded)
    molecules = read_archive(archive, left_out)
    with progress_bar("Finding bonds", len(molecules)) as advance:
        found, source, failed = find_bonds(molecules, bonds, advance)
    store = make_store(molecules, found)
    header = {
        "version": _VERSION,
        "archive_bytes": str(archive.stat().st_size),
        "data_hash": _content_hash(store),
        "bonds": source + (f", distances for {failed}" if failed else ""),
    }
    store.save(prepared_path(folder, bonds), metadata=header)
    _LOG.info("prepared %d molecules, bonds: %s", len(molecules), header["bonds"])


def make_store(molecules: Sequence[Molecule], bonds: Sequence[Bonds]) -> GraphStore:
    """A store of all molecules; energies in eV, positions relative to the molecule's mean."""
    z = np.concatenate([molecule.z for molecule in molecules])
    pos = [molecule.pos - molecule.pos.mean(0) for molecule in molecules]
    described = {
        "hybridization": [each.hybridization for each in bonds],
        "aromatic": [each.aromatic for each in bonds],
        "formal_charge": [each.charge for each in bonds],
        "hydrogens": [
            number_of_hydrogens(molecule, each)
            for molecule, each in zip(molecules, bonds, strict=True)
        ],
    }
    node = {"z": z, "pos": np.concatenate(pos).astype(np.float32)}
    node |= {name: np.concatenate(parts) for name, parts in described.items()}
    graph = {
        "number": np.array([molecule.number for molecule in molecules]),
        "properties": _properties(molecules),
    }
    return GraphStore(
        torch.tensor([len(molecule.z) for molecule in molecules]),
        node={name: torch.from_numpy(values) for name, values in node.items()},
        graph={name: torch.from_numpy(values) for name, values in graph.items()},
        edge={"bond_order": torch.from_numpy(np.concatenate([each.order for each in bonds]))},
        edge_index=torch.from_numpy(np.concatenate([each.pairs for each in bonds], 1)),
        num_edges=torch.tensor([each.pairs.shape[1] for each in bonds]),
    )


def number_of_hydrogens(molecule: Molecule, bonds: Bonds) -> np.ndarray:
    """Number of hydrogens bonded to each atom."""
    first, second = bonds.pairs
    is_hydrogen = molecule.z == 1
    ends = np.concatenate([first[is_hydrogen[second]], second[is_hydrogen[first]]])
    return np.bincount(ends, minlength=len(molecule.z)).astype(np.uint8)


def _properties(molecules: Sequence[Molecule]) -> np.ndarray:
    """``[S, 19]`` in the order of ``COLUMNS``, energies in eV.

    The atomisation energy is the energy of the molecule minus those of its isolated atoms.
    """
    values = np.stack([molecule.properties for molecule in molecules])
    count = {z: np.array([(m.z == z).sum() for m in molecules]) for z in FREE_ATOMS}
    atoms = sum(count[z][:, None] * np.array(energies) for z, energies in FREE_ATOMS.items())
    first = PROPERTIES.index("u0")
    values = np.concatenate([values, values[:, first : first + 4] - atoms], 1)
    for column, name in enumerate(COLUMNS):
        if name.removesuffix("_atom") in _ENERGIES:
            values[:, column] *= energy_factor("hartree") / energy_factor("eV")
    return values


def _content_hash(store: GraphStore) -> str:
    """Hash of indices, atoms, positions and properties, twelve hexadecimal digits."""
    digest = hashlib.sha256()
    fields = [store.graph["number"], store.node["z"], store.node["pos"], store.graph["properties"]]
    for tensor in fields:
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()[:12]
