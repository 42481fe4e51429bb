"""The exact Hessian of a potential against finite differences of its forces: deviations, CPU time.

    pip install "geozoo[train,molecules,universal]"
    python -m benchmarks.vibrations                 # sevennet-0; or another potential
    python -m benchmarks.vibrations --record        # append to benchmarks/results/vibrations.jsonl

Structures are relaxed in float64. Finite differences are those of ASE (`ase.vibrations.Vibrations`,
central, two displacements of 0.01 angstrom per coordinate, symmetrised); in float64 frequencies
are also compared with those of displacements of 0.001 angstrom. Times are medians of CPU
time on one thread, alternating. The frequencies of both have translations and rotations projected
out.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import warnings
from typing import Any

import numpy as np
import torch
from ase import Atoms
from ase.build import bulk, molecule
from ase.vibrations import Vibrations

from benchmarks._record import record
from geozoo.engines.ase import GeozooCalculator
from geozoo.engines.relaxation import RelaxationOptions, relaxation
from geozoo.engines.vibrations import normal_modes

#: Displacements in angstrom: that of ASE by default, and a smaller one.
_DELTAS = (0.01, 0.001)


def structures() -> dict[str, Atoms]:
    """Molecules, and a cubic crystal."""
    return {
        "water": molecule("H2O"), "ethanol": molecule("CH3CH2OH"), "benzene": molecule("C6H6"),
        "8 Si": bulk("Si", cubic=True), "64 Si": bulk("Si", cubic=True) * 2,
    }  # fmt: skip


def exact(atoms: Atoms) -> np.ndarray:
    """The Hessian by differentiation."""
    periodic = {"cell": atoms.cell, "pbc": atoms.pbc} if atoms.pbc.any() else {}
    calculator: GeozooCalculator = atoms.calc
    return calculator.evaluator.hessian(atoms.positions, atoms.numbers, **periodic)


def from_forces(atoms: Atoms, delta: float) -> np.ndarray:
    """The Hessian by ASE's finite differences."""
    with tempfile.TemporaryDirectory() as folder:
        found = Vibrations(atoms, name=f"{folder}/vib", delta=delta)
        found.run()
        hessian: np.ndarray = found.get_vibrations().get_hessian()
    return hessian


def timed(atoms: Atoms, rounds: int) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Hessians, and medians of CPU seconds, of both ways in turn."""
    found: dict[str, np.ndarray] = {}
    ways = {"exact": exact, "differences": lambda atoms: from_forces(atoms, _DELTAS[0])}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            started = time.process_time()
            found[name] = way(atoms)
            seconds[name].append(time.process_time() - started)
    return found, {name: statistics.median(values) for name, values in seconds.items()}


def measured(model: str, dtype: str, name: str, atoms: Atoms, rounds: int) -> dict[str, Any]:
    """Frequencies of a relaxed structure, their deviations, and times."""
    atoms.calc = GeozooCalculator(model, dtype="float64")
    *_, last = relaxation(atoms, RelaxationOptions(fmax=1e-4, steps=500))
    atoms.calc = GeozooCalculator(model, dtype=dtype)
    exact(atoms)  # compiles kernels
    hessians, seconds = timed(atoms, rounds)
    if dtype == "float64":
        hessians["small"] = from_forces(atoms, _DELTAS[1])
    atoms.calc = None
    modes = {way: normal_modes(atoms, each) for way, each in hessians.items()}
    one = modes["exact"].frequencies
    deviations = {
        f"deviation with {delta} angstrom [cm^-1]": float(
            np.abs(one - modes[way].frequencies).max()
        )
        for way, delta in zip(("differences", "small"), _DELTAS, strict=True)
        if way in modes
    }
    return {
        "model": model, "dtype": dtype, "structure": name, "atoms": len(atoms),
        "largest force [eV/angstrom]": last.fmax,
        "frequencies [cm^-1]": [round(float(each), 3) for each in one[-21:]],
        "lowest frequency [cm^-1]": float(one.min()),
        "zero-point energy [eV]": modes["exact"].zero_point_energy,
        **deviations,
        "exact [s]": seconds["exact"], "differences [s]": seconds["differences"],
        "ratio": seconds["differences"] / seconds["exact"], "rounds": rounds,
    }  # fmt: skip


def main() -> None:
    """Measure, and print or record."""
    parser = argparse.ArgumentParser(description="exact Hessians against finite differences")
    parser.add_argument("model", nargs="?", default="sevennet-0")
    parser.add_argument("--structures", nargs="*", default=list(structures()))
    parser.add_argument("--dtypes", nargs="*", default=["float64", "float32"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    for name in options.structures:
        for dtype in options.dtypes:
            row = measured(options.model, dtype, name, structures()[name], options.rounds)
            print(", ".join(f"{key} {value}" for key, value in row.items()), flush=True)
            if options.record:
                record("vibrations", row)


if __name__ == "__main__":
    main()
