"""What a potential predicts, by the names of an evaluation and in eV."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from geozoo.hub.ensemble import SPREAD

EV_PER_MEV = 1e-3
#: Name in an evaluation by quantity of a potential.
NAMES = {
    "energy": "energy", "force": "forces", "virial": "virial", "stress": "stress",
    "atom_energy": "energies", "dipole": "dipole",
}  # fmt: skip
#: Names of quantities with a row per atom; the others have one per structure.
OF_ATOMS = ("forces", "energies")


def in_electronvolts(
    predicted: Mapping[str, Tensor], pos: Tensor, sizes: Tensor
) -> dict[str, Tensor]:
    """The predictions in float64, eV and angstrom, by the names of an evaluation.

    Args:
        predicted: quantities of all structures or atoms, in meV and angstrom.
        pos: ``[N, 3]`` positions, for the virial of structures without a cell.
        sizes: ``[S]`` number of atoms of each structure.

    Returns:
        All that is known, ``virial`` always; standard deviations have the suffix ``_std``.
    """
    found = {}
    for quantity, name in NAMES.items():
        factor = 1.0 if quantity == "dipole" else EV_PER_MEV
        for suffix in ("", SPREAD):
            if (value := predicted.get(quantity + suffix)) is not None:
                found[name + suffix] = value.double() * factor
    if "virial" not in found:
        forces = found["forces"]
        found["virial"] = _virial_of_forces(pos.to(forces.device), forces, sizes)
    return found


def _virial_of_forces(pos: Tensor, forces: Tensor, sizes: Tensor) -> Tensor:
    """``[S, 3, 3]`` virials without cells: only positions are strained."""
    batch = torch.repeat_interleave(
        torch.arange(len(sizes), device=pos.device), sizes.to(pos.device), output_size=len(pos)
    )
    outer = pos.double().unsqueeze(2) * forces.unsqueeze(1)
    virial = outer.new_zeros(len(sizes), 3, 3).index_add(0, batch, outer)
    return (virial + virial.mT) / 2


def place_of(atom: int, sizes: Tensor) -> tuple[int, int]:
    """The structure of an atom, and the number of the atom within it.

    Args:
        atom: its number among the atoms of all structures.
        sizes: ``[S]`` number of atoms of each structure.
    """
    structure = int(torch.searchsorted(sizes.cumsum(0), atom, right=True))
    return structure, atom - int(sizes[:structure].sum())


def check_finite(found: Mapping[str, Tensor], sizes: Tensor) -> None:
    """Check energies and forces.

    Raises:
        ValueError: If an energy or a force is not a number; the message names the structure.
    """
    for name in ("energy", "forces"):
        finite = found[name].isfinite().reshape(len(found[name]), -1).all(1)
        if bool(finite.all()):
            continue
        row = int((~finite).nonzero()[0])
        graph, where = row, "energy"
        if name == "forces":
            graph, atom = place_of(row, sizes)
            where = f"force on atom {atom}"
        of = f" of structure {graph}" if len(sizes) > 1 else ""
        raise ValueError(
            f"the {where}{of} is not finite, got {found[name][row].tolist()}: atoms may "
            "be closer together than in any training structure"
        )
