"""From your own energies and forces to molecular dynamics.

    python examples/potential_and_dynamics.py --folder /tmp/copper --epochs 80

1. Write the data as an extended-XYZ file, as any electronic-structure code can. Here ASE's EMT
   potential provides energies and forces, for a cluster of four copper atoms.
2. Train a potential on it from the command line, and publish it.
3. Use it as an ASE calculator for molecular dynamics that conserves energy.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms, units
from ase.calculators.emt import EMT
from ase.constraints import FixCom
from ase.md.langevin import Langevin
from ase.md.verlet import VelocityVerlet
from ase.optimize import BFGS

from geozoo.engines.ase import GeozooCalculator


def write_data(path: Path, num_frames: int = 300) -> Atoms:
    """Write frames of a hot cluster with energies and forces; return the relaxed cluster."""
    random = np.random.default_rng(0)
    cluster = Atoms("Cu4", [[0, 0, 0], [2.3, 0, 0], [1.15, 2.0, 0], [1.15, 0.7, 1.9]])
    cluster.calc = EMT()
    BFGS(cluster, logfile=None).run(fmax=0.01)
    cold = cluster.copy()
    cluster.set_constraint(FixCom())
    heat = {"temperature_K": 400, "friction": 0.02, "rng": random, "fixcm": False}
    dynamics = Langevin(cluster, 2 * units.fs, **heat)
    frames = []
    for _ in range(num_frames):
        dynamics.run(20)
        frame = Atoms(cluster.numbers, cluster.positions)
        frame.calc = EMT()
        frame.get_potential_energy()
        frame.get_forces()
        frames.append(frame)
    ase.io.write(path, frames)
    return cold


def geozoo(words: str) -> None:
    """Call the command line, as you would in a shell."""
    print(f"$ geozoo {words}", flush=True)
    subprocess.run([sys.executable, "-m", "geozoo.cli.main", *shlex.split(words)], check=True)


def run_dynamics(cold: Atoms, model: Path, picoseconds: float) -> np.ndarray:
    """Total energy in eV along an NVE trajectory, every 10 steps of 2 fs."""
    atoms = cold.copy()
    atoms.calc = GeozooCalculator(model, dtype="float64")
    speed = np.sqrt(300 * units.kB / atoms.get_masses())[:, None]
    atoms.set_velocities(speed * np.random.default_rng(1).normal(size=(len(atoms), 3)))
    dynamics, energies = VelocityVerlet(atoms, timestep=2 * units.fs), []
    for _ in range(int(500 * picoseconds) // 10):
        dynamics.run(10)
        energies.append(atoms.get_total_energy())
    return np.array(energies)


def main() -> None:
    """Run the three steps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("copper"))
    parser.add_argument("--epochs", type=int, default=80)
    parser.add_argument("--picoseconds", type=float, default=1.0)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    frames, run, model = (options.folder / name for name in ("frames.xyz", "run", "model"))
    cold = write_data(frames)
    geozoo(
        f"train model=ponita dataset=extxyz dataset.path={frames} run_dir={run} "
        "model.hidden_channels=32 model.kernel.basis_channels=32 model.num_layers=2 "
        f"model.orientations.num_orientations=12 trainer.max_epochs={options.epochs} "
        "trainer.check_val_every_n_epoch=5 schedule.warmup_epochs=1 task.test_rotations=1 "
        "optimizer.lr=5.0e-3 dataset.loader.batch_size=20 ema_decay=0.95 task.energy_weight=0.1"
    )
    geozoo(f"publish {run} out={model} name=copper")
    energies = run_dynamics(cold, model, options.picoseconds)
    drift = 1e3 * np.abs(energies - energies[0]).max() / len(cold)
    print(f"{options.picoseconds} ps at constant energy: it stays within {drift:.3f} meV an atom")


if __name__ == "__main__":
    main()
