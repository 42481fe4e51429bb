"""Particle systems: the N-body benchmark and its simulator, and the chirality task."""

from geozoo.data.particles.chirality import Chirality
from geozoo.data.particles.nbody import NBody
from geozoo.data.particles.nbody_simulator import (
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
