"""``.npz`` files of trajectories: the layouts of MD17, rMD17, MD22 and sGDML."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from geozoo.data.molecules._geometry_arrays import NUMBERS, POSITIONS, GeometryArrays
from geozoo.data.molecules.units import stated_unit
from geozoo.files.numpy_arrays import npz_names, npz_text, read_npz

if TYPE_CHECKING:
    from ase import Atoms

#: Arrays with the units of energies and of lengths.
_UNITS = ("e_unit", "r_unit")
#: Arrays of these kinds of names are texts, which sGDML adds.
_TEXTS = ("type", "name", "theory", "md5", "code_version", *_UNITS)


def npz_atoms(path: Path) -> Iterator[Atoms]:
    """The structures of a file, in its units.

    Raises:
        ValueError: If the file is corrupt, or lacks numbers or positions.
    """
    names = npz_names(path)
    arrays = read_npz(path, [name for name in names if name not in _TEXTS], is_reported=False)
    numbers = next((arrays.pop(name) for name in NUMBERS if name in arrays), None)
    pos = next((arrays.pop(name) for name in POSITIONS if name in arrays), None)
    if numbers is None or pos is None:
        raise ValueError(
            f"it must hold atomic numbers ({', '.join(NUMBERS)}) and positions "
            f"({', '.join(POSITIONS)}), got {', '.join(names) or 'nothing'}"
        )
    yield from GeometryArrays(numbers, pos, arrays, "the file").atoms()


def npz_units(path: Path) -> tuple[str | None, str | None]:
    """The units of energy and length that the file states; None: unknown."""
    there = npz_names(path)
    energy, length = (
        stated_unit(npz_text(path, name)) if name in there else None for name in _UNITS
    )
    return energy, length
