from ._ase_frames import Structure, read_structures, structure_of
from ._label_keys import LabelKeys
from .bonds import bond_orders
from .extxyz import ExtXYZ
from .labelled_frames import CopperEMT, LabelledFrames
from .qm9 import QM9, QM9_TARGETS
from .qm9_generation import QM9Generation
from .rmd17 import RMD17
from .units import KCAL_MOL_TO_MEV, energy_factor, length_factor

__all__ = [
    "CopperEMT",
    "ExtXYZ",
    "KCAL_MOL_TO_MEV",
    "LabelKeys",
    "LabelledFrames",
    "QM9",
    "QM9Generation",
    "QM9_TARGETS",
    "RMD17",
    "Structure",
    "bond_orders",
    "energy_factor",
    "length_factor",
    "read_structures",
    "structure_of",
]
