"""Molecular dynamics at constant energy: how well a trained potential conserves it.

    python -m benchmarks.energy_conservation ponita-rmd17_ethanol --molecule CH3CH2OH --record

The molecule (a name from ASE's G2 set, or a structure file) is relaxed, gets thermal velocities
without net translation and rotation, and is propagated by velocity Verlet. Reported are the largest
deviation of the total energy from its initial value, the drift (slope of a linear fit), both per
atom, and for scale the range of the kinetic energy. Forces that are not the gradient of the
energy, or a cutoff that is not smooth, cause a drift.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms, units
from ase.build import molecule
from ase.md.velocitydistribution import Stationary, ZeroRotation
from ase.md.verlet import VelocityVerlet
from ase.optimize import BFGS
from rich.console import Console

from benchmarks._record import record
from geozoo.data import progress_bar
from geozoo.engines.ase import GeozooCalculator

#: Steps between samples of the energy.
_EVERY = 10


def relaxed(name: str, model: str, dtype: str) -> Atoms:
    """The molecule with the model's forces, at its nearest minimum."""
    atoms = ase.io.read(name) if Path(name).is_file() else molecule(name)
    atoms.calc = GeozooCalculator(model, dtype=dtype)
    BFGS(atoms, logfile=None).run(fmax=0.01, steps=500)
    return atoms


def trajectory(atoms: Atoms, options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """Total and kinetic energy in meV per atom along a trajectory."""
    speed = np.sqrt(options.kelvin * units.kB / atoms.get_masses())[:, None]
    atoms.set_velocities(speed * np.random.default_rng(0).normal(size=(len(atoms), 3)))
    Stationary(atoms)
    if not atoms.pbc.any():
        ZeroRotation(atoms)
    dynamics = VelocityVerlet(atoms, timestep=options.femtoseconds * units.fs)
    steps = round(1e3 * options.picoseconds / options.femtoseconds)
    total, kinetic = [atoms.get_total_energy()], [atoms.get_kinetic_energy()]
    with progress_bar("Steps", steps) as advance:
        for _ in range(steps // _EVERY):
            dynamics.run(_EVERY)
            total.append(atoms.get_total_energy())
            kinetic.append(atoms.get_kinetic_energy())
            advance(_EVERY)
    return tuple(1e3 * np.array(values) / len(atoms) for values in (total, kinetic))


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """All measurements of a trajectory."""
    atoms = relaxed(options.molecule, options.model, options.dtype)
    started = time.perf_counter()
    total, kinetic = trajectory(atoms, options)
    seconds = time.perf_counter() - started
    picoseconds = np.linspace(0.0, options.picoseconds, len(total))
    slope = float(np.polyfit(picoseconds, total, 1)[0])
    return {
        "model": options.model, "molecule": options.molecule, "atoms": len(atoms),
        "picoseconds": options.picoseconds, "femtoseconds": options.femtoseconds,
        "kelvin": options.kelvin, "dtype": options.dtype,
        "largest_deviation_mev_atom": float(np.abs(total - total[0]).max()),
        "slope_mev_atom_ps": slope,
        "kinetic_range_mev_atom": float(np.ptp(kinetic)),
        "seconds_a_step": seconds / (len(total) - 1) / _EVERY,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("model", help="trained potential")
    parser.add_argument("--molecule", required=True, help="name in ASE's G2 set, or a file")
    parser.add_argument("--picoseconds", type=float, default=10.0)
    parser.add_argument("--femtoseconds", type=float, default=0.5, help="of a step")
    parser.add_argument("--kelvin", type=float, default=300.0)
    parser.add_argument("--dtype", default="float64", choices=("float32", "float64"))
    parser.add_argument("--record", action="store_true", help="keep the figures")
    options = parser.parse_args()
    found = measure(options)
    Console().print(found)
    if options.record:
        record("energy_conservation", found)


if __name__ == "__main__":
    main()
