"""User-supplied structures with energies, forces and stresses."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args

from torch import Tensor

from geozoo.checks import check_seed
from geozoo.data.datamodule import GraphDataModule, LoadedData
from geozoo.data.loader import LoaderOptions
from geozoo.data.molecules._electronic_states import check_training_states, recorded_states
from geozoo.data.molecules._element_columns import (
    by_symbol,
    elements_of,
    fitted_energies,
    symbols,
    warn_of_unseen_species,
    with_columns,
)
from geozoo.data.molecules._energies_forces import energy_force_spec
from geozoo.data.molecules._frame_store import frames_of, prepare_frames
from geozoo.data.molecules._frames import FrameOptions, Frames, read_isolated
from geozoo.data.molecules._label_keys import LabelKeys
from geozoo.data.molecules._state_inputs import StateInput, checked_names, warn_of_constants
from geozoo.data.molecules._structure_paths import StructurePaths
from geozoo.data.molecules.atom_energies import (
    AtomEnergies,
    checked_atom_energies,
)
from geozoo.data.molecules.units import energy_factor
from geozoo.data.record import DataRecord, StructureFiles
from geozoo.data.splits import split_hash
from geozoo.data.store import GraphStore
from geozoo.options import grouped

Reference = Literal["auto", "none", "atoms", "given", "isolated"]
_FRACTIONS = {"train": 0.8, "val": 0.1, "test": 0.1}


class ExtXYZ(GraphDataModule):
    """Structures from an extended-XYZ file, or any other file that ASE reads.

    Molecules and periodic structures of any composition; one file may hold both. A batch has no
    ``edge_index``. Energies are converted to meV, lengths to angstrom.

    ============== ============= ======= ==========================================================
    field          shape         dtype   meaning
    ============== ============= ======= ==========================================================
    ``pos``        ``[N, 3]``    float32 position in angstrom, relative to the mean of the frame;
                                         atoms may lie outside the cell
    ``x``          ``[N, S]``    float32 one-hot species, in the order of ``species``
    ``z``          ``[N]``       int64   atomic number
    ``energy``     ``[G]``       float64 total energy in meV
    ``forces``     ``[N, 3]``    float32 forces in meV/angstrom
    ``frame``      ``[G]``       int64   frame index, counted over all files
    ``cell``       ``[G, 3, 3]`` float64 lattice vectors as rows in angstrom, zero without
    ``pbc``        ``[G, 3]``    bool    whether periodic along each lattice vector
    ``stress``     ``[G, 3, 3]`` float64 stress in meV/angstrom^3, negative under compression
    ``has_forces`` ``[G]``       bool    whether the forces are known; they are 0 otherwise
    ``has_stress`` ``[G]``       bool    whether the stress is known; it is 0 otherwise
    ``dipole``     ``[G, 3]``    float64 dipole in e angstrom, about the mean position if charged
    ``has_dipole`` ``[G]``       bool    whether the dipole is known; it is 0 otherwise
    ``weight``     ``[G]``       float32 weight in the loss (``config_weight``), 1 by default
    ``charge``     ``[G]``       float32 total charge in elementary charges
    ``spin``       ``[G]``       float32 spin multiplicity, 1 for a closed shell
    ``group``      ``[G]``       int64   number of the group, if ``labels.group_key`` is set
    ============== ============= ======= ==========================================================

    ``cell`` and ``pbc`` exist if a structure is periodic, ``stress`` and ``has_stress`` if one has
    a stress, ``dipole`` and ``has_dipole`` if one has a dipole, ``has_forces`` if one has no
    forces, ``weight`` if one has a weight, and ``charge`` and ``spin`` if ``inputs`` names them. If
    a structure has energies of atoms, there are ``atom_energies [N]`` (float64, meV, 0 if unknown)
    and ``has_atom_energies [G]`` (bool).

    Args:
        path: the training file; splits without a file of their own are taken from it.
        loader: batch sizes, shuffling and device placement.
        val_path: the validation file.
        test_path: the test file, or a list of files: the test split is their union, and
            `test_parts` holds the structures of each.
        energy_unit: ``eV``, ``meV``, ``kcal/mol``, ``kJ/mol`` or ``hartree``.
        length_unit: ``angstrom`` or ``bohr``; forces are in energy unit per length unit, stresses
            in energy unit per cubic length unit.
        labels: keys of energy, forces, stress, energies of atoms and dipole in the files, and the
            unit and origin of dipoles, see `LabelKeys`.
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
        atom_energies: energy of an isolated atom of every element, in ``energy_unit``, by symbol;
            or a file of single atoms with their energies.
        fractions: relative sizes of the splits that are taken from ``path``.
        split_seed: seed of this split.
        ignore_cell: treat periodic structures as isolated, with a warning; molecules across the
            cell boundary are unwrapped.
        inputs: ``charge`` and ``spin`` are inputs of the model: their values are appended to the
            scalar features of every atom. Every structure must have them. None or an empty list:
            they are no inputs.

    Raises:
        ValueError: If units, fractions, species or inputs are invalid, the seed is negative, or
            two paths refer to the same file.
    """

    @grouped("labels")
    def __init__(
        self,
        *,
        path: str | Path,
        loader: LoaderOptions,
        val_path: str | Path | None = None,
        test_path: str | Path | Sequence[str | Path] | None = None,
        energy_unit: str = "eV",
        length_unit: str = "angstrom",
        labels: LabelKeys = LabelKeys(),  # noqa: B008
        species: Sequence[str] | None = None,
        energy_reference: Reference = "auto",
        atom_energies: Mapping[str, float] | str | Path | None = None,
        fractions: Mapping[str, int | float] | None = None,
        split_seed: int = 0,
        ignore_cell: bool = False,
        inputs: Sequence[StateInput] | None = None,
    ) -> None:
        super().__init__(loader)
        self.options = FrameOptions(
            energy_unit, length_unit, labels, ignore_cell, checked_names(inputs)
        )
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
        self.atom_energies = atom_energies
        self.paths = StructurePaths.of(path, val_path, test_path)
        self.fractions = _check_fractions(fractions or _FRACTIONS)
        self.species = None if species is None else list(species)
        self.energy_reference = energy_reference
        self.split_seed = check_seed(split_seed, "split_seed")

    def prepare_data(self) -> None:
        """Parse large files once, into a memory-mapped file in the data folder."""
        self.paths.check_there()
        prepare_frames(self.paths, self.options)

    def load(self) -> LoadedData:
        """Read all files; statistics come from the training split."""
        self.paths.check_there()
        frames = frames_of(self.paths, self.options)
        if frames.num_ignored:
            warnings.warn(
                f"{frames.num_ignored} periodic structures are treated as isolated: interactions "
                "across the cell boundary are missing", stacklevel=2,
            )  # fmt: skip
        inputs = self.options.inputs
        check_training_states(frames.states, inputs)
        splits = self.limited(
            self.paths.divided(
                frames.sizes, self.fractions, self.split_seed,
                groups=frames.store.graph.get("group"),
            )
        )  # fmt: skip
        elements = elements_of(frames.store, self.species)
        store = with_columns(frames.store, elements)
        warn_of_unseen_species(store, splits["train"], elements)
        isolated = frames.isolated["train"]
        atoms = self._atom_energies(store, splits["train"], elements, isolated)
        record = self._record(splits, symbols(elements), atoms.kind, frames)
        spec = energy_force_spec(
            store, splits["train"], elements=elements, record=record, atoms=atoms,
            graph_inputs=inputs,
        )  # fmt: skip
        warn_of_constants(spec)
        parts = self.paths.test_parts(frames.sizes)
        return LoadedData(store, splits, spec, parts)

    def _atom_energies(
        self,
        store: GraphStore,
        train: Tensor,
        elements: Sequence[int],
        isolated: Mapping[int, float],
    ) -> AtomEnergies:
        """Reference energies of all elements that occur."""
        occurring = store.node["x"].any(0).tolist()
        species = symbols([z for z, is_there in zip(elements, occurring, strict=True) if is_there])
        wanted = self.energy_reference
        if wanted == "none":
            return AtomEnergies({}, "none")
        if isinstance(self.atom_energies, str | Path):
            read = read_isolated(Path(self.atom_energies).expanduser(), self.options)
            values = checked_atom_energies(by_symbol(read), species, 1.0, argument="atom_energies")
            return AtomEnergies(values, "given")
        if self.atom_energies is not None:
            factor = energy_factor(self.options.energy_unit)
            values = checked_atom_energies(
                self.atom_energies, species, factor, argument="atom_energies"
            )
            return AtomEnergies(values, "given")
        if isolated and wanted in ("auto", "isolated"):
            values = checked_atom_energies(
                by_symbol(isolated), species, 1.0,
                argument="the isolated atoms of the training file",
            )  # fmt: skip
            return AtomEnergies(values, "isolated atoms")
        if wanted == "isolated":
            raise ValueError(
                "energy_reference=isolated requires single-atom frames with "
                f"config_type=IsolatedAtom in {self.paths.files['train']}"
            )
        return fitted_energies(store, train, elements)

    def _record(
        self, splits: Mapping[str, Tensor], species: Sequence[str], kind: str, frames: Frames
    ) -> DataRecord:
        count = len(frames.store)
        structures = StructureFiles(
            files=self.paths.names,
            file_hashes=self.paths.hashes,
            species=list(species),
            energy_unit_of_file=self.options.energy_unit,
            length_unit_of_file=self.options.length_unit,
            energy_reference=kind,
            label_keys=dict(frames.keys),
            periodic_structures=frames.count("cell") or None,
            structures_without_forces=count - frames.count("forces") or None,
            structures_with_stress=frames.count("stress") or None,
            **recorded_states(frames.states),
        )
        is_given = self.paths.splits == set(splits)
        group_key = self.options.labels.group_key
        groups = "" if group_key is None else f"groups of {group_key}, "
        return DataRecord(
            dataset="extxyz",
            split="separate files" if is_given else f"{groups}seed {self.split_seed}",
            split_hash=split_hash(splits),
            structures=structures,
            sizes={part: len(index) for part, index in splits.items()},
        )


def _check_fractions(fractions: Mapping[str, int | float]) -> dict[str, float]:
    values = {part: float(size) for part, size in fractions.items()}
    if set(values) != set(_FRACTIONS) or not all(0 < v < math.inf for v in values.values()):
        raise ValueError(
            f"fractions must be a positive number for each of train, val and test, got {values}"
        )
    return values
