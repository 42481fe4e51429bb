"""Molecules: rMD17, QM9, structure files, atomic reference energies."""

from geozoo.data.molecules._ase_frames import Structure, read_structures, structure_of
from geozoo.data.molecules.bonds import bond_orders
from geozoo.data.molecules.extxyz import ExtXYZ
from geozoo.data.molecules.qm9 import QM9, QM9_TARGETS
from geozoo.data.molecules.qm9_generation import QM9Generation
from geozoo.data.molecules.rmd17 import RMD17
from geozoo.data.molecules.units import KCAL_MOL_TO_MEV, energy_factor, length_factor

__all__ = [
    "bond_orders",
    "ExtXYZ",
    "KCAL_MOL_TO_MEV",
    "QM9",
    "QM9Generation",
    "QM9_TARGETS",
    "RMD17",
    "Structure",
    "energy_factor",
    "length_factor",
    "read_structures",
    "structure_of",
]
