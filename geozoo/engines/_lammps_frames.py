"""Structures in LAMMPS' memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

#: Bits of each of the three counts in an image flag, by bytes of the flag.
_IMAGE_BITS = {4: 10, 8: 21}


@dataclass(frozen=True)
class Frame:
    """A structure, its atoms in the order of their IDs.

    Attributes:
        step: time step.
        pos: ``[N, 3]`` positions in angstrom, not wrapped into the cell.
        numbers: ``[N]`` atomic numbers.
        cell: ``[3, 3]`` lattice vectors in rows, in angstrom; None without periodic directions.
        pbc: ``[3]`` periodic directions.
        tag: ``[N]`` atom IDs.
        velocities: ``[N, 3]`` in LAMMPS' units, those of half a step before.
    """

    step: int
    pos: np.ndarray
    numbers: np.ndarray
    cell: np.ndarray | None
    pbc: np.ndarray
    tag: np.ndarray
    velocities: np.ndarray

    def write(self, path: Path) -> None:
        """Write it as extended XYZ, with the velocities as they are in LAMMPS."""
        from ase import Atoms
        from ase.io import write

        atoms = Atoms(self.numbers, self.pos, cell=self.cell, pbc=self.pbc)
        atoms.info["step"] = self.step
        atoms.new_array("id", self.tag)
        atoms.new_array("lammps_velocities", self.velocities)
        write(path, atoms, format="extxyz")


class LammpsFrames:
    """Reads structures from a LAMMPS instance, during its callbacks.

    Args:
        lmp: the instance.
        numbers: atomic number of each type, at its index from 1.
    """

    def __init__(self, lmp: Any, numbers: np.ndarray) -> None:
        self._lmp, self._numbers = lmp, numbers
        self._bits = _IMAGE_BITS[lmp.extract_setting("imageint")]
        self._origin: tuple[np.ndarray, np.ndarray] | None = None

    def read(self, step: int, tag: np.ndarray, pos: np.ndarray) -> tuple[Frame, np.ndarray]:
        """The structure, and the row in LAMMPS of each of its atoms.

        Args:
            step: time step.
            tag: ``[N]`` atom IDs.
            pos: ``[N, 3]`` positions in LAMMPS.

        Raises:
            ValueError: If atoms have left the box, or have no IDs.
        """
        lmp, count = self._lmp, len(tag)
        total = int(lmp.get_natoms())
        if count != total:
            raise ValueError(
                f"{total - count} of {total} atoms have left the box at step {step}: the structure "
                "flies apart, or the box is too small"
            )
        if count and tag.min() < 1:
            raise ValueError("atoms must have IDs in LAMMPS, got atom_modify id no")
        order = np.argsort(tag, kind="stable")
        type_of = lmp.numpy.extract_atom("type", nelem=count)
        velocities = lmp.numpy.extract_atom("v", nelem=count, dim=3)
        pbc, cell, vectors = self._box()
        tag = np.array(tag)[order]
        turns = self._turns(tag, lmp.numpy.extract_atom("image", nelem=count)[order])
        frame = Frame(
            step, np.array(pos)[order] + (turns * pbc) @ vectors, self._numbers[type_of[order]],
            cell, pbc, tag, np.array(velocities)[order],
        )  # fmt: skip
        return frame, order

    def _box(self) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
        low, high, xy, yz, xz, periodic, _ = self._lmp.extract_box()
        (a, b, c), pbc = np.subtract(high, low), np.array(periodic, dtype=bool)
        vectors = np.array([[a, 0.0, 0.0], [xy, b, 0.0], [xz, yz, c]])
        return pbc, vectors if pbc.any() else None, vectors

    def _turns(self, tag: np.ndarray, image: np.ndarray) -> np.ndarray:
        """Images that atoms have moved by, so that their positions do not jump when wrapped.

        They are counted from where the atoms are when one has moved by more than one image, which
        keeps positions small enough for float32.
        """
        bits, middle = self._bits, 1 << (self._bits - 1)
        shifts = np.array([0, bits, 2 * bits])
        images = ((image[:, None].astype(np.int64) >> shifts) & ((1 << bits) - 1)) - middle
        if self._origin is None or not np.array_equal(self._origin[0], tag) or (
            np.abs(images - self._origin[1]).max(initial=0) > 1
        ):  # fmt: skip
            self._origin = tag, images
        turns: np.ndarray = images - self._origin[1]
        return turns
