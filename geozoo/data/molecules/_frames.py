"""The structures of some files with their targets, as one store."""

from __future__ import annotations

import logging
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from geozoo.data.molecules._ase_frames import (
    KNOWN,
    check_stated_units,
    checked_atoms,
    read_atoms,
    with_progress,
)
from geozoo.data.molecules._electronic_states import ElectronicState, key_of, names_in, state_of
from geozoo.data.molecules._frame_cells import Cell, cell_of, check_distances
from geozoo.data.molecules._frame_labels import WEIGHT, LabelReader, Labels
from geozoo.data.molecules._geometry_arrays import MOLECULE, UNKNOWN
from geozoo.data.molecules._label_keys import COMPOSITION, HDF5_GROUP, LabelKeys
from geozoo.data.molecules._state_inputs import StatedGraph, StateInput, input_values
from geozoo.data.molecules._unwrapping import unwrapped
from geozoo.data.molecules.units import energy_factor, length_factor
from geozoo.data.store import GraphStore
from geozoo.files.contents import report_contents

if TYPE_CHECKING:
    from ase import Atoms

_LOG = logging.getLogger(__name__)
#: Tolerance in meV for repeated energies of the same isolated atom.
_SAME_ENERGY = 1e-3
#: Tolerance in meV per atom for the sum of atomic energies.
_SAME_SUM = 1.0
#: Type code of `array`, dtype and shape per row of every column.
_COLUMNS: dict[str, tuple[str, Any, tuple[int, ...]]] = {
    "num_atoms": ("q", np.int64, ()),
    "z": ("q", np.int64, ()),
    "pos": ("f", np.float32, (3,)),
    "forces": ("f", np.float32, (3,)),
    "energy": ("d", np.float64, ()),
    "has_forces": ("B", np.bool_, ()),
    "cell": ("d", np.float64, (3, 3)),
    "pbc": ("B", np.bool_, (3,)),
    "stress": ("d", np.float64, (3, 3)),
    "has_stress": ("B", np.bool_, ()),
    "atom_energies": ("d", np.float64, ()),
    "has_atom_energies": ("B", np.bool_, ()),
    "dipole": ("d", np.float64, (3,)),
    "has_dipole": ("B", np.bool_, ()),
    "weight": ("f", np.float32, ()),
    "charge": ("f", np.float32, ()),
    "spin": ("f", np.float32, ()),
    "group": ("q", np.int64, ()),
}
_OF_ATOMS = ("pos", "z", "forces", "atom_energies")
#: Targets that are left out, with their masks, if no structure has them.
_OPTIONAL = ("stress", "atom_energies", "dipole")


@dataclass(frozen=True)
class FrameOptions:
    """How to interpret structure files.

    Attributes:
        energy_unit: unit of the energies.
        length_unit: unit of the positions and cells; forces are in energy unit per length unit,
            stresses in energy unit per cubic length unit.
        labels: keys of the targets.
        ignore_cell: treat periodic structures as isolated.
        inputs: ``charge`` and ``spin`` if every structure needs one, as an input of models.

    Raises:
        ValueError: If a unit is unknown, or a stress is requested without cells.
    """

    energy_unit: str = "eV"
    length_unit: str = "angstrom"
    labels: LabelKeys = field(default_factory=LabelKeys)
    ignore_cell: bool = False
    inputs: tuple[StateInput, ...] = ()

    def __post_init__(self) -> None:
        """Validate before a long file is read."""
        energy_factor(self.energy_unit)
        length_factor(self.length_unit)
        if self.ignore_cell and self.labels.of("stress") not in (None, "none"):
            raise ValueError(
                "stress_key and virial_key cannot be combined with ignore_cell=true: isolated "
                "structures have no stress"
            )


@dataclass(frozen=True)
class Frames:
    """Structures of some files in meV and angstrom.

    Attributes:
        store: fields ``pos``, ``z``, ``forces``, ``energy``; ``cell`` and ``pbc`` if a structure is
            periodic, ``stress`` and ``has_stress`` if one has a stress (also for
            ``atom_energies`` and ``dipole``), ``has_forces`` if one has no forces, ``weight`` if
            one has a weight, and the ``inputs`` of the options.
        sizes: number of structures of each file.
        isolated: for each file, energies of isolated atoms by atomic number, from single-atom
            frames marked ``config_type=IsolatedAtom``; these are not training structures.
        states: distinct charges and spins, as given in the files.
        keys: key of each target.
        num_ignored: number of structures whose cell was ignored.
        contents: names of the entries of each file that were read, and of the others.
        indefinite: number of structures whose dipole was not read, by reason.
        unknown: number of structures that were left out because their energy is NaN, by key and
            file.
    """

    store: GraphStore
    sizes: dict[str, int]
    isolated: dict[str, dict[int, float]]
    states: tuple[ElectronicState, ...] = ()
    keys: Mapping[str, str] = field(default_factory=dict)
    num_ignored: int = 0
    contents: Mapping[str, Sequence[list[str]]] = field(default_factory=dict)
    indefinite: Mapping[str, int] = field(default_factory=dict)
    unknown: Mapping[str, int] = field(default_factory=dict)

    def count(self, name: str) -> int:
        """Number of structures with a target such as ``"forces"``, or a periodic ``"cell"``."""
        flags = self.store.graph.get("pbc" if name == "cell" else f"has_{name}")
        if flags is None:
            return len(self.store) if name == "forces" else 0
        return int(flags.any(1).sum() if name == "cell" else flags.sum())

    def report(self, files: Mapping[str, Path]) -> None:
        """Log which entries of the files were read, and how many structures lack a target."""
        for name, path in files.items():
            report_contents(path.name, *self.contents[name])
        unusual = {target: key for target, key in self.keys.items() if key != target}
        if unusual:
            listed = ", ".join(f"{target} from {key}" for target, key in unusual.items())
            _LOG.info("targets of all files: %s", listed)
        total = len(self.store)
        if lacking := total - self.count("forces"):
            _LOG.warning("%d of %d structures have no forces", lacking, total)
        for name in _OPTIONAL:
            if 0 < (known := self.count(name)) < total:
                what = name.replace("_", " ").replace("atom", "atomic")
                _LOG.warning("%d of %d structures have no %s", total - known, total, what)
        for key, number in self.unknown.items():
            _LOG.warning("%d structures are left out: their %s is unknown (NaN)", number, key)
        for reason, number in self.indefinite.items():
            _LOG.warning("dipoles of %d structures are not read: %s", number, reason)
        self._report_sums()
        if (known := self.count("stress")) and (
            void := known - int(self.store.graph["stress"].flatten(1).any(1).sum())
        ):
            _LOG.warning(
                "%d structures have a stress of exactly zero; if it is a placeholder, remove it or "
                "set labels.stress_key=none", void,
            )  # fmt: skip

    def _report_sums(self) -> None:
        """Warn of atomic energies that do not add up to the energy: no model can have both."""
        known = self.store.graph.get("has_atom_energies")
        if known is None:
            return
        energy, count = self.store.graph["energy"], self.store.num_nodes
        owner = torch.repeat_interleave(torch.arange(len(count)), count)
        total = torch.zeros_like(energy).index_add(0, owner, self.store.node["atom_energies"])
        apart = (total - energy).abs()
        if number := int((known & (apart > _SAME_SUM * count)).sum()):
            _LOG.warning(
                "the atomic energies of %d structures do not add up to their energy (off by up to "
                "%.4g meV), so that a model cannot fit both", number, float(apart[known].max()),
            )  # fmt: skip


def read_frames(files: Mapping[str, Path], options: FrameOptions) -> Frames:
    """Read and validate all structures of some files, with a progress bar for long files.

    Args:
        files: the files by name.
        options: how to interpret them.

    Raises:
        ImportError: If ASE is not installed.
        FileNotFoundError: If a file does not exist.
        ValueError: If ASE cannot read a file, it has no structures, or a structure has no atoms,
            no energy, an invalid cell or target, contains NaN, or has coinciding atoms.
    """
    reader = _Reader(options)
    for name, path in files.items():
        reader.read(name, path)
    reader.labels.check_given()
    return reader.frames()


class _Reader:
    """Collects structures one by one in flat buffers."""

    def __init__(self, options: FrameOptions) -> None:
        self.options = options
        self.labels = LabelReader(options.labels, options.energy_unit, options.length_unit)
        self._to_angstrom = length_factor(options.length_unit)
        self._columns = {name: array(code) for name, (code, _, _) in _COLUMNS.items()}
        self._has_weight = False
        self._input_keys: set[str] = set()
        self._sizes: dict[str, int] = {}
        self._isolated: dict[str, dict[int, float]] = {}
        self._groups: dict[str, int] = {}
        self._states: dict[ElectronicState, None] = {}  # a set in order
        self._num_ignored = 0
        self._unknown: Counter[str] = Counter()
        self._contents: dict[str, Sequence[list[str]]] = {}

    def read(self, name: str, path: Path) -> None:
        """Add all structures of a file."""
        isolated = self._isolated[name] = {}
        before, num_periodic, has_weight = len(self._columns["num_atoms"]), 0, False
        names: set[str] = set()
        check_stated_units(
            path, length_unit=self.options.length_unit, energy_unit=self.options.energy_unit
        )
        with closing(with_progress(path)) as found:  # an error ends the progress bar first
            for number, atoms in enumerate(found):
                where = f"{path}, frame {number}"
                molecule = atoms.info.pop(MOLECULE, None)
                key = self.options.labels.energy_key or "energy"
                if key in atoms.info.pop(UNKNOWN, ()):
                    self._unknown[f"{key} of {path.name}"] += 1
                    continue
                if _is_isolated(atoms):
                    _add_isolated(isolated, atoms, where, self.labels.energy(atoms, where))
                    continue
                num_periodic += bool(atoms.pbc.any())
                has_weight |= WEIGHT in atoms.info
                self._add(atoms, where, molecule)
                names |= names_in(atoms)
        self._sizes[name] = len(self._columns["num_atoms"]) - before
        if not self._sizes[name]:
            raise ValueError(f"path: {path} contains no structures")
        self._has_weight |= has_weight
        cell = ["cell"] if num_periodic and not self.options.ignore_cell else []
        taken = [key for key in self.labels.taken.values() if key in names]
        weight = [WEIGHT] if has_weight else []
        inputs = sorted(self._input_keys & names)
        groups = {self.options.labels.group_key}
        read = ("elements", "positions", *cell, *taken, *weight, *inputs)
        self._contents[name] = (list(read), sorted(names - {*read, *KNOWN, *groups}))

    def _add(self, atoms: Atoms, where: str, molecule: str | None) -> None:
        numbers, pos = checked_atoms(atoms, where, self._to_angstrom)
        pos, cell = self._in_cell(atoms, numbers, pos, where)
        state = state_of(atoms)
        with_stress = not self.options.ignore_cell
        labels = self.labels.read(atoms, where, cell, with_stress=with_stress)
        dipole = self.labels.dipole(atoms, pos, where, cell, state.charge)
        self._states[state] = None
        given = input_values(
            self.options.inputs, StatedGraph(state, numbers, cell is None), where, names_in(atoms)
        )
        self._input_keys |= {key_of(state, name) for name in given}
        # Single precision suffices relative to the centre, not to a distant origin.
        whole = {**given, "group": self._group(atoms, where, molecule)}
        self._append(numbers, pos - pos.mean(0), cell, labels._replace(dipole=dipole), whole)

    def _group(self, atoms: Atoms, where: str, molecule: str | None) -> int:
        """The number of the group of a structure in the order of their occurrence."""
        key = self.options.labels.group_key
        if key is None:
            return 0
        made = {COMPOSITION: atoms.get_chemical_formula(), HDF5_GROUP: molecule}
        value = made[key] if key in made else atoms.info.get(key)
        if value is None or str(value).strip() in ("", "nan"):
            raise ValueError(
                f"{where} has no entry {key!r} with its group (labels.group_key); it has "
                f"{', '.join(sorted(names_in(atoms))) or 'none'}"
            )
        return self._groups.setdefault(str(value).strip(), len(self._groups))

    def _in_cell(
        self, atoms: Atoms, numbers: np.ndarray, pos: np.ndarray, where: str
    ) -> tuple[np.ndarray, Cell | None]:
        """Positions, and the cell unless it is ignored; molecules are then unwrapped."""
        if not self.options.ignore_cell:
            cell = cell_of(atoms, where, self._to_angstrom)
            check_distances(pos, where, cell)
            return pos, cell
        check_distances(pos, where)
        if atoms.pbc.any():
            self._num_ignored += 1
            vectors = np.asarray(atoms.cell) * self._to_angstrom
            pos = unwrapped(numbers, pos, vectors, atoms.pbc, where)
        return pos, None

    def _append(
        self, numbers: np.ndarray, pos: np.ndarray, cell: Cell | None, labels: Labels,
        inputs: Mapping[str, float],
    ) -> None:  # fmt: skip
        no_stress, no_forces = labels.stress is None, labels.forces is None
        no_energies, no_dipole = labels.atom_energies is None, labels.dipole is None
        row = {
            "num_atoms": len(numbers),
            "z": numbers,
            "pos": pos,
            "forces": np.zeros_like(pos) if no_forces else labels.forces,
            "energy": labels.energy,
            "has_forces": not no_forces,
            "cell": np.zeros((3, 3)) if cell is None else cell.vectors,
            "pbc": np.zeros(3, dtype=bool) if cell is None else cell.pbc,
            "stress": np.zeros((3, 3)) if no_stress else labels.stress,
            "has_stress": not no_stress,
            "atom_energies": np.zeros(len(numbers)) if no_energies else labels.atom_energies,
            "has_atom_energies": not no_energies,
            "dipole": np.zeros(3) if no_dipole else labels.dipole,
            "has_dipole": not no_dipole,
            "weight": 1.0 if labels.weight is None else labels.weight,
            "charge": inputs.get("charge", 0.0),
            "spin": inputs.get("spin", 0.0),
            "group": inputs["group"],
        }
        with np.errstate(over="ignore"):  # overflow gives inf, which the store rejects
            for name, (_, dtype, _) in _COLUMNS.items():
                self._columns[name].frombytes(np.asarray(row[name]).astype(dtype).tobytes())

    def frames(self) -> Frames:
        """Everything that was read."""
        made = {
            name: torch.from_numpy(np.frombuffer(self._columns[name], dtype).reshape(-1, *shape))
            for name, (_, dtype, shape) in _COLUMNS.items()
        }
        num_atoms = made.pop("num_atoms")
        left_out = set() if bool(made["pbc"].any()) else {"cell", "pbc"}
        for name in _OPTIONAL:
            left_out |= set() if bool(made[f"has_{name}"].any()) else {name, f"has_{name}"}
        left_out |= {"has_forces"} if bool(made["has_forces"].all()) else set()
        left_out |= set() if self._has_weight else {"weight"}
        left_out |= {"charge", "spin"} - set(self.options.inputs)
        left_out |= {"group"} if self.options.labels.group_key is None else set()
        node = {name: made.pop(name) for name in _OF_ATOMS}
        node = {name: value for name, value in node.items() if name not in left_out}
        graph = {name: value for name, value in made.items() if name not in left_out}
        return Frames(
            GraphStore(num_atoms, node=node, graph=graph), self._sizes, self._isolated,
            tuple(self._states), self.labels.taken, self._num_ignored, self._contents,
            self.labels.indefinite, dict(self._unknown),
        )  # fmt: skip


def read_isolated(path: Path, options: FrameOptions) -> dict[int, float]:
    """Energies in meV of isolated atoms by atomic number, from a file of single atoms.

    Args:
        path: the file; unlike in a training file, its structures need no ``config_type``.
        options: key and units of the energies.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a structure has several atoms or no energy, or two of one element differ.
    """
    labels = LabelReader(options.labels, options.energy_unit, options.length_unit)
    found: dict[int, float] = {}
    for number, atoms in enumerate(read_atoms(path, called="atom_energies")):
        where = f"{path}, frame {number}"
        if len(atoms) != 1:
            raise ValueError(
                f"{where} has {len(atoms)} atoms; atom_energies must be a file of single atoms"
            )
        _add_isolated(found, atoms, where, labels.energy(atoms, where))
    return found


def _is_isolated(atoms: Atoms) -> bool:
    """Whether a frame is marked as an isolated atom, by the usual convention."""
    marked = str(atoms.info.get("config_type", "")).replace("_", "").lower()
    return len(atoms) == 1 and marked == "isolatedatom"


def _add_isolated(known: dict[int, float], atoms: Atoms, where: str, value: float) -> None:
    number = int(atoms.numbers[0])
    if abs(known.setdefault(number, value) - value) > _SAME_ENERGY:
        raise ValueError(
            f"{where}: the energy of the isolated atom {atoms.get_chemical_formula()} differs from "
            f"that of an earlier frame: {value:.6g} and {known[number]:.6g} meV"
        )
