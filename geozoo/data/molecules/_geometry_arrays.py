"""Arrays of many geometries of one molecule, as ASE structures with labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms

#: Names of atomic numbers and of positions in the published files that are read.
NUMBERS = ("atomic_numbers", "nuclear_charges", "numbers", "z", "Z", "atNUM")
POSITIONS = ("conformations", "coordinates", "coords", "positions", "pos", "R", "atXYZ")
#: What other names of energies and forces become, so that no key must be given.
_ENERGIES = ("energy", "energies", "E", "dft_total_energy", "ePBE0+MBD")
_FORCES = ("forces", "F", "totFOR")
_GRADIENTS = ("dft_total_gradient",)
_CELLS = ("cell", "lattice")
#: Entry of a structure with the names of its labels that are NaN: these are unknown.
UNKNOWN = "_geozoo_unknown"
#: Entry of a structure with its molecule in an HDF5 file.
MOLECULE = "_geozoo_molecule"
#: Begin of the names of values that are matrices of the structure, not vectors of three atoms.
_OF_STRUCTURE = ("stress", "virial", "cell", "lattice", "dipole", "quadrupole", "pbc")


@dataclass(frozen=True)
class GeometryArrays:
    """Geometries of one molecule or crystal with labels, in the units of a file.

    Attributes:
        numbers: atomic numbers ``[N]`` of all geometries, or ``[n, N]``, zero for padding.
        pos: positions ``[n, N, 3]``.
        values: further arrays by name; those of the shapes ``[n]``, ``[n, 1]``, ``[n, 3]``,
            ``[n, 3, 3]``, ``[n, N]`` and ``[n, N, 3]`` are labels, the others are not read.
        where: what messages call it.
        group: the molecule in an HDF5 file; None: there is only one.
    """

    numbers: np.ndarray
    pos: np.ndarray
    values: Mapping[str, np.ndarray]
    where: str
    group: str | None = None

    def __post_init__(self) -> None:
        """Check that numbers and positions belong together."""
        shape = self.pos.shape
        if self.pos.ndim != 3 or shape[2] != 3:
            raise ValueError(f"{self.where}: positions must be [n, N, 3], got {list(shape)}")
        if self.numbers.shape not in (shape[1:2], shape[:2]):
            raise ValueError(
                f"{self.where}: atomic numbers must be [{shape[1]}] or [{shape[0]}, {shape[1]}], "
                f"as the positions, got {list(self.numbers.shape)}"
            )
        if self.numbers.dtype.kind not in "iu" and not _is_whole(self.numbers):
            raise ValueError(f"{self.where}: atomic numbers must be whole numbers")

    def atoms(self) -> Iterator[Atoms]:
        """The geometries, one by one."""
        from ase import Atoms
        from ase.calculators.singlepoint import SinglePointCalculator

        labels = _renamed(self.values)
        cells = next((labels.pop(name) for name in _CELLS if name in labels), None)
        pbc = labels.pop("pbc", None)
        numbers = np.broadcast_to(self.numbers.astype(int), self.pos.shape[:2])
        for row, (z, pos) in enumerate(zip(numbers, self.pos, strict=True)):
            there = z > 0
            found = Atoms(numbers=z[there], positions=pos[there].astype(np.float64))
            if cells is not None:
                found.cell = cells[row] if cells.ndim == 3 else cells
                periodic = True if pbc is None else pbc[row] if pbc.ndim == 2 else pbc
                found.pbc = np.broadcast_to(periodic, 3).astype(bool)
            if self.group is not None:
                found.info[MOLECULE] = self.group
            results = {}
            for name, value in self._labels_of(row, there, labels):
                if not np.isfinite(value).all():
                    found.info.setdefault(UNKNOWN, set()).add(name)
                elif name in ("energy", "forces"):
                    results[name] = value
                elif value.ndim and len(value) == len(found) and not _is_of_structure(name):
                    found.arrays[name] = value
                else:
                    found.info[name] = value if value.ndim else value.item()
            if results:
                found.calc = SinglePointCalculator(found, **results)
            yield found

    def _labels_of(
        self, row: int, there: np.ndarray, labels: Mapping[str, np.ndarray]
    ) -> Iterator[tuple[str, np.ndarray]]:
        """Names and values of one geometry's labels; padding is cut off."""
        count, size = self.pos.shape[:2]
        for name, values in labels.items():
            if values.ndim == 0 or len(values) != count or values.dtype.kind not in "fiu":
                continue
            value = values[row]
            of_atoms = value.shape[:1] == (size,) and not _is_of_structure(name)
            if of_atoms and value.shape[1:] in ((), (1,), (3,)):
                yield name, value[there].reshape(-1, *([3] if value.shape[1:] == (3,) else []))
            elif value.shape in ((), (1,)):
                yield name, value.reshape(())
            elif value.shape in ((3,), (3, 3)):
                yield name, value


def _renamed(values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The labels with energies and forces under these names, where that is unambiguous."""
    names = {name: name for name in values}
    for known, plain in ((_ENERGIES, "energy"), ((*_FORCES, *_GRADIENTS), "forces")):
        there = [name for name in known if name in values]
        if there and plain not in values:
            names[there[0]] = plain
    return {names[name]: -value if name in _GRADIENTS else value for name, value in values.items()}


def _is_of_structure(name: str) -> bool:
    return name.lower().startswith(_OF_STRUCTURE)


def _is_whole(numbers: np.ndarray) -> bool:
    return bool(np.isfinite(numbers).all() and (numbers == np.round(numbers)).all())
