"""Batches of molecules and crystals in torch-sim next to single systems, and next to ASE.

Deviations are in float64: of energies, forces and stresses from ASE's, and of what dynamics at
constant energy, at constant pressure, and relaxations with cells give from the same one by one.
Times are CPU times of velocity Verlet in the precision of the model, divided by atoms and steps;
batch, single systems and ASE run in turn, and ratios are medians over the rounds.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch_sim as ts
from ase import Atoms, units
from ase.build import bulk, molecule
from ase.md.verlet import VelocityVerlet
from rich.console import Console
from torch_sim.integrators.md import MDState

from benchmarks._record import record
from geozoo.engines.ase import GeozooCalculator
from geozoo.engines.torch_sim import GeozooModel

_MOLECULES = ("CH3CH2OH", "C6H6", "CH3COOH", "H3CNH2", "C5H5N", "H2CO", "C2H6", "CH3OCH3")
_CRYSTALS = (
    ("Si", "diamond", 5.43), ("Cu", "fcc", 3.61), ("NaCl", "rocksalt", 5.64),
    ("MgO", "rocksalt", 4.21), ("GaAs", "zincblende", 5.65), ("Al", "fcc", 4.05),
    ("TiC", "rocksalt", 4.33), ("Ge", "diamond", 5.66),
)  # fmt: skip
_KELVIN, _PICOSECONDS = 300.0, 5e-4
_CPU = torch.device("cpu")


def systems(kind: str, count: int) -> list[Atoms]:
    """Molecules, or crystals of 8 to 16 atoms in strained cells, with displaced atoms."""
    random, found = np.random.default_rng(0), []
    for number in range(count):
        if kind == "molecules":
            atoms = molecule(_MOLECULES[number % len(_MOLECULES)])
        else:
            name, structure, length = _CRYSTALS[number % len(_CRYSTALS)]
            atoms = bulk(name, structure, a=length, cubic=True)
            atoms *= (16 // len(atoms) if number % 2 else 8 // len(atoms), 1, 1)
            strain = np.eye(3) + 0.01 * random.normal(size=(3, 3))
            atoms.set_cell(atoms.cell.array @ strain, scale_atoms=True)
        atoms.positions += 0.03 * random.normal(size=atoms.positions.shape)
        found.append(atoms)
    return found


def moving(frames: list[Atoms], model: GeozooModel) -> list[MDState]:
    """A state of each system, with thermal momenta."""
    found = []
    for number, atoms in enumerate(frames):
        state = ts.io.atoms_to_state([atoms], _CPU, model.dtype)
        state.rng = number
        found.append(ts.nve_init(state, model, kT=_KELVIN * units.kB))
    return found


def forces_against_ase(frames: list[Atoms], model: GeozooModel, name: str) -> dict[str, float]:
    """Largest deviations of a batch from ASE's results, in eV and angstrom."""
    calculator = GeozooCalculator(name, dtype=str(model.dtype).removeprefix("torch."))
    found, first = model(ts.io.atoms_to_state(frames, _CPU, model.dtype)), 0
    worst = {"energy": 0.0, "forces": 0.0}
    for graph, atoms in enumerate(frames):
        single, rows = atoms.copy(), slice(first, first + len(atoms))
        first, single.calc = rows.stop, calculator
        pairs = {
            "energy": (found["energy"][graph], single.get_potential_energy()),
            "forces": (found["forces"][rows], single.get_forces()),
        }
        if single.pbc.all():
            pairs["stress"] = (found["stress"][graph], single.get_stress(voigt=False))
        for key, (one, two) in pairs.items():
            worst[key] = max(worst.get(key, 0.0), float(np.abs(one.numpy() - two).max()))
    return worst


def together_against_alone(
    starts: list[Any], name: str, run: Callable[[Any, GeozooModel], Any], quantities: list[str]
) -> dict[str, float]:
    """Largest deviations of a run of all systems from runs of each."""
    model = GeozooModel(name, dtype=torch.float64)
    together = run(ts.concatenate_states(starts), model)
    worst = dict.fromkeys(quantities, 0.0)
    for start, many in zip(starts, together.split(), strict=True):
        one = run(start.clone(), model)
        for key in quantities:
            apart = float((getattr(many, key) - getattr(one, key)).abs().max())
            worst[key] = max(worst[key], apart)
    return worst


def agreement(frames: list[Atoms], name: str, steps: int) -> dict[str, Any]:
    """All deviations of batches."""
    model = GeozooModel(name, dtype=torch.float64)
    is_periodic = bool(frames[0].pbc.all())
    dynamics = {"n_steps": steps, "temperature": _KELVIN, "timestep": _PICOSECONDS}
    found: dict[str, Any] = {"ase": forces_against_ase(frames, model, name)}
    starts = moving(frames, model)
    found["nve"] = together_against_alone(
        starts, name, lambda state, of: ts.integrate(
            state, of, integrator=ts.Integrator.nve, **dynamics
        ), ["positions", "energy"],
    )  # fmt: skip
    if is_periodic:
        found["npt"] = together_against_alone(
            starts, name, lambda state, of: ts.integrate(
                state, of, integrator=ts.Integrator.npt_nose_hoover_isotropic,
                external_pressure=0.0, **dynamics,
            ), ["positions", "energy", "cell"],
        )  # fmt: skip
    cells = {"cell_filter": ts.CellFilter.frechet} if is_periodic else {}
    found["relaxation"] = together_against_alone(
        [ts.io.atoms_to_state([atoms], _CPU, model.dtype) for atoms in frames], name,
        lambda state, of: ts.optimize(
            state, of, optimizer=ts.Optimizer.fire, max_steps=steps, init_kwargs=cells,
            convergence_fn=ts.generate_force_convergence_fn(1e-9, include_cell_forces=False),
        ), ["positions", "energy", "cell"],
    )  # fmt: skip
    return found


def conservation(frames: list[Atoms], name: str, steps: int) -> dict[str, float]:
    """Largest change of the total and, for scale, the potential energy, in meV per atom.

    With half the time step, the error of velocity Verlet is a quarter.
    """
    full, half = (_changes(frames, name, steps * n, _PICOSECONDS / n) for n in (1, 2))
    return {
        "total_mev_atom": full[0], "total_half_step_mev_atom": half[0],
        "potential_mev_atom": full[1],
    }  # fmt: skip


def _changes(frames: list[Atoms], name: str, steps: int, picoseconds: float) -> tuple[float, float]:
    model = GeozooModel(name, dtype=torch.float64)
    state = ts.concatenate_states(moving(frames, model))
    atoms, kept = state.n_atoms_per_system, []
    for _ in range(steps + 1):
        kinetic = ts.calc_kinetic_energy(
            masses=state.masses, momenta=state.momenta, system_idx=state.system_idx
        )
        kept.append(torch.stack([state.energy + kinetic, state.energy]) / atoms)
        state = ts.nve_step(state, model, dt=picoseconds * 1e3 * units.fs)
    change = 1e3 * (torch.stack(kept) - kept[0]).abs().amax((0, 2))
    return float(change[0]), float(change[1])


def timed(frames: list[Atoms], name: str, steps: int, rounds: int) -> dict[str, Any]:
    """CPU microseconds per atom and step: a batch, single systems in torch-sim, and ASE."""
    models = {"batch": GeozooModel(name), "single": GeozooModel(name)}
    calculator = GeozooCalculator(name)
    atoms = sum(map(len, frames))

    def verlet(state: Any, model: GeozooModel) -> float:
        start = time.process_time()
        for _ in range(steps):
            state = ts.nve_step(state, model, dt=_PICOSECONDS * 1e3 * units.fs)
        return time.process_time() - start

    def ase_verlet(frame: Atoms, state: MDState) -> float:
        single = frame.copy()
        single.calc = calculator
        single.set_momenta(state.momenta.double().numpy())
        single.get_forces()
        start = time.process_time()
        VelocityVerlet(single, timestep=_PICOSECONDS * 1e3 * units.fs).run(steps)
        return time.process_time() - start

    taken: dict[str, list[float]] = {"batch": [], "single": [], "ase": []}
    for _ in range(rounds + 1):  # the first one warms up
        starts = moving(frames, models["single"])
        taken["batch"].append(verlet(ts.concatenate_states(starts), models["batch"]))
        taken["ase"].append(sum(map(ase_verlet, frames, starts)))
        taken["single"].append(sum(verlet(state, models["single"]) for state in starts))
    found: dict[str, Any] = {
        f"{key}_us": 1e6 * statistics.median(values[1:]) / atoms / steps
        for key, values in taken.items()
    }
    for key in ("single", "ase"):
        ratios = [one / two for one, two in zip(taken[key][1:], taken["batch"][1:], strict=True)]
        found[f"{key}_over_batch"] = [statistics.median(ratios), min(ratios), max(ratios)]
    return found


def main(arguments: list[str]) -> None:
    """Measure, print, and record if asked to."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.engines torch_sim", description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--model", default="sevennet-0", help="potential of H, C, N, O and metals")
    parser.add_argument("--molecules", type=int, default=64)
    parser.add_argument("--crystals", type=int, default=16)
    parser.add_argument("--steps", type=int, default=10, help="of compared runs")
    parser.add_argument("--conserved", type=int, default=100, help="steps at constant energy")
    parser.add_argument("--timed", type=int, default=5, help="steps of a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--record", action="store_true", help="keep the figures")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    for kind in ("molecules", "crystals"):
        frames = systems(kind, getattr(options, kind))
        row = {
            "engine": "torch_sim", "model": options.model, "systems": kind, "count": len(frames),
            "atoms": sum(map(len, frames)), "threads": options.threads, "steps": options.steps,
            "femtoseconds": 1e3 * _PICOSECONDS, "conserved_steps": options.conserved,
            "timed_steps": options.timed, "torch_sim": ts.__version__,
        }  # fmt: skip
        row["deviations"] = agreement(frames, options.model, options.steps)
        row["conservation"] = conservation(frames, options.model, options.conserved)
        row["time"] = timed(frames, options.model, options.timed, options.rounds)
        Console().print(row)
        if options.record:
            record("engines", row)
