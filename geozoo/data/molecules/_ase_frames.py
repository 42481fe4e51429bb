"""Reading structures with energies and forces through ASE; errors name the frame."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from geozoo.data.molecules._electronic_states import (
    UNSPECIFIED,
    ElectronicState,
    names_in,
    state_of,
)
from geozoo.data.molecules._qm9_bonds import Bonds
from geozoo.data.molecules._sdf_file import sdf_molecules
from geozoo.data.molecules._unwrapping import unwrapped
from geozoo.data.molecules.units import energy_factor, length_factor
from geozoo.files.contents import report_contents

if TYPE_CHECKING:
    from ase import Atoms

#: A label, and a duplicate of the energy: neither is reported as unread.
_KNOWN = {"config_type", "free_energy"}
#: Tolerance in meV for repeated energies of the same isolated atom.
_SAME_ENERGY = 1e-3
#: Smallest plausible distance between atoms in angstrom; less is an error of the file or its unit.
_CLOSEST = 0.1


@dataclass(frozen=True)
class FrameOptions:
    """How to interpret a structure file.

    Attributes:
        energy_unit: unit of the energies.
        length_unit: unit of the positions; forces are in energy unit per length unit.
        energy_key: key of the energy; ``None`` for the calculator's result.
        forces_key: key of the forces; ``None`` for the calculator's result.
        ignore_cell: treat periodic structures as isolated.
    """

    energy_unit: str
    length_unit: str
    energy_key: str | None
    forces_key: str | None
    ignore_cell: bool

    def __post_init__(self) -> None:
        """Validate the units before a long file is read."""
        energy_factor(self.energy_unit)
        length_factor(self.length_unit)


class Structure(NamedTuple):
    """An atomic structure.

    Attributes:
        numbers: ``[N]`` atomic numbers.
        pos: ``[N, 3]`` in angstrom.
        periodic: original positions, cell and pbc if the cell is ignored; ``pos`` is then
            unwrapped, so that every molecule is in one piece.
        state: total charge and spin from the file, which no model here uses.
        bonds: bonds from the file; None if it has none.
    """

    numbers: np.ndarray
    pos: np.ndarray
    periodic: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
    state: ElectronicState = UNSPECIFIED
    bonds: Bonds | None = None


@dataclass(frozen=True)
class Frames:
    """Structures of one file in meV and angstrom, concatenated over atoms.

    Attributes:
        num_atoms: ``[S]``.
        numbers: ``[N]`` atomic numbers.
        pos: ``[N, 3]`` relative to the mean position of each structure.
        forces: ``[N, 3]``.
        energy: ``[S]``.
        num_periodic: number of structures whose cell was ignored.
        isolated: energies of isolated atoms by atomic number, from single-atom frames marked
            ``config_type=IsolatedAtom``; these are not training structures.
        states: charge and spin of each structure, as given in the file.
    """

    num_atoms: np.ndarray
    numbers: np.ndarray
    pos: np.ndarray
    forces: np.ndarray
    energy: np.ndarray
    num_periodic: int
    isolated: dict[int, float]
    states: tuple[ElectronicState, ...] = ()


def read_frames(path: Path, options: FrameOptions) -> Frames:
    """Read and validate all structures of a file, and log which entries were read.

    Raises:
        ImportError: If ASE is not installed.
        FileNotFoundError: If the file does not exist.
        ValueError: If ASE cannot read the file, it has no structures, or a structure is periodic,
            has no atoms, lacks energy or forces, contains NaN, or has coinciding atoms.
    """
    records, states = [], []
    num_periodic = 0
    isolated: dict[int, float] = {}
    names: set[str] = set()
    for number, atoms in enumerate(_atoms(path)):
        where = f"{path}, frame {number}"
        if _is_isolated(atoms):
            _add_isolated(isolated, atoms, where, options)
            continue
        num_periodic += _check_cell(atoms, where, options)
        records.append(_record(atoms, where, options))
        states.append(state_of(atoms))
        names |= names_in(atoms)
    if not records:
        raise ValueError(f"path: {path} contains no structures")
    flat = {name: np.concatenate([record[name] for record in records]) for name in records[0]}
    num_atoms = np.array([len(record["numbers"]) for record in records])
    labels = (options.energy_key or "energy", options.forces_key or "forces")
    read = ("elements", "positions", *labels)
    report_contents(path.name, read, names - {*labels, *_KNOWN})
    return Frames(
        num_atoms=num_atoms, num_periodic=num_periodic, isolated=isolated, states=tuple(states),
        **flat,
    )  # fmt: skip


def _is_isolated(atoms: Atoms) -> bool:
    """Whether a frame is marked as an isolated atom, by the usual convention."""
    marked = str(atoms.info.get("config_type", "")).replace("_", "").lower()
    return len(atoms) == 1 and marked == "isolatedatom"


def _add_isolated(known: dict[int, float], atoms: Atoms, where: str, options: FrameOptions) -> None:
    energy = _look_up(atoms, "energy", options.energy_key, where)
    number = int(atoms.numbers[0])
    value = float(energy.reshape(-1)[0]) * energy_factor(options.energy_unit)
    if not np.isfinite(value):
        raise ValueError(f"{where}: the energy of an isolated atom must be finite, got {value}")
    if abs(known.setdefault(number, value) - value) > _SAME_ENERGY:
        raise ValueError(
            f"{where}: the energy of the isolated atom {atoms.get_chemical_formula()} differs from "
            f"that of an earlier frame: {value:.6g} and {known[number]:.6g} meV"
        )


def read_structures(
    path: Path, *, ignore_cell: bool = False, length_unit: str = "angstrom"
) -> list[Structure]:
    """Read all structures of a file without energies and forces, and log which entries were read.

    Args:
        path: any file that ASE reads.
        length_unit: unit of positions and cells in the file, ``"angstrom"`` or ``"bohr"``.
        ignore_cell: treat periodic structures as isolated, with a warning; molecules across the
            cell boundary are unwrapped.

    Raises:
        ImportError: If ASE is not installed.
        FileNotFoundError: If the file does not exist.
        ValueError: see `read_frames`.
    """
    options = FrameOptions("meV", length_unit, None, None, ignore_cell)
    found, names = [], set()
    for number, (atoms, bonds) in enumerate(_atoms_and_bonds(path)):
        where = f"{path}, frame {number}"
        is_periodic = _check_cell(atoms, where, options)
        names |= names_in(atoms)
        if length_unit != "angstrom":
            factor = length_factor(length_unit)
            atoms.set_cell(np.asarray(atoms.cell) * factor)
            atoms.positions *= factor
        structure = structure_of(atoms, where, ignore_cell=is_periodic)
        found.append(structure._replace(bonds=bonds))
    if not found:
        raise ValueError(f"path: {path} contains no structures")
    if count := sum(structure.periodic is not None for structure in found):
        warnings.warn(
            f"{count} periodic structures of {path.name} are treated as isolated: interactions "
            "across the cell boundary are missing", stacklevel=2,
        )  # fmt: skip
    has_bonds = any(structure.bonds is not None for structure in found)
    read = ["elements", "positions", *(["bonds"] if has_bonds else [])]
    report_contents(path.name, read, names - _KNOWN)
    return found


def _atoms_and_bonds(path: Path) -> Iterator[tuple[Atoms, Bonds | None]]:
    # ASE reads only the first molecule of an SDF file, and no bonds.
    if path.suffix.lower() == ".sdf":
        yield from sdf_molecules(path)
    else:
        for atoms in _atoms(path):
            yield atoms, None


def structure_of(atoms: Atoms, where: str, *, ignore_cell: bool = False) -> Structure:
    """The validated elements and positions of an ASE structure, and its charge and spin.

    Args:
        atoms: the structure; positions in angstrom.
        where: what messages call it.
        ignore_cell: unwrap molecules across the cell boundary; False does not use the cell.

    Raises:
        ValueError: If there are no atoms, positions are not finite, atoms coincide, or an element
            is unknown; the message begins with ``where``.
    """
    numbers, pos = atoms.numbers.astype(np.int64), np.asarray(atoms.positions, dtype=np.float64)
    if len(atoms) == 0:
        raise ValueError(f"{where} has no atoms")
    if not np.isfinite(pos).all():
        raise ValueError(f"{where}: pos contains NaN or infinite values")
    _check_elements(numbers, where)
    _check_distances(pos, where)
    state = state_of(atoms)
    if not ignore_cell:
        return Structure(numbers, pos, state=state)
    cell, pbc = np.asarray(atoms.cell), np.asarray(atoms.pbc)
    return Structure(numbers, unwrapped(numbers, pos, cell, pbc, where), (pos, cell, pbc), state)


def _atoms(path: Path) -> Iterator[Atoms]:
    try:
        from ase.io import iread
    except ImportError as error:
        raise ImportError(
            'reading structure files requires ASE: pip install "geozoo[molecules]"'
        ) from error
    if not path.is_file():
        raise FileNotFoundError(f"path: there is no file {path}")
    if path.stat().st_size == 0:
        raise ValueError(f"path: {path} is empty")
    try:
        # By default ASE parses what follows an @ in a name, such as water@300K.xyz, as an index.
        yield from iread(str(path), index=":", do_not_split_by_at_sign=True)
    except Exception as error:  # ASE's readers raise many different exceptions
        raise ValueError(f"path: ASE cannot read {path}: {error}") from error


def _check_cell(atoms: Atoms, where: str, options: FrameOptions) -> bool:
    """Whether the structure is periodic; an error unless ``ignore_cell`` is set."""
    if not atoms.pbc.any():
        return False
    if not options.ignore_cell:
        raise ValueError(
            f"{where} is periodic (pbc {atoms.pbc.tolist()}); periodic boundary conditions are not "
            "supported. For a molecule in a large box, set ignore_cell=true"
        )
    return True


def _record(atoms: Atoms, where: str, options: FrameOptions) -> dict[str, np.ndarray]:
    """One structure in meV and angstrom."""
    if len(atoms) == 0:
        raise ValueError(f"{where} has no atoms")
    energy = _look_up(atoms, "energy", options.energy_key, where)
    forces = _look_up(atoms, "forces", options.forces_key, where)
    if energy.size != 1:
        raise ValueError(f"{where}: the energy must be one number, got shape {energy.shape}")
    if forces.shape != (len(atoms), 3):
        raise ValueError(f"{where}: forces must have shape ({len(atoms)}, 3), got {forces.shape}")
    to_mev, to_angstrom = energy_factor(options.energy_unit), length_factor(options.length_unit)
    record = {
        "numbers": atoms.numbers.astype(np.int64),
        "pos": atoms.positions * to_angstrom,
        "forces": forces * (to_mev / to_angstrom),
        "energy": energy.reshape(1) * to_mev,
    }
    for name, values in record.items():
        if not np.isfinite(values).all():
            raise ValueError(f"{where}: {name} contains NaN or infinite values")
    _check_elements(record["numbers"], where)
    _check_distances(record["pos"], where)
    if atoms.pbc.any():
        cell = np.asarray(atoms.cell) * to_angstrom
        record["pos"] = unwrapped(record["numbers"], record["pos"], cell, atoms.pbc, where)
    return {**record, "pos": record["pos"] - record["pos"].mean(0)}


def _check_elements(numbers: np.ndarray, where: str) -> None:
    if (numbers < 1).any():
        raise ValueError(f"{where}: atoms of unknown element (X) are not supported")


def _look_up(atoms: Atoms, name: str, key: str | None, where: str) -> np.ndarray:
    """A value from the calculator, ``atoms.info`` or ``atoms.arrays``.

    ASE moves entries called ``energy`` or ``forces`` into the calculator, so that keys are also
    looked up there.
    """
    results: Mapping[str, Any] = getattr(atoms.calc, "results", {})
    sources = [results] if key is None else [atoms.info, atoms.arrays, results]
    for source in sources:
        value = source.get(key or name)
        if value is not None:
            try:
                return np.asarray(value, dtype=np.float64)
            except (ValueError, TypeError):
                raise ValueError(f"{where}: {name} must be numeric, got {value!r}") from None
    known = sorted({*atoms.info, *atoms.arrays, *results} - {"numbers", "positions"})
    sought = f"with {name}_key={key!r}" if key else "from its calculator"
    raise ValueError(
        f"{where} has no {name} {sought}; available: {', '.join(known) or 'only positions'}. "
        f"Set {name}_key to one of them"
    )


def _check_distances(pos: np.ndarray, where: str) -> None:
    from scipy.spatial import cKDTree

    pairs = cKDTree(pos).query_pairs(_CLOSEST, output_type="ndarray")
    if len(pairs):
        first, second = pairs[0].tolist()
        distance = np.linalg.norm(pos[first] - pos[second])
        raise ValueError(
            f"{where}: atoms {first} and {second} are {distance:.2g} angstrom apart; "
            "check the file and length_unit"
        )
