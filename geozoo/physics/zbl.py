"""Screened repulsion of nuclei at short distances."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from geozoo.physics.covalent_radii import COVALENT_RADII
from geozoo.physics.system import (
    BOHR,
    COULOMB_CONSTANT,
    AtomicSystem,
    PairList,
    Term,
    find_pairs,
    sum_of_pairs,
)

#: Universal screening function: weights (their sum is 1) and decay constants.
_WEIGHTS = (0.18175, 0.50986, 0.28022, 0.02817)
_DECAYS = (3.19980, 0.94229, 0.40290, 0.20162)
_LENGTH = 0.8854 * BOHR
_POWER = 0.23


class ZBLRepulsion(Term):
    r"""Universal repulsion of Ziegler, Biersack and Littmark, up to the covalent radii.

    .. math:: E = \sum_{i<j} \frac{e^2}{4 \pi \varepsilon_0} \frac{Z_i Z_j}{r_{ij}}
        \sum_{k=1}^4 c_k e^{-d_k r_{ij} / a_{ij}} \; w\!\left(\frac{r_{ij}}{R_i + R_j}\right),
        \qquad a_{ij} = \frac{0.8854\, a_0}{Z_i^{0.23} + Z_j^{0.23}}

    with the covalent radii R of `COVALENT_RADII` and the envelope

    .. math:: w(u) = 1 - 28 u^6 + 48 u^7 - 21 u^8 \quad (u < 1), \qquad w(u) = 0 \quad (u \ge 1)

    The energy and its first two derivatives are continuous. It is 0 for isolated atoms and for
    pairs beyond the length of a single bond.

    References:
        J. F. Ziegler, J. P. Biersack and U. Littmark, The Stopping and Range of Ions in Solids,
        Pergamon 1985. The envelope: J. Gasteiger et al., ICLR 2020, eq. 8.
    """

    radii: Tensor

    def __init__(self) -> None:
        super().__init__()
        radii = torch.tensor((0.0, *COVALENT_RADII), dtype=torch.float64)
        self.register_buffer("radii", radii, persistent=False)

    def pairs(self, system: AtomicSystem) -> PairList:
        """Pairs within the largest sum of covalent radii that occurs.

        Raises:
            ValueError: If an element has no covalent radius.
        """
        last = len(self.radii) - 1
        outside = system.numbers[(system.numbers < 1) | (system.numbers > last)]
        if len(outside):
            raise ValueError(
                f"the ZBL repulsion needs elements with atomic numbers 1 to {last}, whose covalent "
                f"radii are known, got {int(outside[0])}"
            )
        largest = float(self.radii[system.numbers].max()) if len(system.numbers) else 1.0
        return find_pairs(system, 2 * largest)

    def reach(self, elements: Sequence[int]) -> float:
        """See `Term.reach`; the largest sum of covalent radii."""
        return 2 * float(self.radii[list(elements)].max())

    def forward(self, system: AtomicSystem, pairs: PairList) -> Float[Tensor, " G"]:
        """See `Term.forward`."""
        first, second = (system.numbers.index_select(0, end) for end in pairs.index)
        distance = pairs.distances(system.pos)
        reach = self.radii.index_select(0, first) + self.radii.index_select(0, second)
        energy = screened_repulsion(distance, first, second)
        u = distance / reach.to(distance.dtype)
        envelope = 1 - 28 * u**6 + 48 * u**7 - 21 * u**8
        energy = torch.where(u < 1, energy * envelope, torch.zeros_like(energy))
        return sum_of_pairs(energy, system, pairs)


def screened_repulsion(
    distance: Float[Tensor, " P"], first: Int[Tensor, " P"], second: Int[Tensor, " P"]
) -> Float[Tensor, " P"]:
    """Return the universal repulsion of two nuclei in meV, without envelope.

    Args:
        distance: distances in angstrom.
        first: atomic number of one atom of each pair.
        second: atomic number of the other atom.
    """
    one, other = first.to(distance.dtype), second.to(distance.dtype)
    scaled = distance * (one**_POWER + other**_POWER) / _LENGTH
    terms = [c * torch.exp(-d * scaled) for c, d in zip(_WEIGHTS, _DECAYS, strict=True)]
    return COULOMB_CONSTANT * one * other / distance * sum(terms[1:], terms[0])
