"""Geometric plausibility of generated molecules, by PoseBusters."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Mapping
from importlib.util import find_spec

import torch
from jaxtyping import Float, Int
from torch import Tensor

from geozoo.metrics.molecules import molecule_bonds, rdkit_molecules

#: The checks of PoseBusters for molecules alone, by their names in its table, and ours.
PLAUSIBILITY_CHECKS: Mapping[str, str] = {
    "sanitization": "sanitization",
    "inchi_convertible": "inchi",
    "all_atoms_connected": "one_piece",
    "no_radicals": "no_radicals",
    "bond_lengths": "bond_lengths",
    "bond_angles": "bond_angles",
    "internal_steric_clash": "no_clash",
    "aromatic_ring_flatness": "aromatic_flat",
    "non-aromatic_ring_non-flatness": "ring_bent",
    "double_bond_flatness": "double_bond_flat",
}


def can_check_plausibility() -> bool:
    """Whether PoseBusters is installed."""
    return find_spec("posebusters") is not None


def plausible_molecules(
    pos: Float[Tensor, "N 3"], z: Int[Tensor, " N"], batch: Int[Tensor, " N"], num_graphs: int
) -> dict[str, Tensor]:
    """Whether each molecule passes each check of PoseBusters, with bonds from distances.

    The checks are those of its configuration ``mol_fast``: RDKit can sanitise the molecule, it has
    an InChI, one piece and no radicals; bond lengths and angles are within 25 % of the bounds of
    distance geometry, no atoms clash; aromatic rings and double bonds are flat, other rings of six
    are not. Its check of the internal energy (``mol``) relaxes 50 conformers per molecule and is
    left out.

    Args:
        pos: positions in angstrom.
        z: atomic numbers.
        batch: molecule of each atom, sorted.
        num_graphs: number of molecules, at least 1.

    Returns:
        By name of the check, and as ``"plausible"`` for all together: ``[G]``. A check that
        needs a sanitised molecule fails for others.

    Raises:
        ImportError: If PoseBusters is not installed.

    Reference:
        M. Buttenschoen, G. M. Morris, C. M. Deane, PoseBusters: AI-based docking methods fail to
        generate physically valid poses or generalise to novel sequences, Chem. Sci. 15, 3130
        (2024).
    """
    if not can_check_plausibility():
        raise ImportError(
            'plausibility needs posebusters: pip install "geozoo[train,molecules,plausibility]"'
        )
    import rdkit
    from posebusters import PoseBusters
    from rdkit import rdBase

    bonds = molecule_bonds(pos, z, batch, num_graphs)
    molecules = [one.GetMol() for one in rdkit_molecules(z, batch, num_graphs, bonds, pos)]
    # The stream of RDKit's handler may be closed by now. PoseBusters flushes it, and its InChI
    # check would take the error for a failure of the molecule.
    rdkit.log_handler.stream = sys.stderr
    # Each check of PoseBusters 0.6.5 turns RDKit's log on again, also within `rdBase.BlockLogs`,
    # and sends it to Python's logging; its own log names every molecule that fails.
    loggers = [logging.getLogger(name) for name in ("posebusters", "rdkit")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        # It also leaves files open; where warnings are errors, its checks take them for failures.
        with rdBase.BlockLogs(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table = PoseBusters("mol_fast").bust(molecules)
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
    passed = {
        name: torch.tensor([value is True or value == 1 for value in table[column].tolist()])
        for column, name in PLAUSIBILITY_CHECKS.items()
    }
    return {**passed, "plausible": torch.stack(list(passed.values())).all(0)}
