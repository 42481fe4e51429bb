"""Stability, connectedness, validity, uniqueness and novelty of generated molecules."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from geozoo.data.molecules import bond_orders
from geozoo.geometry import complete_pairs, edge_vectors
from geozoo.ops import scatter

#: Sum of bond orders that makes an atom stable, by atomic number.
VALENCES: Mapping[int, int] = {1: 1, 6: 4, 7: 3, 8: 2, 9: 1}


@dataclass(frozen=True)
class MoleculeBonds:
    """Bonds of a batch of molecules, inferred from distances.

    Attributes:
        pairs: ``[2, B]`` atoms of each bond, listed once, as indices into the whole batch.
        order: ``[B]`` bond orders 1, 2 or 3.
        stable_atoms: ``[N]`` whether the bond orders of an atom add up to its valence.
        stable: ``[G]`` whether all atoms of a molecule are stable.
        connected: ``[G]`` whether bonds join all atoms of a molecule.
    """

    pairs: Int[Tensor, "2 B"]
    order: Int[Tensor, " B"]
    stable_atoms: Tensor
    stable: Tensor
    connected: Tensor


def molecule_bonds(
    pos: Float[Tensor, "N 3"], z: Int[Tensor, " N"], batch: Int[Tensor, " N"], num_graphs: int
) -> MoleculeBonds:
    """Infer bonds by `geozoo.data.bond_orders`, and the stability of atoms and molecules.

    Args:
        pos: positions in angstrom.
        z: atomic numbers of H, C, N, O and F.
        batch: molecule of each atom, sorted.
        num_graphs: number of molecules.

    Raises:
        ValueError: If another element occurs.

    Reference:
        E. Hoogeboom et al., ICML 2022, arXiv:2203.17003, appendix E.
    """
    pairs = complete_pairs(batch, num_graphs)
    distance = edge_vectors(pos, pairs[0], pairs[1]).norm(dim=-1)
    order = bond_orders(distance, z[pairs[0]], z[pairs[1]])
    pairs, order = pairs[:, order > 0], order[order > 0]
    total = scatter(order, pairs[0], len(z)) + scatter(order, pairs[1], len(z))
    valence = torch.zeros(10, dtype=torch.int64, device=z.device)
    for number, bonds in VALENCES.items():
        valence[number] = bonds
    stable_atoms = total == valence[z]
    unstable = scatter((~stable_atoms).long(), batch, num_graphs)
    connected = _connected(pairs, batch, num_graphs)
    return MoleculeBonds(pairs, order, stable_atoms, unstable == 0, connected)


def _connected(pairs: Tensor, batch: Tensor, num_graphs: int) -> Tensor:
    """Whether bonds join all atoms of each molecule: the first atom is reached from all others."""
    least = torch.arange(len(batch), device=batch.device)
    ends, others = torch.cat([pairs, pairs.flip(0)], 1)
    while True:  # every atom takes the smallest number among itself and its neighbours
        after = least.scatter_reduce(0, ends, least[others], "amin")
        if torch.equal(after, least):
            break
        least = after
    roots = least == torch.arange(len(batch), device=batch.device)
    return scatter(roots.long(), batch, num_graphs) == 1


def molecule_smiles(
    pos: Float[Tensor, "N 3"], z: Int[Tensor, " N"], batch: Int[Tensor, " N"], num_graphs: int
) -> list[str | None]:
    """Canonical SMILES of each molecule, with bonds from distances; None if invalid.

    A molecule is valid if RDKit can sanitise it. The SMILES are those of the largest fragment,
    without hydrogens and without stereochemistry. They do not depend on the order of the atoms:
    RDKit reads and writes them once more, and of fragments of equal size the one with the first
    SMILES counts. So molecules of the training split are never novel, however they are given.

    Raises:
        ImportError: If RDKit is not installed.
    """
    from rdkit import Chem, rdBase

    bonds = molecule_bonds(pos, z, batch, num_graphs)
    found: list[str | None] = []
    with rdBase.BlockLogs():
        for molecule in rdkit_molecules(z, batch, num_graphs, bonds):
            try:
                pieces = Chem.GetMolFrags(molecule, asMols=True, sanitizeFrags=True)
                Chem.SanitizeMol(molecule)
                most = max(piece.GetNumAtoms() for piece in pieces)
                largest = [piece for piece in pieces if piece.GetNumAtoms() == most]
                found.append(min(map(_canonical, largest)))
            except (ValueError, RuntimeError):  # base classes of RDKit's sanitisation errors
                found.append(None)
    return found


def _canonical(molecule: Any) -> str:
    """Canonical SMILES, written twice: one writing may depend on the order of the atoms."""
    from rdkit import Chem

    text = Chem.MolToSmiles(Chem.RemoveHs(molecule))
    again = Chem.MolFromSmiles(text)
    return text if again is None else Chem.MolToSmiles(again)


def rdkit_molecules(
    z: Tensor, batch: Tensor, num_graphs: int, bonds: MoleculeBonds, pos: Tensor | None = None
) -> list:
    """Each molecule as an unsanitised RDKit ``RWMol``.

    Args:
        z: atomic numbers.
        batch: molecule of each atom, sorted.
        num_graphs: number of molecules.
        bonds: their bonds.
        pos: positions in angstrom, which become a conformer; None: no coordinates.
    """
    from rdkit import Chem

    kinds = {1: Chem.BondType.SINGLE, 2: Chem.BondType.DOUBLE, 3: Chem.BondType.TRIPLE}
    numbers = z.tolist()
    counts = torch.bincount(batch, minlength=num_graphs).tolist()
    owner = batch[bonds.pairs[0]].tolist()
    molecules, first = [], []
    start = 0
    for count in counts:
        molecule = Chem.RWMol()
        for number in numbers[start : start + count]:
            molecule.AddAtom(Chem.Atom(number))
        molecules.append(molecule)
        first.append(start)
        start += count
    for (a, b), order, graph in zip(
        bonds.pairs.T.tolist(), bonds.order.tolist(), owner, strict=True
    ):
        molecules[graph].AddBond(a - first[graph], b - first[graph], kinds[order])
    if pos is not None:
        parts = pos.detach().cpu().double().split(counts)
        for molecule, part in zip(molecules, parts, strict=True):
            conformer = Chem.Conformer(len(part))
            conformer.SetPositions(np.ascontiguousarray(part.numpy()))
            molecule.AddConformer(conformer)
    return molecules


def generation_scores(
    smiles: Sequence[str | None], known: Collection[str | None] | None
) -> dict[str, float]:
    """Validity, uniqueness and novelty in per cent.

    Args:
        smiles: result of `molecule_smiles`.
        known: SMILES of the training molecules, computed the same way; None: novelty is not
            computed.

    Returns:
        ``validity``: valid / all; ``uniqueness``: unique / valid; ``valid_unique``: unique / all;
        ``novelty``: unique and not in the training set / unique. Zero if the denominator is zero.

    >>> generation_scores(["C", "C", None, "O"], {"O"})["validity"]
    75.0
    """
    valid = [text for text in smiles if text is not None]
    unique = set(valid)
    scores = {
        "validity": _percent(len(valid), len(smiles)),
        "uniqueness": _percent(len(unique), len(valid)),
        "valid_unique": _percent(len(unique), len(smiles)),
    }
    if known is not None:
        scores["novelty"] = _percent(len(unique.difference(known)), len(unique))
    return scores


def _percent(part: int, whole: int) -> float:
    return 100.0 * part / whole if whole else 0.0
