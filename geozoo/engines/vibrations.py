"""Normal modes of molecules and crystals from their Hessian."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms, units
from ase.constraints import FixAtoms
from ase.vibrations import VibrationsData

#: Radius of gyration about an axis, relative to the largest, up to which a molecule is linear.
_LINEAR = 1e-2


@dataclass(frozen=True)
class NormalModes:
    """Harmonic vibrations without the rigid motions.

    Attributes:
        data: ASE's analysis of the Hessian, from which rigid motions are projected out.
        rigid: ``[3 n]`` which of its modes are rigid motions; the frequency of those is 0.
    """

    data: VibrationsData
    rigid: np.ndarray

    @property
    def energies(self) -> np.ndarray:
        """Energies of the vibrations in eV, ascending; negative for imaginary ones."""
        found = self.data.get_energies()[~self.rigid]
        return np.where(np.abs(found.imag) > np.abs(found.real), -np.abs(found.imag), found.real)

    @property
    def frequencies(self) -> np.ndarray:
        """Frequencies of the vibrations in cm^-1; negative for imaginary ones."""
        return self.energies / units.invcm

    @property
    def displacements(self) -> np.ndarray:
        """Cartesian displacements ``[M, N, 3]`` of the vibrations, as `VibrationsData` has them."""
        return self.data.get_modes(all_atoms=True)[~self.rigid]

    @property
    def zero_point_energy(self) -> float:
        """Half the sum of the energies of all real vibrations, in eV."""
        return float(0.5 * self.energies.clip(min=0.0).sum())

    def frames(self) -> list[Atoms]:
        """The structure once per vibration.

        The array ``mode`` holds its displacements, ``frequency_cm-1`` its frequency (negative if
        imaginary), as `VibrationsData.write_jmol` writes them.
        """
        frames = []
        for number, mode in enumerate(self.displacements):
            frame = self.data.get_atoms()
            frame.info |= {
                "mode#": number, "frequency_cm-1": round(float(self.frequencies[number]), 4),
            }  # fmt: skip
            frame.set_array("mode", mode)
            frames.append(frame)
        return frames


def normal_modes(atoms: Atoms, hessian: np.ndarray) -> NormalModes:
    """The normal modes of a structure.

    Translations are projected out, and rotations: all of a molecule (two if it is linear), that
    about the axis of a wire, none of slabs and crystals. With fixed atoms, only the others move and
    nothing is projected out.

    Args:
        atoms: the structure, at a minimum of its energy; with ``FixAtoms`` or without constraints.
        hessian: ``[N, 3, N, 3]`` in eV/angstrom^2, of all atoms.

    Raises:
        ValueError: If the shapes do not match, a mass is 0, all atoms are fixed, or there are other
            constraints.
    """
    count = len(atoms)
    if np.shape(hessian) != (count, 3, count, 3):
        raise ValueError(
            f"hessian must have the shape {(count, 3, count, 3)}, got {np.shape(hessian)}"
        )
    other = [type(each).__name__ for each in atoms.constraints if not isinstance(each, FixAtoms)]
    if other:
        raise ValueError(f"constraints must be FixAtoms, got {', '.join(other)}")
    free = VibrationsData.indices_from_constraints(atoms)
    if not free or not atoms.get_masses().all():
        raise ValueError("atoms must have masses, and one of them must be free to move")
    block = np.asarray(hessian)[np.ix_(free, range(3), free, range(3))]
    square = block.reshape(3 * len(free), 3 * len(free))
    square = (square + square.T) / 2
    root = np.repeat(np.sqrt(atoms.get_masses()[free]), 3)
    motions = rigid_motions(atoms) if len(free) == count else np.zeros((len(root), 0))
    weighted = square / np.outer(root, root)
    rest = np.eye(len(root)) - motions @ motions.T
    projected = rest @ weighted @ rest * np.outer(root, root)
    data = VibrationsData.from_2d(atoms, projected, free)
    vectors = data.get_modes().reshape(len(root), -1) * root
    rigid = np.zeros(len(root), dtype=bool)
    # Degenerate with nothing else: a vibration has no share of the rigid motions.
    rigid[np.argsort(-np.linalg.norm(vectors @ motions, axis=1))[: motions.shape[1]]] = True
    return NormalModes(data, rigid)


def rigid_motions(atoms: Atoms) -> np.ndarray:
    """Orthonormal rigid motions ``[3 N, K]`` in coordinates weighted by the roots of masses."""
    root = np.sqrt(atoms.get_masses())[:, None]
    shifts = [(root * axis).ravel() for axis in np.eye(3)]
    apart = atoms.positions - atoms.get_center_of_mass()
    periodic = np.flatnonzero(atoms.pbc)
    axes = {0: np.eye(3), 1: np.asarray(atoms.cell)[periodic]}.get(len(periodic), np.zeros((0, 3)))
    axes = axes / np.linalg.norm(axes, axis=1, keepdims=True)
    turns = np.array([(root * np.cross(axis, apart)).ravel() for axis in axes])
    found = [np.linalg.qr(np.stack(shifts, 1))[0]]
    if len(turns):
        _, sizes, rows = np.linalg.svd(turns, full_matrices=False)
        scale = max(float(np.linalg.norm(root * apart)), 1e-12)
        found.append(rows[sizes > _LINEAR * scale].T)
    return np.concatenate(found, axis=1)
