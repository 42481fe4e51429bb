"""Predictions for atoms in space: elements and positions in, physical quantities out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from geozoo.data import GeometricSpec, GraphStore, Structure
from geozoo.data.molecules._electronic_states import check_states
from geozoo.data.molecules._qm9_inputs import inputs_of_qm9, qm9_inputs
from geozoo.hub.batch_size import BatchSize
from geozoo.tasks import Potential

if TYPE_CHECKING:
    from geozoo.hub.ensemble import Ensemble
    from geozoo.hub.loading import TrainedModel


def structure_store(spec: GeometricSpec, structures: Sequence[Structure]) -> GraphStore:
    """The inputs of a model for some structures.

    Inputs beyond elements and positions are computed where the training says how: those of QM9
    (`geozoo.data.QM9`), from positions or from the bonds of an SDF file.

    Args:
        spec: the data of its training; positions there are counted from the mean of each frame.
        structures: elements and positions, bonds where they are known.

    Warns:
        UserWarning: for a total charge that is not 0, or an open shell, where the training does not
            say what it had: no model here reads either.

    Raises:
        ValueError: for a model with other inputs, an element that it never saw, bonds that it needs
            and that are not there, or a charge or spin that its training did not have.
    """
    check_states([structure.state for structure in structures], spec.record)
    if (inputs := inputs_of_qm9(spec.record)) is not None:
        return qm9_inputs(inputs, structures)
    if not spec.elements or spec.in_vectors or spec.dim != 3:
        raise ValueError(
            "the inputs of this model are more than elements and positions in space: predict for "
            "arrays (.npz) instead"
        )
    if spec.has_edges:
        raise ValueError(
            "this model was trained on graphs with edges of their own, which a structure file does "
            "not hold: predict for arrays (.npz) with edge_index instead"
        )
    columns = {z: column for column, z in enumerate(spec.elements) if z}
    numbers = np.concatenate([structure.numbers for structure in structures])
    unknown = sorted(set(numbers.tolist()) - columns.keys())
    if unknown:
        raise ValueError(
            f"atomic numbers {unknown} are not among those of the training: {sorted(columns)} "
            f"(new: {_symbols(unknown)}; known: {_symbols(columns)})"
        )
    column = torch.tensor([columns[z] for z in numbers.tolist()])
    pos = np.concatenate([each.pos - each.pos.mean(0) for each in structures])
    node = {
        "pos": torch.from_numpy(pos),
        "x": torch.nn.functional.one_hot(column, spec.in_channels).to(torch.float32),
        "z": torch.from_numpy(numbers),
    }
    return GraphStore(torch.tensor([len(each.numbers) for each in structures]), node=node)


def _symbols(numbers: Iterable[int]) -> str:
    from ase.data import chemical_symbols

    return ", ".join(chemical_symbols[number] for number in sorted(numbers))


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
        Every quantity by name, in physical units, for all graphs or nodes in order.

    Raises:
        MemoryError: when even one graph does not fit.
    """
    parts: list[dict[str, Tensor]] = []
    size, done = BatchSize(model.device), 0
    while done < len(store):
        count = min(size.value, len(store) - done)
        batch = store.gather(torch.arange(done, done + count)).to(model.device)
        with size.watched() as watched:
            parts.append({name: value.cpu() for name, value in model.predict(batch).items()})
        if watched.failed:
            continue
        done += count
        if progress is not None:
            progress(count)
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def allow_any_composition(model: TrainedModel | Ensemble) -> None:
    """Let a potential answer for compositions whose energies its training does not determine.

    Raises:
        ValueError: for a model that is no potential.
    """
    for member in getattr(model, "members", (model,)):
        if not isinstance(member.task, Potential):
            raise ValueError(f"any_composition is for potentials, which {member.name} is not")
        member.task.any_composition = True
