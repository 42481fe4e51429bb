"""User-supplied molecules with properties."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor

from geozoo.checks import check_choice
from geozoo.data.datamodule import GraphDataModule, LoadedData
from geozoo.data.loader import LoaderOptions
from geozoo.data.molecules._electronic_states import check_training_states, recorded_states
from geozoo.data.molecules._element_columns import (
    elements_of,
    symbols,
    warn_of_unseen_species,
    with_columns,
)
from geozoo.data.molecules._state_inputs import StateInput, checked_names, warn_of_constants
from geozoo.data.molecules._structure_paths import StructurePaths, rows_of_files, split_of
from geozoo.data.properties._composition_part import References
from geozoo.data.properties._molecule_files import (
    MoleculeFile,
    ReadingOptions,
    check_ending,
    joined,
    read_molecule_file,
)
from geozoo.data.properties._molecule_splits import (
    SplitOptions,
    column_split,
    groups_of,
    ratios_of,
    scaffold_split,
    strata_of,
    stratified_split,
)
from geozoo.data.properties._molecule_stores import (
    check_length_unit,
    state_inputs,
    store_of_structures,
)
from geozoo.data.properties._target_fields import TargetFields, property_spec
from geozoo.data.properties._target_kinds import (
    MEANING,
    Kind,
    Targets,
    field_names,
    targets_of,
)
from geozoo.data.properties._target_options import (
    baseline_values,
    checked_baselines,
    checked_kinds,
    checked_targets,
    checked_units,
    report_kinds,
    report_units,
)
from geozoo.data.record import DataRecord, PropertyFiles, StructureFiles
from geozoo.data.splits import check_groups, grouped_split, random_split, split_hash
from geozoo.options import grouped

_LOG = logging.getLogger(__name__)
#: Names of fields that targets must not have.
_TAKEN = {
    "pos", "x", "z", "vec", "cell", "pbc", "frame", "batch", "ptr", "index", "edge_index",
    "edge_ptr", "pairs", "pair_image", "num_graphs", "num_nodes", "charge", "spin", "stress",
    "weight", "class", "loss", "device",
}  # fmt: skip


class Molecules(GraphDataModule):
    """Molecules with properties from a file: extended XYZ (or ASE), SDF, CSV with SMILES, or npz.

    The data determine the kind of the targets: numbers and vectors per molecule, numbers per atom,
    labels (true or false) per molecule, each several at once, or one class per molecule. A batch
    has no ``edge_index``.

    ===================== ================== ======= ==============================================
    field                 shape              dtype   meaning
    ===================== ================== ======= ==============================================
    ``pos``               ``[N, 3]``         float32 position in angstrom, relative to the mean
    ``x``                 ``[N, S]``         float32 one-hot element
    ``z``                 ``[N]``            int64   atomic number
    ``<target>``          ``[G]``, ``[G,3]`` float64 the target in the unit of the file; int64 class
                          or ``[N]``
    ``has_<target>``      ``[G]`` or ``[N]`` bool    whether it is known, if some are missing
    ``baseline_<target>`` as the target      float64 value of the cheaper method, if there is one
    ``frame``             ``[G]``            int64   index of the molecule, counted over all files
    ===================== ================== ======= ==============================================

    ``cell``, ``pbc``, ``charge`` and ``spin`` as in `geozoo.data.ExtXYZ`.

    Args:
        path: the file; splits without a file of their own are taken from it.
        targets: its columns (CSV), arrays (npz), data fields (SDF), or entries and per-atom arrays
            (ASE) to learn.
        loader: batch sizes, shuffling and device placement.
        val_path: the validation file.
        test_path: the test file, or a list of files.
        kind: ``scalar``, ``vector``, ``atoms``, ``classes`` or ``labels``, of all or by target;
            None: that of the data.
        classes: names of the classes in the order of the outputs; None: those that occur.
        units: unit of each target, which metrics and predictions state; ``"1"`` without one.
        baseline: column with the value of a cheaper method; the network learns the difference and
            predictions are of the whole. With several targets one column for each, by target.
        references: a value per element (and a constant) that is fitted to the training split and
            subtracted: ``auto`` (if the composition explains most of the variance, and for
            values of atoms), ``atoms`` or ``none``.
        species: chemical symbols of the columns of ``x``; None: those that occur.
        inputs: ``charge`` and ``spin`` if they are inputs of the model.
        reading: how to read the files, see `ReadingOptions`.
        split: how to split ``path``, see `SplitOptions`.

    Raises:
        ValueError: If an option is invalid, or names a target that is none.
    """

    @grouped("reading", "split")
    def __init__(
        self,
        *,
        path: str | Path,
        targets: Sequence[str] | str,
        loader: LoaderOptions,
        val_path: str | Path | None = None,
        test_path: str | Path | Sequence[str | Path] | None = None,
        kind: Kind | Mapping[str, Kind] | None = None,
        classes: Sequence[str] | None = None,
        units: Mapping[str, str] | None = None,
        baseline: str | Mapping[str, str] | None = None,
        references: References = "auto",
        species: Sequence[str] | None = None,
        inputs: Sequence[StateInput] | None = None,
        reading: ReadingOptions = ReadingOptions(),  # noqa: B008
        split: SplitOptions = SplitOptions(),  # noqa: B008
    ) -> None:
        super().__init__(loader)
        self.paths = StructurePaths.of(path, val_path, test_path)
        for name, each in self.paths.files.items():
            check_ending(each, "path" if name == "train" else f"{split_of(name)}_path")
        self.columns = checked_targets(targets)
        self.units = checked_units(units, self.columns)
        self.baselines = checked_baselines(baseline, self.columns)
        self.kind = checked_kinds(kind, self.columns)
        check_choice("references", references, get_args(References))
        self.references = references
        self.classes = None if classes is None else [str(each) for each in classes]
        self.species = None if species is None else list(species)
        self.inputs = checked_names(inputs)
        self.reading, self.split = reading, split
        self.fields = field_names(self.columns, _TAKEN)
        self._check_split()

    def _check_split(self) -> None:
        separate = self.paths.splits
        if separate == {"train", "val", "test"} and self.split.by != "random":
            raise ValueError(
                f"split.by={self.split.by} has no effect with val_path and test_path: remove it"
            )
        if self.split.by in ("column", "group") and self.split.column in self.columns:
            raise ValueError(f"split.column: {self.split.column} is a target")
        ending = self.paths.files["train"].suffix.lower()
        if self.split.by == "scaffold" and ending not in (".csv", ".sdf"):
            raise ValueError(
                "split.by=scaffold needs bonds: SMILES (.csv) or an .sdf file, got "
                f"{self.paths.files['train'].name}"
            )

    def load(self) -> LoadedData:
        """Read all files; statistics come from the training split."""
        self.paths.check_there()
        files = self._read()
        whole = joined(files)
        targets, reasons = targets_of(
            whole, self.columns, kind=self.kind, classes=self.classes, missing=self.reading.missing
        )
        report_kinds(targets.kinds, reasons)
        self._check_vectors(whole, targets)
        cheaper = baseline_values(whole, self.baselines, targets.kinds)
        fields = TargetFields(
            targets, self.fields, {self.fields[c]: v for c, v in cheaper.items()},
            self._units(targets.kind),
        )  # fmt: skip
        check_length_unit(whole.structures, self.reading.length_unit)
        states = tuple({each.state for each in whole.structures})
        check_training_states(states, self.inputs)
        base = store_of_structures(whole.structures)
        base = base.with_fields(graph=state_inputs(whole.structures, self.inputs, whole.names))
        elements = elements_of(base, self.species)
        store = fields.add_to(with_columns(base, elements))
        whole_splits, parts = self._splits(files, fields)
        splits = self.limited(whole_splits)
        warn_of_unseen_species(store, splits["train"], elements)
        record = self._record(whole, splits, symbols(elements), targets)
        spec = property_spec(
            fields, store, splits["train"], elements=elements, inputs=self.inputs, record=record,
            references=self.references,
        )  # fmt: skip
        warn_of_constants(spec)
        return LoadedData(store, splits, spec, parts)

    def _read(self) -> dict[str, MoleculeFile]:
        columns = [*self.columns, *self.baselines.values()]
        found = {}
        for name, path in self.paths.files.items():
            is_split = name == "train"
            split = [str(self.split.column)] if is_split or self.split.by == "group" else []
            split = split if self.split.column else []
            wanted = list(dict.fromkeys([*columns, *split]))
            found[name] = read_molecule_file(
                path, wanted, self.reading, used=self.inputs,
                with_smiles=is_split and self.split.by == "scaffold",
            )  # fmt: skip
        return found

    def _check_vectors(self, whole: MoleculeFile, targets: Targets) -> None:
        """Vectors have no direction relative to generated conformers; atoms have no order."""
        needy = [kind for kind in targets.kinds.values() if kind in ("vector", "atoms")]
        if whole.conformers and needy:
            kind = needy[0]
            what = "direction" if kind == "vector" else "order of the atoms"
            raise ValueError(
                f"targets: {MEANING[kind]} needs the positions of the file: SMILES define no "
                f"{what}. Use .xyz, .sdf or .npz"
            )
        if targets.vectors and any(each.state.charge for each in whole.structures):
            warnings.warn(
                "some molecules are charged: a dipole moment then depends on the origin, which must"
                " be the mean position of the atoms", stacklevel=3,
            )  # fmt: skip

    def _units(self, kind: Kind) -> dict[str, str]:
        """The unit of each field."""
        if kind in ("classes", "labels") and self.units:
            raise ValueError(f"units: {kind} have no unit, got {self.units}")
        if kind not in ("classes", "labels"):
            report_units(self.columns, self.units)
        return {self.fields[name]: self.units.get(name, "1") for name in self.columns}

    def _splits(
        self, files: Mapping[str, MoleculeFile], fields: TargetFields
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Indices of the splits, and of the test files."""
        counts = {name: len(file) for name, file in files.items()}
        own, separate = files["train"], self.paths.splits
        ratios = ratios_of(self.split, separate)
        if self.split.by == "column":
            column = str(self.split.column)
            found = column_split(own.columns[column], own.names, column, separate - {"train"})
        elif self.split.by == "group":
            found = grouped_split(self._groups(own), ratios, seed=self.split.seed)
        elif self.split.by == "scaffold":
            found = scaffold_split(own.smiles, ratios)
        elif self.split.by == "stratified":
            found = stratified_split(self._strata(fields, len(own)), ratios, self.split.seed)
        else:
            found = random_split(len(own), ratios, seed=self.split.seed)
        for name, rows in rows_of_files(counts).items():
            part = split_of(name)
            if part != "train":
                found[part] = torch.cat([found[part], rows]) if part in found else rows
        if self.split.by == "group":
            check_groups([g for file in files.values() for g in self._groups(file)], found)
        return found, self.paths.test_parts(counts)

    def _groups(self, file: MoleculeFile) -> list[str]:
        column = str(self.split.column)
        return groups_of(file.columns[column], file.names, column)

    def _strata(self, fields: TargetFields, count: int) -> np.ndarray:
        kind = fields.targets.kinds[self.columns[0]]
        if kind not in ("scalar", "classes", "labels"):
            raise ValueError(
                f"split.by=stratified needs numbers or classes per molecule, got {MEANING[kind]}"
            )
        first = fields.targets.values[self.columns[0]]
        return strata_of(first, is_class=kind != "scalar")[:count]

    def _record(
        self, whole: MoleculeFile, splits: Mapping[str, Tensor], species: Sequence[str],
        targets: Targets,
    ) -> DataRecord:  # fmt: skip
        states: Any = recorded_states(tuple({each.state for each in whole.structures}))
        structures = StructureFiles(
            files=self.paths.names,
            file_hashes=self.paths.hashes,
            species=list(species),
            length_unit_of_file=self.reading.length_unit,
            label_keys={field: column for column, field in self.fields.items()},
            periodic_structures=sum(each.pbc is not None for each in whole.structures) or None,
            **states,
        )
        properties = PropertyFiles(
            target_kind=targets.kind,
            vector_targets=[self.fields[name] for name in targets.vectors] or None
            if targets.kind != "vector"
            else None,
            baselines={self.fields[target]: c for target, c in self.baselines.items()} or None,
            smiles=self.reading.smiles,
            conformers=whole.conformers or None,
            conformer_seed=self.reading.conformer_seed if whole.conformers else None,
            failed=len(whole.failed) or None,
        )
        is_given = self.paths.splits == set(splits)
        return DataRecord(
            dataset="molecules",
            target=", ".join(self.fields.values()),
            split="separate files" if is_given else self.split.label,
            split_hash=split_hash(splits),
            structures=structures,
            other=properties.entries(),
            sizes={part: len(index) for part, index in splits.items()},
        )
