"""Predictions for atoms in space: elements and positions in, physical quantities out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from geozoo.data import GeometricSpec, GraphBatch, GraphStore, Structure
from geozoo.hub.batch_size import BatchSize

if TYPE_CHECKING:
    from geozoo.hub.ensemble import Ensemble
    from geozoo.hub.loading import TrainedModel

_REFERENCE = "atom_energy_"


def structure_store(spec: GeometricSpec, structures: Sequence[Structure]) -> GraphStore:
    """The inputs of a model for some structures.

    Args:
        spec: the data of its training; positions there are counted from the mean of each frame.
        structures: elements and positions.

    Raises:
        ValueError: for a model whose inputs are more than elements, or an element that it never
            saw.
    """
    if not spec.elements or spec.in_vectors or spec.dim != 3:
        raise ValueError(
            "the inputs of this model are more than elements and positions in space: predict for "
            "arrays (.npz) instead"
        )
    columns = {z: column for column, z in enumerate(spec.elements) if z}
    numbers = np.concatenate([structure.numbers for structure in structures])
    unknown = sorted(set(numbers.tolist()) - columns.keys())
    if unknown:
        raise ValueError(
            f"atomic numbers {unknown} are not among those of the training: {sorted(columns)}"
        )
    column = torch.tensor([columns[z] for z in numbers.tolist()])
    pos = np.concatenate([each.pos - each.pos.mean(0) for each in structures])
    node = {
        "pos": torch.from_numpy(pos),
        "x": torch.nn.functional.one_hot(column, spec.in_channels).to(torch.float32),
        "z": torch.from_numpy(numbers),
    }
    return GraphStore(torch.tensor([len(each.numbers) for each in structures]), node=node)


def predict_store(
    model: TrainedModel | Ensemble,
    store: GraphStore,
    *,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Tensor]:
    """Predict for all graphs of a store, in batches that fit into memory.

    Args:
        model: the trained model, or an ensemble.
        store: the graphs, with the fields of the training.
        progress: called with the number of graphs that were just finished.

    Returns:
        Every quantity by name, in physical units, for all graphs or nodes in order. Energies of
        elements that were subtracted in training are added again.

    Raises:
        MemoryError: when even one graph does not fit.
    """
    parts: list[dict[str, Tensor]] = []
    size, done = BatchSize(model.device), 0
    while done < len(store):
        count = min(size.value, len(store) - done)
        batch = store.gather(torch.arange(done, done + count)).to(model.device)
        with size.watched() as watched:
            found = model.predict(batch)
            parts.append({k: _with_references(model, batch, k, v).cpu() for k, v in found.items()})
        if watched.failed:
            continue
        done += count
        if progress is not None:
            progress(count)
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def element_table(spec: GeometricSpec) -> Float[Tensor, " S"]:
    """The energy in meV of an atom of each column of ``x`` that was subtracted; 0 if none was."""
    known = {k: v for k, v in spec.statistics.items() if k.startswith(_REFERENCE)}
    if not known:
        return torch.zeros(spec.in_channels, dtype=torch.float64)
    from ase.data import chemical_symbols

    names = [f"{_REFERENCE}{chemical_symbols[z]}" for z in spec.elements]
    return torch.tensor([known.get(name, 0.0) for name in names], dtype=torch.float64)


def _with_references(
    model: TrainedModel | Ensemble, batch: GraphBatch, name: str, value: Tensor
) -> Tensor:
    """An energy with those of its atoms, if they were subtracted."""
    if name != "energy" or not any(k.startswith(_REFERENCE) for k in model.spec.statistics):
        return value
    of_atoms = batch.x.double() @ element_table(model.spec).to(value.device)
    return value.index_add(0, batch.batch, of_atoms)
