"""The structures of silicon_sevennet and salt_sevennet, sampled and labelled by SevenNet-0.

    pip install sevenn==0.13.0
    python -m benchmarks.sevennet_frames silicon datasets/silicon_sevennet
    python -m benchmarks.sevennet_frames salt datasets/salt_sevennet

The relaxed crystal and its force constants (finite differences) give thermal displacements; other
structures have random strains and displacements, vacancies, or follow short Langevin dynamics.
Each structure is labelled once. The lines for ``files.yaml`` are printed. Labels are computed in
float32, so another machine or version of PyTorch reproduces them to about 1e-5 eV/angstrom.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.calculator import Calculator
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS

from geozoo.data import progress_bar
from geozoo.data.molecules.crystal_frames import (
    CrystalPath,
    labelled,
    random_strain,
    rounded,
    split_of_paths,
    strained,
    trajectory,
    without_atoms,
    write_parts,
)

_SEED = 29
_DELTA = 0.01  # angstrom, displacement of the finite differences
_PARTS = ("train", "val", "test")


@dataclass(frozen=True)
class Material:
    """What is sampled.

    Attributes:
        structure: formula, structure and approximate lattice constant (angstrom) of `bulk`.
        kelvin: temperatures.
        strains: isotropic strains.
        nearest: distance in angstrom below which two atoms never come.
        vacancies: number of vacancies of each element, per structure with vacancies.
        melt: isotropic strain and displacement in angstrom of molten-like structures.
    """

    structure: tuple[str, str, float]
    kelvin: tuple[float, ...]
    strains: tuple[float, ...]
    nearest: float
    vacancies: tuple[dict[str, int], ...]
    melt: tuple[tuple[float, float], ...] = ()


MATERIALS = {
    "silicon": Material(
        ("Si", "diamond", 5.43), (300.0, 600.0, 900.0, 1200.0), (-0.04, -0.02, 0.0, 0.02, 0.04),
        1.8, ({"Si": 1}, {"Si": 2}),
    ),
    "salt": Material(
        ("NaCl", "rocksalt", 5.64), (300.0, 500.0, 750.0, 1000.0),
        (-0.04, -0.02, 0.0, 0.02, 0.04), 1.9, ({"Na": 1, "Cl": 1},),
        ((0.04, 0.3), (0.06, 0.4), (0.08, 0.5), (0.1, 0.5)),
    ),
}  # fmt: skip


class Sampler:
    """Draws the structures of one material."""

    def __init__(self, material: Material, calculator: Calculator) -> None:
        self.material, self.calculator = material, calculator
        self.generator = np.random.default_rng(_SEED)
        name, structure, constant = material.structure
        self.primitive = bulk(name, structure, a=constant)
        self.primitive.calc = calculator
        BFGS(FrechetCellFilter(self.primitive, mask=[1, 1, 1, 0, 0, 0]), logfile=None).run(1e-3)
        constant = (4 * self.primitive.get_volume()) ** (1 / 3)
        self.cubic = bulk(name, structure, a=constant, cubic=True)
        self.primitive.calc = None
        self.supercell = self.cubic.repeat(2)
        self._modes = self._thermal_modes()

    def paths(self) -> Iterator[tuple[str, list[Atoms]]]:
        """Kind and structures of every path."""
        yield from self._volumes()
        yield from self._strains()
        yield from self._vacancies()
        yield from self._melts()
        yield from self._thermal()
        yield from self._dynamics()

    def _thermal_modes(self) -> np.ndarray:
        """Displacements of each normal mode for unit thermal energy, ``[3 N, modes]``."""
        atoms = self.supercell.copy()
        atoms.calc = self.calculator
        start, count = atoms.positions.copy(), len(self.cubic)
        rows = np.empty((3 * count, len(atoms), 3))
        for row in range(3 * count):
            atoms.positions = start
            atoms.positions[divmod(row, 3)] += _DELTA
            rows[row] = -atoms.get_forces() / _DELTA
        cells = np.indices((2, 2, 2)).reshape(3, -1).T
        # The cell at b, seen from the cell at a, is the one at (b - a) mod 2.
        seen = np.array(
            [[np.ravel_multi_index((b - a) % 2, (2, 2, 2)) for b in cells] for a in cells]
        )
        blocks = rows.reshape(3 * count, len(cells), 3 * count)
        hessian = np.concatenate(
            [np.concatenate([blocks[:, k] for k in line], axis=1) for line in seen]
        )
        root = np.sqrt(np.repeat(atoms.get_masses(), 3))
        squares, vectors = np.linalg.eigh((hessian + hessian.T) / 2 / np.outer(root, root))
        frequencies = np.sqrt(squares[3:])  # without the translations
        return vectors[:, 3:] / frequencies / root[:, None]

    def _shaken(self, kelvin: float) -> Atoms:
        """The supercell with harmonic thermal displacements."""
        amplitudes = self.generator.standard_normal(self._modes.shape[1])
        moves = self._modes @ amplitudes * np.sqrt(units.kB * kelvin)
        atoms = self.supercell.copy()
        atoms.positions += moves.reshape(-1, 3)
        return atoms

    def _displaced(self, atoms: Atoms, size: float) -> Atoms:
        """Normally distributed displacements that keep the atoms apart."""
        atoms = atoms.copy()
        for i in self.generator.permutation(len(atoms)):
            before = atoms.positions[i].copy()
            for _ in range(100):
                atoms.positions[i] = before + size * self.generator.standard_normal(3)
                others = [j for j in range(len(atoms)) if j != i]
                if atoms.get_distances(i, others, mic=True).min() > self.material.nearest:
                    break
            else:
                atoms.positions[i] = before
        return atoms

    def _thermal(self) -> Iterator[tuple[str, list[Atoms]]]:
        for kelvin in self.material.kelvin:
            for size in self.material.strains:
                strain = size * np.eye(3)
                yield "thermal", [strained(self._shaken(kelvin), strain) for _ in range(5)]

    def _volumes(self) -> Iterator[tuple[str, list[Atoms]]]:
        for _ in range(4):
            strains = [random_strain(self.generator, 0.05) for _ in range(9)]
            yield (
                "primitive",
                [self._displaced(strained(self.primitive, each), 0.03) for each in strains],
            )

    def _strains(self) -> Iterator[tuple[str, list[Atoms]]]:
        starts = [self.cubic, self.primitive.repeat(2), self.cubic.repeat((2, 2, 1)),
                  self.primitive.repeat((2, 2, 3))]  # fmt: skip
        for number in range(20):
            start = strained(starts[number % 4], random_strain(self.generator, 0.03))
            sizes = (0.0, 0.03, 0.06, 0.1, 0.15, 0.2, 0.25)
            yield "strained", [self._displaced(start, size) for size in sizes]

    def _vacancies(self) -> Iterator[tuple[str, list[Atoms]]]:
        for number in range(6):
            counts = self.material.vacancies[number % len(self.material.vacancies)]
            sites = [
                int(site)
                for name, count in counts.items()
                for site in self.generator.choice(
                    [i for i, each in enumerate(self.supercell) if each.symbol == name],
                    count, replace=False,
                )
            ]  # fmt: skip
            kelvin = self.material.kelvin[number % len(self.material.kelvin)]
            strain = random_strain(self.generator, 0.01)
            yield (
                "vacancy",
                [without_atoms(strained(self._shaken(kelvin), strain), sites) for _ in range(5)],
            )

    def _melts(self) -> Iterator[tuple[str, list[Atoms]]]:
        for size, moves in self.material.melt:
            start = strained(self.supercell, size * np.eye(3))
            yield "molten", [self._displaced(start, moves) for _ in range(6)]

    def _dynamics(self) -> Iterator[tuple[str, list[Atoms]]]:
        starts = [self.cubic, self.primitive.repeat(2)]
        for number in range(12):
            kelvin = self.material.kelvin[number % len(self.material.kelvin)]
            start = strained(starts[number % 2], random_strain(self.generator, 0.02))
            path = CrystalPath("dynamics", start, kelvin, frames=7, steps=10, femtoseconds=4.0)
            yield "dynamics", list(trajectory(path, self.calculator, self.generator))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("material", choices=MATERIALS)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    from sevenn.calculator import SevenNetCalculator

    calculator = SevenNetCalculator("sevennet-0_11july2024", device="cpu")
    paths = list(Sampler(MATERIALS[options.material], calculator).paths())
    parts = split_of_paths([kind for kind, _ in paths], np.random.default_rng((_SEED, 1)))
    found, total = [], sum(len(frames) for _, frames in paths)
    with progress_bar(f"Labelling {total} structures", total) as advance:
        for number, ((kind, frames), part) in enumerate(zip(paths, parts, strict=True)):
            for atoms in frames:
                entries = {"config_type": kind, "trajectory": number}
                found.append((part, labelled(rounded(atoms), calculator, **entries)))
                advance(1)
    files = {part: options.folder / f"{part}.extxyz.xz" for part in _PARTS}
    write_parts(found, files)
    for path in files.values():
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        print(f"  - name: {path.name}\n    size: {len(content)}\n    sha256: {digest}")


if __name__ == "__main__":
    main()
