"""Reading structures through ASE; errors name the frame."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

import numpy as np

from geozoo.data.molecules._ase_databases import database_atoms
from geozoo.data.molecules._electronic_states import (
    UNSPECIFIED,
    ElectronicState,
    closed_shell_by_default,
    key_of,
    names_in,
    state_of,
)
from geozoo.data.molecules._frame_cells import cell_of, check_distances
from geozoo.data.molecules._geometry_arrays import MOLECULE, UNKNOWN
from geozoo.data.molecules._hdf5_files import hdf5_atoms, hdf5_units
from geozoo.data.molecules._npz_frames import npz_atoms, npz_units
from geozoo.data.molecules._qm9_bonds import Bonds
from geozoo.data.molecules._sdf_file import sdf_molecules
from geozoo.data.molecules._unwrapping import unwrapped
from geozoo.data.molecules.units import length_factor
from geozoo.files.contents import report_contents
from geozoo.files.progress import progress_bar

if TYPE_CHECKING:
    from ase import Atoms

#: Size in bytes from which a file has a progress bar.
_LONG = 20_000_000
#: Entry in which the parser keeps all nine numbers of a stress, of which ASE drops three.
_FULL_STRESS = "_geozoo_stress"
#: A label, and a duplicate of the energy: neither is reported as unread.
KNOWN = {"config_type", "free_energy"}
#: Readers of files that ASE does not read, or of which it leaves out data, by suffix.
OTHER_FORMATS = {
    ".npz": npz_atoms, ".h5": hdf5_atoms, ".hdf5": hdf5_atoms, ".db": database_atoms,
    ".aselmdb": database_atoms,
}  # fmt: skip
_STATED = {".npz": npz_units, ".h5": hdf5_units, ".hdf5": hdf5_units}


class Structure(NamedTuple):
    """An atomic structure.

    Attributes:
        numbers: ``[N]`` atomic numbers.
        pos: ``[N, 3]`` in angstrom; atoms of a periodic structure may lie outside its cell.
        periodic: original positions, cell and pbc if the cell is ignored; ``pos`` is then
            unwrapped, so that every molecule is in one piece.
        state: total charge and spin from the file, for models that take them as inputs.
        bonds: bonds from the file; None if it has none.
        cell: ``[3, 3]`` lattice vectors as rows, in angstrom; None for an isolated molecule, and
            if the cell is ignored.
        pbc: ``[3]`` whether the structure is periodic along each of them; None like ``cell``.
    """

    numbers: np.ndarray
    pos: np.ndarray
    periodic: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
    state: ElectronicState = UNSPECIFIED
    bonds: Bonds | None = None
    cell: np.ndarray | None = None
    pbc: np.ndarray | None = None


def read_structures(
    path: Path, *, ignore_cell: bool = False, length_unit: str = "angstrom",
    inputs: Collection[str] = (),
) -> list[Structure]:  # fmt: skip
    """Read all structures of a file without energies and forces, and log which entries were read.

    Args:
        path: any file that ASE reads.
        length_unit: unit of positions and cells in the file, ``"angstrom"`` or ``"bohr"``.
        ignore_cell: treat periodic structures as isolated, with a warning; molecules across the
            cell boundary are unwrapped.
        inputs: ``charge`` and ``spin`` if the model takes them as inputs, for the log.

    Raises:
        ImportError: If ASE is not installed.
        FileNotFoundError: If the file does not exist.
        ValueError: If ASE cannot read the file, it has no structures, or one of them is invalid,
            see `structure_of`.
    """
    found: list[Structure] = []
    names: set[str] = set()
    for structure, _, there in structures_with_entries(
        path, ignore_cell=ignore_cell, length_unit=length_unit
    ):
        names |= there
        found.append(structure)
    if not found:
        raise ValueError(f"path: {path} contains no structures")
    warn_of_ignored_cells(found, path.name)
    has_bonds = any(structure.bonds is not None for structure in found)
    has_cell = any(structure.cell is not None for structure in found)
    read = ["elements", "positions"]
    read += [name for name, has in (("bonds", has_bonds), ("cell", has_cell)) if has]
    keys = {key_of(structure.state, name) for structure in found for name in inputs}
    read += sorted(keys & names)
    report_contents(path.name, read, names - KNOWN - keys)
    return found


def warn_of_ignored_cells(structures: Collection[Structure], source: str) -> None:
    """Warn of periodic structures whose cell is ignored.

    Args:
        structures: the structures.
        source: file name.
    """
    if count := sum(structure.periodic is not None for structure in structures):
        warnings.warn(
            f"{count} periodic structures of {source} are treated as isolated: interactions "
            "across the cell boundary are missing", stacklevel=3,
        )  # fmt: skip


def structures_with_entries(
    path: Path, wanted: Collection[str] = (), *, ignore_cell: bool = False,
    length_unit: str = "angstrom",
) -> Iterator[tuple[Structure, dict[str, Any], set[str]]]:  # fmt: skip
    """The structures of a file, each with some of its entries and the names of all entries.

    Args:
        path: any file that ASE reads, or an SDF file.
        wanted: names of entries, which then do not count as charge or spin of the structure.
        ignore_cell: see `read_structures`.
        length_unit: see `read_structures`.

    Raises:
        ValueError: See `read_structures`.
    """
    factor = length_factor(length_unit)
    check_stated_units(path, length_unit=length_unit)
    for number, (atoms, bonds) in enumerate(_atoms_and_bonds(path)):
        names = names_in(atoms)
        entries = _taken(atoms, wanted)
        if length_unit != "angstrom":
            atoms.set_cell(np.asarray(atoms.cell) * factor)
            atoms.positions *= factor
        structure = structure_of(atoms, f"{path}, frame {number}", ignore_cell=ignore_cell)
        if path.suffix.lower() == ".sdf":
            structure = structure._replace(state=closed_shell_by_default(structure.state))
        yield structure._replace(bonds=bonds), entries, names


def _taken(atoms: Atoms, wanted: Collection[str]) -> dict[str, Any]:
    """Entries of a structure, which are removed from it."""
    results: dict[str, Any] = getattr(atoms.calc, "results", {})
    found = {}
    for name in set(wanted) - {"numbers", "positions"}:
        values = [each.pop(name) for each in (atoms.info, atoms.arrays, results) if name in each]
        if values:
            found[name] = values[0]
    return found


def _atoms_and_bonds(path: Path) -> Iterator[tuple[Atoms, Bonds | None]]:
    # ASE reads only the first molecule of an SDF file, and no bonds.
    if path.suffix.lower() == ".sdf":
        yield from sdf_molecules(path)
    else:
        for atoms in read_atoms(path):
            atoms.info.pop(UNKNOWN, None)
            atoms.info.pop(MOLECULE, None)
            yield atoms, None


def check_stated_units(path: Path, *, length_unit: str, energy_unit: str | None = None) -> None:
    """Check that the given units are those that a file states, or that its layout has.

    Args:
        path: any file; most state no units.
        length_unit: unit of positions and cells.
        energy_unit: unit of energies; None: none are read.

    Raises:
        ValueError: If a unit differs; the message says which to give.
    """
    stated = _STATED.get(path.suffix.lower())
    if stated is None or not path.is_file():
        return
    energy, length = stated(path)
    for name, given, found in (
        ("energy_unit", energy_unit, energy), ("length_unit", length_unit, length),
    ):  # fmt: skip
        if found is not None and given is not None and given.lower() != found.lower():
            raise ValueError(f"{name} must be {found}, that of {path.name}, got {given}")


def structure_of(atoms: Atoms, where: str, *, ignore_cell: bool = False) -> Structure:
    """The validated elements, positions and cell of an ASE structure, and its charge and spin.

    Args:
        atoms: the structure; positions in angstrom.
        where: what messages call it.
        ignore_cell: treat a periodic structure as isolated; molecules across the cell boundary are
            unwrapped.

    Raises:
        ValueError: If there are no atoms, positions or cell are not finite, the cell lacks a vector
            or volume, atoms coincide, or an element is unknown; the message begins with ``where``.
    """
    numbers, pos = checked_atoms(atoms, where)
    state = state_of(atoms)
    if not ignore_cell:
        cell = cell_of(atoms, where)
        check_distances(pos, where, cell)
        if cell is None:
            return Structure(numbers, pos, state=state)
        return Structure(numbers, pos, state=state, cell=cell.vectors, pbc=cell.pbc)
    check_distances(pos, where)
    if not atoms.pbc.any():
        return Structure(numbers, pos, state=state)
    vectors, pbc = np.asarray(atoms.cell), np.asarray(atoms.pbc)
    molecules = unwrapped(numbers, pos, vectors, pbc, where)
    return Structure(numbers, molecules, (pos, vectors, pbc), state)


def checked_atoms(
    atoms: Atoms, where: str, to_angstrom: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Atomic numbers and positions in angstrom.

    Raises:
        ValueError: If there are no atoms, an element is unknown, or a position is not finite.
    """
    if len(atoms) == 0:
        raise ValueError(f"{where} has no atoms")
    pos = np.asarray(atoms.positions, dtype=np.float64) * to_angstrom
    if not np.isfinite(pos).all():
        raise ValueError(f"{where}: pos contains NaN or infinite values")
    numbers = atoms.numbers.astype(np.int64)
    if (numbers < 1).any():
        raise ValueError(f"{where}: atoms of unknown element (X) are not supported")
    return numbers, pos


def with_progress(path: Path) -> Generator[Atoms]:
    """As `read_atoms`, with a progress bar for a long extended-XYZ file."""
    if not path.is_file() or path.stat().st_size < _LONG:
        yield from read_atoms(path)
        return
    with progress_bar(f"Reading {path.name}", path.stat().st_size) as advance:
        yield from read_atoms(path, advance)


def read_atoms(
    path: Path, advance: Callable[[int], None] | None = None, *, called: str = "path"
) -> Iterator[Atoms]:
    """The structures of a file, one by one, as ASE reads them.

    A stress with nine numbers in an extended-XYZ file stays a ``[3, 3]`` matrix.

    Args:
        path: the file.
        advance: called with numbers of bytes that were read.
        called: name of the argument, for messages.

    Raises:
        ImportError: If ASE is not installed.
        FileNotFoundError: If the file does not exist.
        ValueError: If it is empty, or ASE cannot read it.
    """
    try:
        from ase.io import iread
        from ase.io.formats import filetype
    except ImportError as error:
        raise ImportError(
            'reading structure files requires ASE: pip install "geozoo[molecules]"'
        ) from error
    if not path.is_file():
        raise FileNotFoundError(f"{called}: there is no file {path}")
    if path.stat().st_size == 0:
        raise ValueError(f"{called}: {path} is empty")
    if reader := OTHER_FORMATS.get(path.suffix.lower()):
        yield from _read_other(path, reader, called)
        return
    try:
        kind = filetype(str(path), guess=True)
        own: dict[str, Any] = {"properties_parser": _Header()} if kind == "extxyz" else {}
        with _opened(path, kind) as (source, position):
            done = 0
            # By default ASE takes what follows an @ in a name, such as water@300K.xyz, as an index.
            for atoms in iread(source, ":", kind, do_not_split_by_at_sign=True, **own):
                stress = atoms.info.pop(_FULL_STRESS, None)
                if stress is not None:
                    atoms.calc.results["stress"] = stress
                yield atoms
                if advance is not None and (now := position()) > done:
                    advance(now - done)
                    done = now
    except Exception as error:  # ASE's readers raise many different exceptions
        raise ValueError(f"{called}: ASE cannot read {path}: {error}") from error


def _read_other(
    path: Path, reader: Callable[[Path], Iterator[Atoms]], called: str
) -> Iterator[Atoms]:
    try:
        yield from reader(path)
    except ImportError:
        raise
    except Exception as error:  # of the libraries of these formats
        raise ValueError(f"{called}: {path} cannot be read: {error}") from error


@contextmanager
def _opened(path: Path, kind: str) -> Iterator[tuple[str | TextIO, Callable[[], int]]]:
    """What ASE reads from, and the position in it: the open file if possible."""
    if kind != "extxyz" or path.suffix in (".gz", ".bz2", ".xz"):
        yield str(path), lambda: 0
        return
    with path.open("rb") as file:
        yield io.TextIOWrapper(file, encoding="utf-8"), file.tell


class _Header:
    """Parses the second line of each frame of an extended-XYZ file."""

    def __init__(self) -> None:
        self._number = 0

    def __call__(self, line: str) -> dict[str, Any]:
        """The entries of the line.

        Raises:
            ValueError: As in ASE; the message names the frame.
        """
        from ase.io.extxyz import key_val_str_to_dict

        try:
            entries: dict[str, Any] = key_val_str_to_dict(line)
        except Exception as error:
            raise ValueError(f"frame {self._number}: {error}") from error
        self._number += 1
        if "stress" in entries:
            entries[_FULL_STRESS] = entries["stress"]
        return entries
