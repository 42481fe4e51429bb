"""User-supplied structures with energies and forces."""

from __future__ import annotations

import hashlib
import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from geozoo.checks import check_seed
from geozoo.data.datamodule import GraphDataModule, LoadedData
from geozoo.data.loader import LoaderOptions
from geozoo.data.molecules._ase_frames import FrameOptions, Frames, read_frames
from geozoo.data.molecules._electronic_states import (
    ElectronicState,
    check_training_states,
    recorded_states,
)
from geozoo.data.molecules._energies_forces import energy_force_spec
from geozoo.data.molecules.atom_energies import (
    AtomEnergies,
    checked_atom_energies,
    compositions_of,
    fit_atom_energies,
)
from geozoo.data.molecules.units import energy_factor
from geozoo.data.record import DataRecord, StructureFiles
from geozoo.data.splits import random_split, split_hash
from geozoo.data.store import GraphStore

Reference = Literal["auto", "none", "atoms", "given", "isolated"]
_FRACTIONS = {"train": 0.8, "val": 0.1, "test": 0.1}


class ExtXYZ(GraphDataModule):
    """Structures from an extended-XYZ file, or any other file that ASE reads.

    Isolated molecules of any composition. Graphs are complete, so a batch has no ``edge_index``.
    Energies and forces are converted to meV and meV/angstrom.

    ========== ========== ======= ==========================================================
    field      shape      dtype   meaning
    ========== ========== ======= ==========================================================
    ``pos``    ``[N, 3]`` float32 position in angstrom, relative to the mean of the frame
    ``x``      ``[N, S]`` float32 one-hot species, in the order of ``species``
    ``z``      ``[N]``    int64   atomic number
    ``energy`` ``[G]``    float64 total energy in meV
    ``forces`` ``[N, 3]`` float32 forces in meV/angstrom
    ``frame``  ``[G]``    int64   frame index, counted over all files
    ========== ========== ======= ==========================================================

    Args:
        path: the training file; splits without a file of their own are taken from it.
        loader: batch sizes, shuffling and device placement.
        val_path: the validation file.
        test_path: the test file.
        energy_unit: ``eV``, ``meV``, ``kcal/mol``, ``kJ/mol`` or ``hartree``.
        length_unit: ``angstrom`` or ``bohr``; forces are in energy unit per length unit.
        energy_key: key of the energy in the file; ``None`` for the calculator's result, where
            ASE stores an entry called ``energy``.
        forces_key: key of the forces in the file, in the same way.
        species: chemical symbols of the one-hot columns of ``x``, ``X`` for an empty column;
            ``None`` for the elements that occur, by atomic number. Fine-tuning and testing of a
            trained model use its columns automatically.
        energy_reference: origin of the atomic reference energies that a potential adds to the
            output of its network (statistics ``atom_energy_<symbol>``, meV). ``"given"``:
            ``atom_energies``. ``"isolated"``: single-atom frames marked
            ``config_type=IsolatedAtom``, which are excluded from training. ``"atoms"``:
            least-squares fit to the training split; valid for linear combinations of its
            compositions, and a potential rejects others. ``"none"``: no reference; every structure
            has the mean energy of the training split as its offset, and a potential rejects
            compositions that do not occur there. ``"auto"``: the first of ``"given"``,
            ``"isolated"`` and ``"atoms"`` that is available.
        atom_energies: energy of an isolated atom of every element, in ``energy_unit``, by symbol.
        fractions: relative sizes of the splits that are taken from ``path``.
        split_seed: seed of this split.
        ignore_cell: treat periodic structures as isolated, with a warning; molecules across the
            cell boundary are unwrapped.

    Raises:
        ValueError: If units, fractions or species are invalid, the seed is negative, or two paths
            refer to the same file.
    """

    def __init__(
        self,
        *,
        path: str | Path,
        loader: LoaderOptions,
        val_path: str | Path | None = None,
        test_path: str | Path | None = None,
        energy_unit: str = "eV",
        length_unit: str = "angstrom",
        energy_key: str | None = None,
        forces_key: str | None = None,
        species: Sequence[str] | None = None,
        energy_reference: Reference = "auto",
        atom_energies: Mapping[str, float] | None = None,
        fractions: Mapping[str, int | float] | None = None,
        split_seed: int = 0,
        ignore_cell: bool = False,
    ) -> None:
        super().__init__(loader)
        self.options = FrameOptions(energy_unit, length_unit, energy_key, forces_key, ignore_cell)
        if energy_reference not in get_args(Reference):
            raise ValueError(
                f"energy_reference must be one of {get_args(Reference)}, got {energy_reference!r}"
            )
        if energy_reference == "given" and atom_energies is None:
            raise ValueError("energy_reference=given requires atom_energies={H: ..., ...}")
        if energy_reference not in ("auto", "given") and atom_energies is not None:
            raise ValueError(
                f"atom_energies cannot be combined with energy_reference={energy_reference}"
            )
        self.atom_energies = None if atom_energies is None else dict(atom_energies)
        self.paths = _paths({"train": path, "val": val_path, "test": test_path})
        self.fractions = _check_fractions(fractions or _FRACTIONS)
        self.species = None if species is None else list(species)
        self.energy_reference = energy_reference
        self.split_seed = check_seed(split_seed, "split_seed")

    def load(self) -> LoadedData:
        """Read all files; statistics come from the training split."""
        _check_there(self.paths)
        parts = {part: read_frames(path, self.options) for part, path in self.paths.items()}
        frames = _join(parts.values())
        if frames.num_periodic:
            warnings.warn(
                f"{frames.num_periodic} periodic structures are treated as isolated: interactions "
                "across the cell boundary are missing", stacklevel=2,
            )  # fmt: skip
        check_training_states(frames.states)
        splits = self._splits({part: len(each.energy) for part, each in parts.items()})
        elements = _elements_of(frames, self.species)
        store = _make_store(frames, elements)
        _warn_of_unseen_species(store, splits["train"], elements)
        atoms = self._atom_energies(store, splits["train"], elements, frames.isolated)
        record = self._record(splits, _symbols(elements), atoms.kind, frames.states)
        spec = energy_force_spec(
            store, splits["train"], elements=elements, record=record, atoms=atoms
        )
        return LoadedData(store, splits, spec)

    def _splits(self, counts: Mapping[str, int]) -> dict[str, Tensor]:
        """Whole files if a split has one, a seeded random split of the training file otherwise."""
        cut = {part: size for part, size in self.fractions.items() if part not in counts}
        cut = {"train": self.fractions["train"], **cut}
        total = sum(cut.values())
        ratios = {part: size / total for part, size in cut.items()}
        splits = random_split(counts["train"], ratios, seed=self.split_seed)
        start = 0
        for part, count in counts.items():
            if part != "train":
                splits[part] = torch.arange(start, start + count)
            start += count
        return splits

    def _atom_energies(
        self,
        store: GraphStore,
        train: Tensor,
        elements: Sequence[int],
        isolated: Mapping[int, float],
    ) -> AtomEnergies:
        """Reference energies of all elements that occur."""
        occurring = store.node["x"].any(0).tolist()
        species = _symbols([z for z, is_there in zip(elements, occurring, strict=True) if is_there])
        wanted = self.energy_reference
        if wanted == "none":
            return AtomEnergies({}, "none")
        if self.atom_energies is not None:
            factor = energy_factor(self.options.energy_unit)
            values = checked_atom_energies(
                self.atom_energies, species, factor, argument="atom_energies"
            )
            return AtomEnergies(values, "given")
        if isolated and wanted in ("auto", "isolated"):
            values = checked_atom_energies(
                _by_symbol(isolated), species, 1.0,
                argument="the isolated atoms of the training file",
            )  # fmt: skip
            return AtomEnergies(values, "isolated atoms")
        if wanted == "isolated":
            raise ValueError(
                "energy_reference=isolated requires single-atom frames with "
                f"config_type=IsolatedAtom in {self.paths['train']}"
            )
        fit = fit_atom_energies(compositions_of(store)[train], store.graph["energy"][train])
        pairs = zip(_symbols(elements), fit.tolist(), strict=True)
        return AtomEnergies({name: value for name, value in pairs if name in species}, "fitted")

    def _record(
        self,
        splits: Mapping[str, Tensor],
        species: Sequence[str],
        kind: str,
        states: Sequence[ElectronicState],
    ) -> DataRecord:
        hashes = {part: _file_hash(path) for part, path in self.paths.items()}
        structures = StructureFiles(
            files={part: path.name for part, path in self.paths.items()},
            file_hashes=hashes,
            species=list(species),
            energy_unit_of_file=self.options.energy_unit,
            length_unit_of_file=self.options.length_unit,
            energy_reference=kind,
            **recorded_states(states),
        )
        return DataRecord(
            dataset="extxyz",
            split=f"seed {self.split_seed}" if len(self.paths) < 3 else "separate files",
            split_hash=split_hash(splits),
            structures=structures,
            sizes={part: len(index) for part, index in splits.items()},
        )


def _paths(given: Mapping[str, str | Path | None]) -> dict[str, Path]:
    paths = {part: Path(path).expanduser() for part, path in given.items() if path is not None}
    resolved = [path.resolve() for path in paths.values()]
    if len(set(resolved)) < len(resolved):
        raise ValueError(f"path, val_path and test_path must be different files, got {paths}")
    return paths


def _check_there(paths: Mapping[str, Path]) -> None:
    for part, path in paths.items():
        if not path.is_file():
            argument = "path" if part == "train" else f"{part}_path"
            raise FileNotFoundError(f"{argument}: there is no file {path}")


def _check_fractions(fractions: Mapping[str, int | float]) -> dict[str, float]:
    values = {part: float(size) for part, size in fractions.items()}
    if set(values) != set(_FRACTIONS) or not all(0 < v < math.inf for v in values.values()):
        raise ValueError(
            f"fractions must be a positive number for each of train, val and test, got {values}"
        )
    return values


def _join(parts: Any) -> Frames:
    parts = list(parts)
    names = ("num_atoms", "numbers", "pos", "forces", "energy")
    joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    periodic = sum(part.num_periodic for part in parts)
    states = tuple(state for part in parts for state in part.states)
    return Frames(num_periodic=periodic, isolated=parts[0].isolated, states=states, **joined)


def _elements_of(frames: Frames, species: Sequence[str] | None) -> tuple[int, ...]:
    """Atomic numbers of the columns: of the given symbols, or sorted, of those that occur."""
    if species is None:
        return tuple(np.unique(frames.numbers).tolist())
    from ase.data import atomic_numbers

    unknown = [symbol for symbol in species if symbol not in atomic_numbers]
    named = [symbol for symbol in species if symbol != "X"]
    if unknown or len(set(named)) < len(named) or not named:
        raise ValueError(f"species must be distinct chemical symbols, got {list(species)}")
    return tuple(atomic_numbers[symbol] for symbol in species)


def _make_store(frames: Frames, elements: Sequence[int]) -> GraphStore:
    """A store of all frames, with a one-hot column for each element."""
    missing = sorted(set(frames.numbers.tolist()) - {z for z in elements if z})
    if missing:
        raise ValueError(
            f"species must contain all elements in the files; missing: {_symbols(missing)}, got "
            f"{_symbols(elements)}"
        )
    column = torch.zeros(max(elements) + 1, dtype=torch.int64)
    column[list(elements)] = torch.arange(len(elements))
    z = torch.from_numpy(frames.numbers)
    with np.errstate(over="ignore"):  # overflow gives inf, which is rejected later
        pos, forces = (part.astype(np.float32) for part in (frames.pos, frames.forces))
    node = {
        "pos": torch.from_numpy(pos),
        "x": torch.nn.functional.one_hot(column[z], len(elements)).to(torch.float32),
        "z": z,
        "forces": torch.from_numpy(forces),
    }
    energy = torch.from_numpy(frames.energy)
    graph = {"energy": energy, "frame": torch.arange(len(energy))}
    return GraphStore(torch.from_numpy(frames.num_atoms), node=node, graph=graph)


def _symbols(elements: Sequence[int]) -> list[str]:
    """Chemical symbols; ``X`` for a column without an element."""
    from ase.data import chemical_symbols

    return [chemical_symbols[number] for number in elements]


def _by_symbol(energies: Mapping[int, float]) -> dict[str, float]:
    from ase.data import chemical_symbols

    return {chemical_symbols[number]: value for number, value in energies.items()}


def _warn_of_unseen_species(store: GraphStore, train: Tensor, elements: Sequence[int]) -> None:
    species = _symbols(elements)
    seen = store.gather(train).x.any(0)
    used = store.node["x"].any(0)
    unseen = [
        name
        for name, s, u in zip(species, seen.tolist(), used.tolist(), strict=True)
        if u and not s
    ]
    if unseen:
        warnings.warn(
            f"validation or test structures contain {', '.join(unseen)}, which the training split "
            "lacks",
            stacklevel=3,
        )


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:12]
