"""Energies known from physics, added to the energy of a network: repulsion of nuclei, and others.

A term takes an `AtomicSystem` and returns one energy per graph in meV, in float64; forces and
stress are its derivatives.
"""

from geozoo.physics.charges import FixedCharges
from geozoo.physics.dispersion import DispersionD3
from geozoo.physics.system import AtomicSystem, PairList, Term, find_pairs
from geozoo.physics.zbl import ZBLRepulsion

__all__ = [
    "AtomicSystem",
    "DispersionD3",
    "FixedCharges",
    "PairList",
    "Term",
    "ZBLRepulsion",
    "find_pairs",
]
