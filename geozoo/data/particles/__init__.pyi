from .chirality import Chirality
from .nbody import NBody
from .nbody_simulator import (
    SIMULATOR_VERSION,
    NBodyOptions,
    NBodyState,
    initial_state,
    simulate,
    total_energy,
)

__all__ = [
    "Chirality",
    "NBody",
    "NBodyOptions",
    "NBodyState",
    "SIMULATOR_VERSION",
    "initial_state",
    "simulate",
    "total_energy",
]
