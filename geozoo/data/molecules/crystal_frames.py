"""Configurations of crystals along paths, their labels, splits and files; needs ASE.

A path is a sequence of correlated structures: a short trajectory, or displacements of one strained
cell. All structures of a path belong to the same split.
"""

from __future__ import annotations

import hashlib
import io
import lzma
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from geozoo.files.folders import atomic_path

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

#: Decimals of positions (angstrom), energies (eV), forces (eV/angstrom), stresses (eV/angstrom^3).
DECIMALS = 6
_STRESS_DECIMALS = 8
_PARTS = ("train", "val", "test")
_STEP_FS, _FRICTION_PER_FS = 5.0, 0.02


@dataclass(frozen=True)
class CrystalPath:
    """The start of a trajectory, and how it is sampled.

    Attributes:
        kind: what the path samples, such as ``"vacancy"``; splits are balanced over kinds.
        atoms: the initial structure.
        kelvin: temperature.
        frames: number of structures.
        steps: steps of molecular dynamics before each of them.
        femtoseconds: time step.
    """

    kind: str
    atoms: Atoms
    kelvin: float
    frames: int
    steps: int = 12
    femtoseconds: float = _STEP_FS


def strained(atoms: Atoms, strain: np.ndarray) -> Atoms:
    """A copy whose cell and positions are deformed by a symmetric strain.

    Args:
        atoms: the structure.
        strain: ``[3, 3]`` symmetric strain.
    """
    result = atoms.copy()
    result.set_cell(np.asarray(result.cell) @ (np.eye(3) + strain), scale_atoms=True)
    return result


def random_strain(generator: np.random.Generator, size: float) -> np.ndarray:
    r"""A random symmetric strain.

    It is :math:`\sqrt 2` times the symmetric part of a random matrix, with shears halved.

    Args:
        generator: random numbers.
        size: standard deviation of the entries of the matrix. Diagonal entries of the strain have
            :math:`\sqrt 2` times, others half this standard deviation.
    """
    entries = size * generator.standard_normal((3, 3))
    return (entries + entries.T) * np.where(np.eye(3, dtype=bool), 0.5, 0.25) * np.sqrt(2)


def without_atoms(atoms: Atoms, indices: Sequence[int]) -> Atoms:
    """A copy with vacancies at some sites."""
    result = atoms.copy()
    del result[list(indices)]
    return result


def rounded(atoms: Atoms) -> Atoms:
    """A copy with positions and cell as they are stored; labels are computed for these."""
    result = atoms.copy()
    result.set_cell(np.asarray(result.cell).round(DECIMALS))
    result.positions = result.positions.round(DECIMALS)
    return result


def trajectory(
    path: CrystalPath, calculator: Calculator, generator: np.random.Generator
) -> Iterator[Atoms]:
    """Structures along Langevin dynamics at constant volume.

    The trajectory continues from rounded positions and momenta, so that rounding errors, which
    differ between machines, do not grow from one structure to the next.

    Args:
        path: start and sampling.
        calculator: the potential.
        generator: random numbers of velocities and thermostat.
    """
    from ase import units
    from ase.md.langevin import Langevin

    atoms = path.atoms.copy()
    atoms.calc = calculator
    spread = np.sqrt(atoms.get_masses() * units.kB * path.kelvin)[:, None]
    atoms.set_momenta(spread * generator.standard_normal((len(atoms), 3)))
    for _ in range(path.frames):
        dynamics = Langevin(
            atoms, path.femtoseconds * units.fs, temperature_K=path.kelvin, rng=generator,
            friction=_FRICTION_PER_FS / units.fs, fixcm=False,
        )  # fmt: skip
        dynamics.run(path.steps)
        atoms.positions = atoms.positions.round(DECIMALS)
        atoms.set_momenta(atoms.get_momenta().round(DECIMALS))
        yield rounded(atoms)


def labelled(atoms: Atoms, calculator: Calculator, **entries: object) -> Atoms:
    """A copy with energy and forces, and the stress if it is periodic in three directions.

    Args:
        atoms: the structure.
        calculator: the potential.
        entries: further entries of the file, such as ``config_type``.
    """
    from ase.calculators.singlepoint import SinglePointCalculator

    atoms = atoms.copy()
    atoms.calc = calculator
    results = {
        "energy": round(float(atoms.get_potential_energy()), DECIMALS),
        "forces": atoms.get_forces().round(DECIMALS) + 0.0,  # no negative zeros
    }
    if atoms.pbc.all():
        results["stress"] = atoms.get_stress().round(_STRESS_DECIMALS) + 0.0
    result = atoms.copy()
    result.arrays = {name: result.arrays[name] for name in ("numbers", "positions")}
    result.positions += 0.0
    result.info = dict(entries)
    result.calc = SinglePointCalculator(result, **results)
    return result


def split_of_paths(kinds: Sequence[str], generator: np.random.Generator) -> list[str]:
    """The split of each path: a tenth of each kind, at least one, for validation and for testing.

    Args:
        kinds: the kind of each path; each has at least three paths.
        generator: random numbers of the choice.
    """
    found = ["train"] * len(kinds)
    for kind in dict.fromkeys(kinds):
        members = [i for i, name in enumerate(kinds) if name == kind]
        held_out = max(1, round(len(members) / 10))
        order = generator.permutation(members)
        for part, chosen in (("val", order[:held_out]), ("test", order[held_out : 2 * held_out])):
            for i in chosen:
                found[i] = part
    return found


def write_parts(frames: Sequence[tuple[str, Atoms]], files: dict[str, Path]) -> None:
    """Write the structures of each split to a compressed extended-XYZ file.

    Args:
        frames: split and structure.
        files: path of each split, ``<name>.extxyz.xz``.
    """
    for part in _PARTS:
        chosen = [atoms for name, atoms in frames if name == part]
        with atomic_path(files[part]) as partial:
            partial.write_bytes(lzma.compress(_extxyz(chosen), preset=9 | lzma.PRESET_EXTREME))


def text_hash(path: Path) -> str:
    """SHA-256 of the decompressed file: of its values rounded to their stored decimals.

    Raises:
        lzma.LZMAError: If the file is corrupt.
    """
    return hashlib.sha256(lzma.decompress(path.read_bytes())).hexdigest()


def _extxyz(frames: Sequence[Atoms]) -> bytes:
    from ase.io.extxyz import write_xyz

    text = io.StringIO()
    write_xyz(text, frames, write_results=True)
    return text.getvalue().encode()
