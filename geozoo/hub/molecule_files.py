"""Inputs of models of properties of molecules, from files as in training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from geozoo.data import GeometricSpec, GraphStore, ReadingOptions, Structure
from geozoo.data.properties._molecule_arrays import has_molecules
from geozoo.data.properties._molecule_files import MoleculeFile, read_molecule_file
from geozoo.data.properties._target_fields import BASELINE
from geozoo.data.properties._target_options import baseline_values
from geozoo.data.record import DataRecord
from geozoo.hub.structures import structure_store


def reads_molecules(spec: GeometricSpec, path: Path) -> bool:
    """Whether a file is read as in the training of a model of `geozoo.data.Molecules`.

    Args:
        spec: the spec of the model's training data.
        path: the file; arrays ``pos`` and ``x`` are those of any geometric model.
    """
    if spec.record.properties is None:
        return False
    return path.suffix.lower() != ".npz" or has_molecules(path)


def read_molecules(
    path: Path, spec: GeometricSpec, *, length_unit: str = "angstrom", ignore_cell: bool = False
) -> tuple[list[Structure], GraphStore]:
    """The molecules of a file, and the inputs of a model.

    Conformers of SMILES are generated as in training. If the model predicts the difference to a
    cheaper method, its values are read from the same column as in training.

    Args:
        path: the file, of any format of `geozoo.data.Molecules`.
        spec: the spec of the model's training data, of `geozoo.data.Molecules`.
        length_unit: unit of the positions.
        ignore_cell: treat periodic structures as isolated.

    Raises:
        ValueError: If the file cannot be read, lacks a column or positions that the model needs, or
            a molecule has no conformer; or see `structure_store`.
    """
    known = spec.record.properties
    assert known is not None
    options = ReadingOptions(
        length_unit=length_unit, smiles=known.smiles if path.suffix.lower() == ".csv" else None,
        conformer_seed=known.conformer_seed or 0, ignore_cell=ignore_cell,
    )  # fmt: skip
    columns = dict(known.baselines or {})
    try:
        wanted = list(dict.fromkeys(columns.values()))
        file = read_molecule_file(path, wanted, options, used=spec.graph_inputs)
    except ValueError as error:
        if not columns:
            raise
        raise ValueError(
            f"{error}. The model predicts the difference to a cheaper method, whose values it "
            f"needs: {', '.join(sorted(set(columns.values())))}"
        ) from error
    _check_source(file, spec.record, path)
    store = structure_store(spec, file.structures)
    return file.structures, _with_baselines(store, file, columns, spec)


def _check_source(file: MoleculeFile, record: DataRecord, path: Path) -> None:
    """Warn if one of training and input has conformers of a force field, and the other has not."""
    import warnings

    assert record.properties is not None
    trained = record.properties.conformers
    if bool(trained) != bool(file.conformers):
        own = "conformers generated from SMILES" if file.conformers else "positions of a file"
        warnings.warn(
            f"{path.name}: the molecules have {own}; the model was trained on "
            f"{f'conformers generated from SMILES ({trained})' if trained else 'given positions'}",
            stacklevel=3,
        )


def _with_baselines(
    store: GraphStore, file: MoleculeFile, columns: Mapping[str, str], spec: GeometricSpec
) -> GraphStore:
    assert spec.record.properties is not None
    properties = spec.record.properties
    found = baseline_values(file, columns, {name: properties.kind_of(name) for name in columns})
    fields: dict[str, Tensor] = {
        BASELINE + name: torch.from_numpy(array) for name, array in found.items()
    }
    return store.with_fields(**{spec.level: fields})
