"""Phonons of silicon from exact force constants, with phonopy.

    pip install "geozoo[train,molecules,universal]" phonopy==4.8.6
    python examples/phonons.py --model sevennet-0 --repeat 2

1. Relax the cubic cell.
2. Differentiate the energy of a supercell twice. Only the rows of the two atoms of the primitive
   cell are needed, and nothing is displaced.
3. Give them to phonopy, and print the frequencies at Gamma, X and L.
"""

from __future__ import annotations

import argparse

import numpy as np
from ase import Atoms
from ase.build import bulk
from phonopy import Phonopy
from phonopy.structure.atoms import PhonopyAtoms

from geozoo.engines.ase import GeozooCalculator
from geozoo.engines.relaxation import RelaxationOptions, relaxation

#: In the reciprocal lattice of the primitive cell.
POINTS = {"Gamma": [0.0, 0.0, 0.0], "X": [0.5, 0.0, 0.5], "L": [0.5, 0.5, 0.5]}


def relaxed(model: str) -> Atoms:
    """The cubic cell without forces and stress."""
    atoms = bulk("Si", a=5.43, cubic=True)
    atoms.calc = GeozooCalculator(model, dtype="float64")
    *_, last = relaxation(atoms, RelaxationOptions(cell=True, fmax=1e-4))
    print(f"lattice constant {atoms.cell.lengths()[0]:.4f} angstrom after {last.number} steps")
    return atoms


def phonons(atoms: Atoms, repeat: int) -> Phonopy:
    """Phonopy with the force constants of a supercell."""
    cell = PhonopyAtoms(
        symbols=atoms.get_chemical_symbols(), cell=atoms.cell.array,
        scaled_positions=atoms.get_scaled_positions(),
    )  # fmt: skip
    found = Phonopy(cell, repeat * np.eye(3, dtype=int), primitive_matrix="F")
    large, calculator = found.supercell, atoms.calc
    rows = calculator.evaluator.hessian(
        large.positions, large.numbers, large.cell, atoms=found.primitive.p2s_map
    )
    found.force_constants = rows.transpose(0, 2, 1, 3)
    return found


def main() -> None:
    """Print the frequencies."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="sevennet-0")
    parser.add_argument("--repeat", type=int, default=2)
    options = parser.parse_args()
    found = phonons(relaxed(options.model), options.repeat)
    found.run_qpoints(list(POINTS.values()))
    for name, row in zip(POINTS, found.qpoints.frequencies, strict=True):
        print(f"{name:5} {' '.join(f'{each:8.3f}' for each in row)} THz")


if __name__ == "__main__":
    main()
