"""Coulomb energy of fixed charges."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from geozoo.geometry import neighbor_pairs
from geozoo.physics.libraries import library
from geozoo.physics.system import (
    COULOMB_CONSTANT,
    AtomicSystem,
    PairList,
    Term,
    find_pairs,
    sum_of_pairs,
)

#: Largest net charge of a periodic cell, per atom, that counts as rounding of the given charges.
_NEUTRAL = 1e-6
#: Cutoffs of both sums of Ewald in units of the smearing and its inverse: errors of 1e-9.
_REACH = 6.0
_LARGEST_NUMBER = 118


class FixedCharges(Term):
    r"""Coulomb energy of a fixed charge for each element.

    Molecules: the sum over all pairs of atoms, bonded or not,

    .. math:: E = \sum_{i<j} \frac{e^2}{4 \pi \varepsilon_0} \frac{q_i q_j}{r_{ij}}

    Crystals: the same sum over all images, by Ewald summation in the library torch-pme, surrounded
    by a conductor. The smearing follows from volume and number of atoms; energies do not depend on
    it beyond a relative error of 1e-9. The energy of an isolated atom is 0.

    Args:
        charges: charge in elementary charges of each atomic number.

    Raises:
        ValueError: If a charge is not finite, or an atomic number is not in 1..118.
    """

    charges: Tensor

    def __init__(self, charges: Mapping[int, float]) -> None:
        super().__init__()
        table = torch.full((_LARGEST_NUMBER + 1,), torch.nan, dtype=torch.float64)
        for number, charge in charges.items():
            if not 1 <= number <= _LARGEST_NUMBER or not math.isfinite(charge):
                raise ValueError(
                    "charges must be finite numbers by atomic number (1 to "
                    f"{_LARGEST_NUMBER}), got {charge!r} for {number!r}"
                )
            table[number] = charge
        self.register_buffer("charges", table, persistent=False)

    def pairs(self, system: AtomicSystem) -> PairList:
        """All pairs of molecules, and the pairs of the sum in real space of crystals.

        Raises:
            ValueError: If an element has no charge, a periodic structure is charged, or it is a
                slab or wire.
            ModuleNotFoundError: If torch-pme is not installed, which crystals need.
        """
        charges = self.charges.index_select(0, system.numbers.clamp(0, _LARGEST_NUMBER))
        if bool(charges.isnan().any()):
            number = int(system.numbers[charges.isnan()][0])
            raise ValueError(f"terms.charges has no charge of the element with number {number}")
        if system.pbc is None or not bool(system.pbc.any()):
            return find_pairs(system._replace(cell=None, pbc=None), math.inf)
        library("torchpme", "terms.charges of periodic structures")
        self._check_cells(system, charges)
        return _pairs_of_graphs(system)

    def forward(self, system: AtomicSystem, pairs: PairList) -> Float[Tensor, " G"]:
        """See `Term.forward`."""
        charges = self.charges.index_select(0, system.numbers)
        distance = pairs.distances(system.pos)
        products = [charges.index_select(0, end) for end in pairs.index]
        bare = products[0] * products[1] / distance
        if system.pbc is None or system.cell is None:
            return COULOMB_CONSTANT * sum_of_pairs(bare, system, pairs)
        is_periodic, sizes = system.pbc.any(1), _sizes(system)
        owner = system.batch.index_select(0, pairs.receiver)
        bare = torch.where(is_periodic.index_select(0, owner), torch.zeros_like(bare), bare)
        energy = sum_of_pairs(bare, system, pairs)
        for graph in filter(sizes.__getitem__, is_periodic.nonzero()[:, 0].tolist()):
            rows, edges = system.batch == graph, owner == graph
            local = pairs.index[:, edges] - sum(sizes[:graph])
            single = _ewald(
                charges[rows], system.pos[rows], system.cell[graph], local, distance[edges]
            )
            change = torch.zeros_like(energy)
            change[graph] = 1.0
            energy = energy + change * single
        return COULOMB_CONSTANT * energy

    def _check_cells(self, system: AtomicSystem, charges: Tensor) -> None:
        assert system.pbc is not None
        net = charges.new_zeros(system.num_graphs).index_add(0, system.batch, charges)
        atoms = _sizes(system)
        for graph in system.pbc.any(1).nonzero()[:, 0].tolist():
            if not bool(system.pbc[graph].all()):
                raise ValueError(
                    "terms.charges supports molecules and structures that are periodic in three "
                    f"directions, got pbc {system.pbc[graph].tolist()}: the Coulomb energy of "
                    "slabs and wires is not implemented"
                )
            if abs(float(net[graph])) > _NEUTRAL * atoms[graph]:
                raise ValueError(
                    "terms.charges must add up to 0 in each periodic structure, whose energy would "
                    f"be infinite otherwise: a structure with atomic numbers "
                    f"{system.numbers[system.batch == graph].unique().tolist()} has a net charge "
                    f"of {float(net[graph]):g}"
                )


def _sizes(system: AtomicSystem) -> list[int]:
    """Number of atoms of each graph."""
    sizes: list[int] = torch.bincount(system.batch, minlength=system.num_graphs).tolist()
    return sizes


def _smearing(cell: Tensor, num_atoms: int) -> float:
    """The smearing that balances both sums, in angstrom."""
    volume = float(cell.detach().det().abs())
    return 0.5 * (volume**2 / num_atoms) ** (1 / 6)


def _pairs_of_graphs(system: AtomicSystem) -> PairList:
    """Pairs of each graph within its own cutoff."""
    assert system.pbc is not None and system.cell is not None
    index, shift = [], []
    first = 0
    for graph, count in enumerate(_sizes(system)):
        pos, cell = system.pos[first : first + count], system.cell[graph : graph + 1]
        batch = system.batch.new_zeros(count)
        if count and bool(system.pbc[graph].any()):
            found = neighbor_pairs(
                pos, _REACH * _smearing(cell[0], count), batch, 1, cell=cell,
                pbc=system.pbc[graph : graph + 1],
            )  # fmt: skip
        else:
            found = neighbor_pairs(pos, math.inf, batch, 1)
        moved = found.shifts(cell, batch)
        index.append(found.index + first)
        shift.append(pos.new_zeros(found.index.shape[1], 3) if moved is None else moved)
        first += count
    return PairList(torch.cat(index, 1), torch.cat(shift))


def _ewald(charges: Tensor, pos: Tensor, cell: Tensor, index: Tensor, distance: Tensor) -> Tensor:
    """Energy of one crystal in units of the Coulomb constant."""
    torchpme: Any = library("torchpme", "terms.charges of periodic structures")
    smearing = _smearing(cell, len(charges))
    # The library sums up to half of the wave number that belongs to `lr_wavelength`.
    calculator = torchpme.EwaldCalculator(
        torchpme.CoulombPotential(smearing=smearing), lr_wavelength=math.pi * smearing / _REACH
    ).to(pos)
    potential = calculator(charges[:, None], cell, pos, index.T, distance)
    energy: Tensor = (charges * potential[:, 0]).sum()
    return energy
