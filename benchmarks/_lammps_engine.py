"""Molecular dynamics in LAMMPS next to ASE, with the same potential on the same crystal."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from ase import Atoms, units
from ase.build import bulk
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from ase.md.verlet import VelocityVerlet
from rich.console import Console
from rich.table import Table

from benchmarks._record import record
from benchmarks._zoo_steps import model_of
from geozoo.data import GeometricSpec
from geozoo.engines.ase import GeozooCalculator
from geozoo.engines.lammps import attach, start
from geozoo.hub import Description, TrainedModel
from geozoo.hub.description import Weights
from geozoo.tasks import Potential

_FEMTOSECONDS, _KELVIN = 1.0, 300.0


def main(arguments: list[str]) -> None:
    """Measure, print, and record if asked to."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.engines lammps", description=__doc__
    )
    parser.add_argument("--model", default="painn", help="a name of the zoo, or painn (random)")
    parser.add_argument("--cells", type=int, default=4, help="cubic cells of copper per axis")
    parser.add_argument("--steps", type=int, default=20, help="per round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    found = measure(options.model, options.cells, options.steps, options.rounds)
    table = Table("", "ms per step", title=f"{found['model']}, {found['atoms']} atoms of copper")
    for name in ("ase", "lammps"):
        table.add_row(name, f"{1e3 * found[name]:.2f}")
    console = Console()
    console.print(table)
    console.print(f"LAMMPS / ASE: {found['ratio']:.3f}; positions differ by {found['apart']:.1e}")
    if options.record:
        record("engines", found)


def measure(name: str, cells: int, steps: int, rounds: int) -> dict[str, Any]:
    """Medians of the CPU time of a step; both run the same trajectory, in turn."""
    model: TrainedModel | str = painn() if name == "painn" else name
    atoms = bulk("Cu", cubic=True, a=3.615).repeat(cells)
    MaxwellBoltzmannDistribution(
        atoms, temperature_K=_KELVIN, rng=np.random.default_rng(0)
    )  # fmt: skip
    ours, theirs = in_ase(atoms, model), in_lammps(atoms, model)
    seconds: dict[str, list[float]] = {"ase": [], "lammps": []}
    for run in (ours[0], theirs[0]):
        run(steps)
    for _ in range(rounds):
        for engine, run in (("ase", ours[0]), ("lammps", theirs[0])):
            start = time.process_time()
            run(steps)
            seconds[engine].append((time.process_time() - start) / steps)
    ratios = [b / a for a, b in zip(seconds["ase"], seconds["lammps"], strict=True)]
    return {
        "engine": "lammps", "model": name, "atoms": len(atoms), "steps": steps, "rounds": rounds,
        **{engine: statistics.median(values) for engine, values in seconds.items()},
        "ratio": statistics.median(ratios), "ratio_range": [min(ratios), max(ratios)],
        "apart": float(np.abs(ours[1]() - theirs[1]()).max()), "threads": 1,
    }  # fmt: skip


Run = tuple[Callable[[int], Any], Callable[[], np.ndarray]]


def in_ase(atoms: Atoms, model: TrainedModel | str) -> Run:
    """Functions that run steps, and that return the positions."""
    atoms = atoms.copy()
    atoms.calc = GeozooCalculator(model)
    dynamics = VelocityVerlet(atoms, timestep=_FEMTOSECONDS * units.fs)
    return dynamics.run, lambda: atoms.positions


def in_lammps(atoms: Atoms, model: TrainedModel | str) -> Run:
    """As `in_ase`."""
    lmp = start(cmdargs=["-screen", "none", "-log", "none"])
    sides = " ".join(f"0 {side}" for side in atoms.cell.lengths())
    lmp.commands_list([
        "units metal", "atom_style atomic", "atom_modify map array",
        f"region box block {sides} units box", "create_box 1 box", "mass 1 63.546",
        f"timestep {_FEMTOSECONDS / 1000}",
    ])  # fmt: skip
    velocities = atoms.get_velocities() * units.fs * 1000
    count = len(atoms)
    lmp.create_atoms(
        count, list(range(1, count + 1)), [1] * count, atoms.positions.ravel().tolist(),
        velocities.ravel().tolist(),
    )  # fmt: skip
    lmp.commands_list(["fix move all nve", "thermo 1000"])
    found = attach(lmp, model, ["Cu"])

    def positions() -> np.ndarray:
        assert found.last_frame is not None
        pos: np.ndarray = found.last_frame.pos
        return pos

    def run(steps: int) -> None:
        # Without its setup, a run does not evaluate the first structure again, as in ASE.
        lmp.command(f"run {steps} post no" + (" pre no" if found.evaluations else ""))

    return run, positions


def painn() -> TrainedModel:
    """A random PaiNN of the default size."""
    spec = GeometricSpec(
        level="graph", dim=3, in_channels=1, out_channels=1, elements=(29,), target="energy",
        units={"energy": "meV", "forces": "meV/angstrom"},
        statistics={"energy_shift": 0.0, "energy_scale": 100.0},
    )  # fmt: skip
    torch.manual_seed(0)
    network = model_of(
        "painn", in_channels=1, in_vectors=0, out_channels=1, out_vectors=0, dim=3, radius=5.0,
        level="graph",
    )  # fmt: skip
    weights = Weights("model.safetensors", "0" * 64, 0)
    nodes: dict[str, Any] = {"model": {}, "task": {}, "data": spec.to_dict()}
    task = Potential(network, spec, any_composition=True)
    return TrainedModel(Description("painn", weights=weights, **nodes), task)
