"""Conformers of molecules that are given as SMILES, by RDKit."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np
import torch

from geozoo.data.store import GraphStore
from geozoo.files.folders import check_writable, data_folder
from geozoo.files.progress import progress_bar

_LOG = logging.getLogger(__name__)
#: Version of the procedure; prepared files of other versions are ignored.
_VERSION = "1"
#: Number of molecules from which conformers are kept in the data folder: seconds of work.
_MANY = 100
#: Steps of the force field.
_STEPS = 500


@dataclass(frozen=True)
class Conformer:
    """A molecule with hydrogens.

    Attributes:
        numbers: ``[N]`` atomic numbers.
        pos: ``[N, 3]`` in angstrom.
        charge: total formal charge.
        unpaired: number of unpaired electrons.
    """

    numbers: np.ndarray
    pos: np.ndarray
    charge: int
    unpaired: int


@dataclass(frozen=True)
class Failure:
    """Why there is no conformer.

    Attributes:
        reason: in a few words.
    """

    reason: str


def conformers_of(smiles: Sequence[str], seed: int) -> tuple[list[Conformer | Failure], str]:
    """One conformer per molecule: distance geometry (ETKDGv3), then a force field (MMFF94 or UFF).

    The conformers of many molecules are kept in the data folder, for the same SMILES, seed and
    version of RDKit.

    Args:
        smiles: the molecules; explicit hydrogens are added.
        seed: seed of the distance geometry, the same for every molecule.

    Returns:
        The conformers, and how they were generated.

    Raises:
        ImportError: If RDKit is not installed.
    """
    try:
        import rdkit  # noqa: F401
    except ImportError as error:
        raise ImportError(
            'conformers of SMILES require RDKit: pip install "geozoo[molecules]"'
        ) from error
    how = f"rdkit {metadata.version('rdkit')}, ETKDGv3 and MMFF94 or UFF, seed {seed}"
    distinct = list(dict.fromkeys(smiles))
    found = _kept(distinct, seed, how) if len(distinct) >= _MANY else _generated(distinct, seed)
    by_smiles = dict(zip(distinct, found, strict=True))
    return [by_smiles[each] for each in smiles], how


def _generated(smiles: Sequence[str], seed: int) -> list[Conformer | Failure]:
    from rdkit import rdBase

    found = []
    with rdBase.BlockLogs(), progress_bar("Generating conformers", len(smiles)) as advance:
        for each in smiles:
            found.append(_conformer(each, seed))
            advance(1)
    return found


def _conformer(smiles: str, seed: int) -> Conformer | Failure:
    from rdkit import Chem
    from rdkit.Chem import rdDistGeom

    if not smiles:
        return Failure("empty SMILES")
    molecule = Chem.MolFromSmiles(smiles)
    if molecule is None or not molecule.GetNumAtoms():
        return Failure("invalid SMILES")
    if any(atom.GetAtomicNum() == 0 for atom in molecule.GetAtoms()):
        return Failure("an atom without element (*)")
    molecule = Chem.AddHs(molecule)
    options: Any = rdDistGeom.ETKDGv3()
    options.randomSeed = seed + 1  # RDKit gives the same conformers for 0 and 1
    if rdDistGeom.EmbedMolecule(molecule, options) != 0:
        options.useRandomCoords = True
        if rdDistGeom.EmbedMolecule(molecule, options) != 0:
            return Failure("no 3D embedding found")
    _relax(molecule)
    pos = np.asarray(molecule.GetConformer().GetPositions(), dtype=np.float64)
    if not np.isfinite(pos).all():
        return Failure("no finite positions")
    return Conformer(
        np.array([atom.GetAtomicNum() for atom in molecule.GetAtoms()], dtype=np.int64), pos,
        sum(atom.GetFormalCharge() for atom in molecule.GetAtoms()),
        sum(atom.GetNumRadicalElectrons() for atom in molecule.GetAtoms()),
    )  # fmt: skip


def _relax(molecule: Any) -> None:
    """Relax with MMFF94, with UFF if it lacks parameters; as embedded if both do."""
    from rdkit.Chem import rdForceFieldHelpers as fields

    if fields.MMFFHasAllMoleculeParams(molecule):
        fields.MMFFOptimizeMolecule(molecule, maxIters=_STEPS)
    elif fields.UFFHasAllMoleculeParams(molecule):
        fields.UFFOptimizeMolecule(molecule, maxIters=_STEPS)


def _kept(smiles: Sequence[str], seed: int, how: str) -> list[Conformer | Failure]:
    """As `_generated`, through a file in the data folder."""
    key = hashlib.sha256(json.dumps([_VERSION, how, list(smiles)]).encode()).hexdigest()[:16]
    path = data_folder("molecules") / f"conformers_{key}.safetensors"
    header = GraphStore.header(path)
    if header and header.get("version") == _VERSION:
        _LOG.info("reading the conformers from %s", path)
        return _read(GraphStore.load(path), json.loads(header["failures"]))
    found = _generated(smiles, seed)
    try:
        check_writable(path.parent)
    except OSError as error:
        _LOG.warning("%s; the conformers are generated again by every run", error)
        return found
    good = [each for each in found if isinstance(each, Conformer)]
    if good:
        failures = {i: each.reason for i, each in enumerate(found) if isinstance(each, Failure)}
        metadata = {"version": _VERSION, "failures": json.dumps(failures)}
        _stored(good).save(path, metadata=metadata)
        _LOG.info("kept the conformers in %s", path)
    return found


def _stored(conformers: Sequence[Conformer]) -> GraphStore:
    return GraphStore(
        torch.tensor([len(each.numbers) for each in conformers]),
        node={
            "pos": torch.from_numpy(np.concatenate([each.pos for each in conformers])),
            "z": torch.from_numpy(np.concatenate([each.numbers for each in conformers])),
        },
        graph={
            "charge": torch.tensor([each.charge for each in conformers]),
            "unpaired": torch.tensor([each.unpaired for each in conformers]),
        },
    )


def _read(store: GraphStore, failures: dict[str, str]) -> list[Conformer | Failure]:
    sizes = store.num_nodes.tolist()
    pos, numbers = (store.node[name].split(sizes) for name in ("pos", "z"))
    charges, unpaired = (store.graph[name].tolist() for name in ("charge", "unpaired"))
    good = [
        Conformer(z.numpy(), p.numpy(), charge, free)
        for z, p, charge, free in zip(numbers, pos, charges, unpaired, strict=True)
    ]
    rest = iter(good)
    total = len(good) + len(failures)
    return [Failure(failures[str(i)]) if str(i) in failures else next(rest) for i in range(total)]
