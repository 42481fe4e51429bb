"""Simulation of copper with the effective-medium potential of ASE; needs ASE.

The paths sample the cubic crystal at four temperatures and five volumes, other cells with random
strains, vacancies, surfaces and other crystal structures.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from geozoo.data.molecules.crystal_frames import (
    CrystalPath,
    labelled,
    random_strain,
    split_of_paths,
    strained,
    trajectory,
    without_atoms,
    write_parts,
)
from geozoo.files.progress import progress_bar

if TYPE_CHECKING:
    from ase import Atoms

#: Part of the name of every file; increased whenever the structures for a seed change.
COPPER_VERSION = 1
_LATTICE_CONSTANT = 3.6
_KELVIN = (300.0, 600.0, 900.0, 1200.0)
_ISOTROPIC = (-0.06, -0.03, 0.0, 0.03, 0.06)


def copper_paths(seed: int) -> list[CrystalPath]:
    """The start of every trajectory: 48 of them, with 800 structures in total.

    Args:
        seed: seed of strains, vacancies and temperatures.
    """
    generator = np.random.default_rng((seed, 0))
    return [
        path
        for paths in (_cubic(), _cells(generator), _vacancies(generator), _slabs(), _phases())
        for path in paths
    ]


def simulate_copper(files: dict[str, Path], *, seed: int) -> None:
    """Simulate all trajectories and write the file of each split.

    Args:
        files: path of each split, ``<name>.extxyz.xz``.
        seed: seed of structures, velocities, thermostat and splits.
    """
    paths = copper_paths(seed)
    parts = split_of_paths([path.kind for path in paths], np.random.default_rng((seed, 1)))
    found: list[tuple[str, Atoms]] = []
    total = sum(path.frames for path in paths)
    with progress_bar(f"Simulating {total} structures of copper", total) as advance:
        for number, (path, part) in enumerate(zip(paths, parts, strict=True)):
            for atoms in _frames(path, number, seed):
                found.append((part, atoms))
                advance(1)
    write_parts(found, files)


def _frames(path: CrystalPath, number: int, seed: int) -> Iterator[Atoms]:
    """The labelled structures of a path, with random numbers of its own."""
    from ase.calculators.emt import EMT

    generator = np.random.default_rng((seed, 2, number))
    for atoms in trajectory(path, EMT(), generator):
        entries = {"config_type": path.kind, "trajectory": number, "kelvin": path.kelvin}
        yield labelled(atoms, EMT(), **entries)


def _cubic() -> Iterator[CrystalPath]:
    """32 atoms at four temperatures and five volumes."""
    start = _bulk("fcc").repeat(2)
    for kelvin in _KELVIN:
        for size in _ISOTROPIC:
            yield CrystalPath("cubic", strained(start, size * np.eye(3)), kelvin, 20)


def _cells(generator: np.random.Generator) -> Iterator[CrystalPath]:
    """4 to 32 atoms in cells of other shapes with random strains."""
    primitive = _bulk("fcc", cubic=False)
    starts = [
        _bulk("fcc"),
        primitive.repeat((2, 2, 3)),
        primitive.repeat(3),
        _bulk("fcc").repeat(2),
    ]
    for number in range(12):
        strain = random_strain(generator, 0.03)
        start = strained(starts[number % len(starts)], strain)
        yield CrystalPath("strained", start, _KELVIN[(number + number // 4) % 4], 15)


def _vacancies(generator: np.random.Generator) -> Iterator[CrystalPath]:
    """One or two of 32 atoms are missing."""
    start = _bulk("fcc").repeat(2)
    for number in range(5):
        sites = generator.choice(len(start), size=1 + number % 2, replace=False).tolist()
        kelvin = _KELVIN[1 + number % 3]
        yield CrystalPath("vacancy", without_atoms(start, sites), kelvin, 16)


def _slabs() -> Iterator[CrystalPath]:
    """Slabs with three surfaces; periodic in two directions, hence without stress."""
    from ase.build import fcc100, fcc110, fcc111

    for build in (fcc100, fcc110, fcc111):
        for kelvin in (300.0, 900.0):
            slab = build("Cu", size=(2, 2, 5), a=_LATTICE_CONSTANT, vacuum=8.0)
            yield CrystalPath("surface", slab, kelvin, 15)


def _phases() -> Iterator[CrystalPath]:
    """Other crystal structures at the same volume per atom: body-centred and hexagonal."""
    for kelvin in (300.0, 600.0, 900.0):
        yield CrystalPath("bcc", _bulk("bcc").repeat(2), kelvin, 8)
        yield CrystalPath("hcp", _bulk("hcp", cubic=False).repeat(2), kelvin, 8)


def _bulk(structure: str, *, cubic: bool = True) -> Atoms:
    from ase.build import bulk

    nearest = _LATTICE_CONSTANT / np.sqrt(2)
    sizes = {"fcc": _LATTICE_CONSTANT, "bcc": _LATTICE_CONSTANT / 2 ** (1 / 3), "hcp": nearest}
    if structure == "hcp":
        return bulk("Cu", "hcp", a=nearest, c=nearest * np.sqrt(8 / 3))
    return bulk("Cu", structure, a=sizes[structure], cubic=cubic)
