"""Your own structures with energies and forces."""

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
    """Structures of an extended-XYZ file, or of any other file that ASE reads.

    Isolated molecules of any composition. Every pair of atoms interacts, so a batch has no
    ``edge_index`` (a complete graph). Energies and forces are converted to meV and meV/angstrom.

    ========== ========== ======= ==========================================================
    field      shape      dtype   meaning
    ========== ========== ======= ==========================================================
    ``pos``    ``[N, 3]`` float32 position in angstrom, from the mean position of the frame
    ``x``      ``[N, S]`` float32 one-hot of the species, in the order of ``species``
    ``z``      ``[N]``    int64   atomic number
    ``energy`` ``[G]``    float64 energy in meV, as the file has it
    ``forces`` ``[N, 3]`` float32 forces in meV/angstrom
    ``frame``  ``[G]``    int64   number of the frame, counted through all files
    ========== ========== ======= ==========================================================

    Args:
        path: the file to train on, and to cut those parts from that have no file of their own.
        loader: batch sizes, order and residence.
        val_path: a file for validation.
        test_path: a file to test on.
        energy_unit: ``eV``, ``meV``, ``kcal/mol``, ``kJ/mol`` or ``hartree``.
        length_unit: ``angstrom`` or ``bohr``; forces are in energy unit per length unit.
        energy_key: name of the energy in the file; ``None`` for the calculator's result, where
            ASE puts what the file calls ``energy``.
        forces_key: name of the forces in the file, likewise.
        species: chemical symbols of the one-hot in ``x``, ``X`` for a column that stays empty;
            ``None`` for those that occur, by atomic number. A run that begins from a trained model
            and a test of one take its columns by themselves.
        energy_reference: where the energies of free atoms come from that a potential adds up
            before its network corrects them (statistics ``atom_energy_<symbol>``, meV).
            ``"given"``: ``atom_energies``. ``"isolated"``: frames of one atom that the file marks
            by ``config_type=IsolatedAtom``; such frames are not trained on. ``"atoms"``: fitted to
            the training part by least squares; they hold for sums and multiples of its
            compositions, and a potential refuses others. ``"none"``: none; every structure begins
            from the mean energy of the training part, and a potential refuses every composition
            that this part does not have. ``"auto"``: the first of the first three that there is.
        atom_energies: energy of a free atom of every element, in ``energy_unit``, by symbol.
        fractions: sizes of the parts that are cut from ``path``; only their ratios count.
        split_seed: seed of that cut.
        ignore_cell: use periodic structures as if they were isolated, with a warning; molecules
            that are cut by their cell are put together.

    Raises:
        ValueError: for unknown units, fractions or species, a negative seed, or two paths to the
            same file.
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
            raise ValueError("energy_reference=given needs atom_energies={H: ..., ...}")
        if energy_reference not in ("auto", "given") and atom_energies is not None:
            raise ValueError(
                f"atom_energies and energy_reference={energy_reference} exclude each other"
            )
        self.atom_energies = None if atom_energies is None else dict(atom_energies)
        self.paths = _paths({"train": path, "val": val_path, "test": test_path})
        self.fractions = _check_fractions(fractions or _FRACTIONS)
        self.species = None if species is None else list(species)
        self.energy_reference = energy_reference
        self.split_seed = check_seed(split_seed, "split_seed")

    def load(self) -> LoadedData:
        """Read all files; statistics come from the training part."""
        _check_there(self.paths)
        parts = {part: read_frames(path, self.options) for part, path in self.paths.items()}
        frames = _join(parts.values())
        if frames.num_periodic:
            warnings.warn(
                f"{frames.num_periodic} periodic structures are used as if they were isolated; "
                "interactions across the cell are missing", stacklevel=2,
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
        """Whole files where a part has one, a seeded cut of the training file otherwise."""
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
        """Energies of free atoms of all elements that occur."""
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
                "energy_reference=isolated needs frames of one atom with config_type=IsolatedAtom "
                f"in {self.paths['train']}"
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
            f"fractions must give train, val and test a positive number each, got {values}"
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
    """The atomic numbers of the columns: of the given symbols, or those that occur, in order."""
    if species is None:
        return tuple(np.unique(frames.numbers).tolist())
    from ase.data import atomic_numbers

    unknown = [symbol for symbol in species if symbol not in atomic_numbers]
    named = [symbol for symbol in species if symbol != "X"]
    if unknown or len(set(named)) < len(named) or not named:
        raise ValueError(f"species must be different chemical symbols, got {list(species)}")
    return tuple(atomic_numbers[symbol] for symbol in species)


def _make_store(frames: Frames, elements: Sequence[int]) -> GraphStore:
    """A store of all frames, with a one-hot column for each element."""
    missing = sorted(set(frames.numbers.tolist()) - {z for z in elements if z})
    if missing:
        raise ValueError(
            f"species {_symbols(elements)} lacks {_symbols(missing)}, which the files hold"
        )
    column = torch.zeros(max(elements) + 1, dtype=torch.int64)
    column[list(elements)] = torch.arange(len(elements))
    z = torch.from_numpy(frames.numbers)
    with np.errstate(over="ignore"):  # what is too large becomes infinite and is refused as that
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
    """Chemical symbols; ``X`` of a column without an element."""
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
            f"the training part has no {', '.join(unseen)}, which other parts hold", stacklevel=3
        )


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:12]
