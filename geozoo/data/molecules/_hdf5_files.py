"""HDF5 files with a group per molecule: the layouts of ANI, SPICE and QM7-X.

Every group that holds atomic numbers and positions is a molecule: ``[N]`` and ``[n, N, 3]``, with
further arrays per geometry (ANI-1x, SPICE), or ``[N]`` and ``[N, 3]`` for a single geometry
(QM7-X). Nothing is unpickled, and no array takes more memory than the file stores.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from geozoo.data.molecules._geometry_arrays import NUMBERS, POSITIONS, GeometryArrays
from geozoo.data.molecules.units import stated_unit
from geozoo.files.hdf5_arrays import is_link, open_hdf5, stored_dataset, stored_groups

if TYPE_CHECKING:
    from ase import Atoms

#: Levels of groups that are searched for molecules.
_DEPTH = 4
#: Ends of the names of energies in files without units: those of ANI-1x are in hartree.
_ANI = (".energy", ".forces")


def hdf5_atoms(path: Path) -> Iterator[Atoms]:
    """The structures of a file, in its units, in the order of its groups.

    Raises:
        ImportError: If h5py is not installed.
        ValueError: If the file is corrupt, or has no group with numbers and positions.
    """
    with open_hdf5(path) as file:
        molecules = _molecules(file, _DEPTH)
        first = next(molecules, None)
        if first is None:
            raise ValueError(
                f"no group holds atomic numbers ({', '.join(NUMBERS)}) and positions "
                f"({', '.join(POSITIONS)}); there are {', '.join(list(file)[:8]) or 'no groups'}"
            )
        for group in chain([first], molecules):
            yield from _geometries(group).atoms()


def hdf5_units(path: Path) -> tuple[str | None, str | None]:
    """The units of energy and length that the file states, or that its layout has; None: unknown.

    Those of the first molecule: attributes ``units`` (SPICE), or hartree and angstrom for levels
    of theory in the names of energies (ANI-1x), or eV and angstrom (QM7-X).
    """
    with open_hdf5(path) as file:
        group = next(_molecules(file, _DEPTH), None)
        if group is None:
            return None, None
        names = list(group)
        if any(name.endswith(_ANI) for name in names):
            return "hartree", "angstrom"
        if "atXYZ" in names:
            return "eV", "angstrom"
        energies = [name for name in names if "energy" in name.lower()]
        positions = [name for name in POSITIONS if name in names]
        return _stated(group, energies), _stated(group, positions)


def _stated(group: Any, names: list[str]) -> str | None:
    """The unit that all of some arrays state in an attribute ``units``."""
    texts = {group[name].attrs.get("units") for name in names}
    if len(texts) != 1:
        return None
    (text,) = texts
    text = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return stated_unit(str(text))


def _molecules(group: Any, depth: int) -> Iterator[Any]:
    """Groups with numbers and positions, at any level."""
    names = [name for name in group if not is_link(group, name)]
    if _first(NUMBERS, names) and _first(POSITIONS, names):
        yield group
    elif depth:
        for _, node in stored_groups(group):
            yield from _molecules(node, depth - 1)


def _geometries(group: Any) -> GeometryArrays:
    """The numeric arrays of a molecule; a link among them is refused, not followed."""
    arrays = {
        name: np.asarray(stored_dataset(group, name)[()])
        for name in group
        if is_link(group, name) or _is_numeric(group[name])
    }
    where = f"group {group.name}"
    numbers = arrays.pop(_first(NUMBERS, [*arrays]) or "", np.zeros(0))
    pos = arrays.pop(_first(POSITIONS, [*arrays]) or "", np.zeros(0))
    molecule = group.name
    if pos.ndim == 2:  # a single geometry, in a group of its molecule (QM7-X)
        molecule = group.name.rpartition("/")[0] or group.name
        pos = pos[None]
        arrays = {name: array[None] for name, array in arrays.items()}
    return GeometryArrays(numbers, pos, arrays, where, molecule)


def _is_numeric(node: Any) -> bool:
    """Whether an entry is an array of numbers with at most three axes."""
    return hasattr(node, "dtype") and node.dtype.kind in "fiu" and node.ndim <= 3


def _first(known: tuple[str, ...], names: list[str]) -> str | None:
    return next((name for name in known if name in names), None)
