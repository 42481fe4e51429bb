"""Predictions for atomic structures: from elements and positions to physical quantities."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from geozoo.data import GeometricSpec, GraphStore, Structure
from geozoo.data.centring import centred
from geozoo.data.molecules._qm9_inputs import inputs_of_qm9, qm9_inputs
from geozoo.data.molecules._state_inputs import StatedGraph, state_fields
from geozoo.data.properties._molecule_stores import cells_of
from geozoo.hub.batch_size import BatchSize
from geozoo.machine.freed_memory import return_kept_memory
from geozoo.tasks import Potential

if TYPE_CHECKING:
    from geozoo.hub.ensemble import Ensemble
    from geozoo.hub.loading import TrainedModel


def structure_store(spec: GeometricSpec, structures: Sequence[Structure]) -> GraphStore:
    """Build the model inputs for structures.

    Inputs beyond elements and positions are computed if the model was trained on QM9
    (`geozoo.data.QM9`), from positions or from the bonds of an SDF file.

    Args:
        spec: the spec of the model's training data, in which positions are centred per structure.
        structures: elements and positions, and bonds where known.

    Warns:
        UserWarning: If the total charge is not 0 or the shell is open, and the training data do
            not record charge and spin, which are not inputs of the model.

    Raises:
        ValueError: If the model needs other inputs or bonds that are not given, or an element,
            charge or spin is missing or not as in the training data, or a structure is periodic
            and the inputs are those of molecules.
    """
    stated = [StatedGraph(each.state, each.numbers, each.pbc is None) for each in structures]
    states = state_fields(spec, stated)
    if (inputs := inputs_of_qm9(spec.record)) is not None:
        _check_isolated(structures)
        return qm9_inputs(inputs, structures)
    sizes = torch.tensor([len(each.numbers) for each in structures])
    pos = torch.from_numpy(np.concatenate([each.pos for each in structures]))
    numbers = torch.from_numpy(np.concatenate([each.numbers for each in structures]))
    return atoms_store(spec, pos, numbers, sizes, {**cells_of(structures), **states})


def atoms_store(
    spec: GeometricSpec, pos: Tensor, numbers: Tensor, sizes: Tensor, graph: Mapping[str, Tensor]
) -> GraphStore:
    """Build the model inputs for structures that are given as tensors.

    Args:
        spec: the spec of the model's training data.
        pos: ``[N, 3]`` positions of the atoms of all structures, one structure after the other.
        numbers: ``[N]`` their atomic numbers.
        sizes: ``[S]`` number of atoms of each structure.
        graph: values of the structures, such as ``cell`` and ``pbc``.

    Raises:
        ValueError: If the model needs other inputs, an element does not occur in the training data,
            or a value is not finite.
    """
    if not spec.elements or spec.in_vectors or spec.dim != 3:
        raise ValueError(
            "this model needs inputs beyond elements and 3D positions: provide arrays (.npz) "
            "instead"
        )
    if spec.has_edges:
        raise ValueError(
            "this model was trained on graphs with explicit edges, which a structure file does not "
            "contain: provide arrays (.npz) with edge_index instead"
        )
    columns = {z: column for column, z in enumerate(spec.elements) if z}
    column_of = torch.full((max(columns) + 1,), -1)
    column_of[list(columns)] = torch.tensor(list(columns.values()))
    known = (numbers > 0) & (numbers < len(column_of))
    column = column_of[numbers.to(torch.int64).where(known, 0)]
    known &= column >= 0
    if not bool(known.all()):
        unknown = sorted(set(numbers[~known].tolist()))
        raise ValueError(
            f"atomic numbers must occur in the training data, {sorted(columns)} "
            f"({_symbols(columns)}); got {unknown} ({_symbols(unknown)})"
        )
    node = {
        "pos": centred(pos, sizes),
        "x": torch.nn.functional.one_hot(column, spec.node_channels).to(torch.float32),
        "z": numbers,
    }
    return GraphStore(sizes, node=node, graph=graph)


def _check_isolated(structures: Sequence[Structure]) -> None:
    for number, structure in enumerate(structures):
        if structure.pbc is not None:
            raise ValueError(
                f"structure {number} is periodic (pbc {structure.pbc.tolist()}), but the model was "
                "trained on QM9, whose inputs are those of isolated molecules. For a molecule in "
                "a large box, set ignore_cell=true"
            )


def _symbols(numbers: Iterable[int]) -> str:
    from ase.data import chemical_symbols

    return ", ".join(
        chemical_symbols[z] if 0 <= z < len(chemical_symbols) else "?" for z in sorted(numbers)
    )


def predict_store(
    model: TrainedModel | Ensemble,
    store: GraphStore,
    *,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Tensor]:
    """Predict for all graphs of a store, in batches that fit into memory.

    Args:
        model: the trained model, or an ensemble.
        store: the graphs, with the same fields as the training data.
        progress: called with the number of graphs just processed.

    Returns:
        Every quantity by name, in physical units, for all graphs or nodes in order.

    Raises:
        MemoryError: If a single graph does not fit into memory.
    """
    parts: list[dict[str, Tensor]] = []
    size, done = BatchSize(model.device), 0
    while done < len(store):
        count = min(size.value, len(store) - done)
        is_whole = count == len(store)
        batch = store.whole() if is_whole else store.gather(torch.arange(done, done + count))
        batch = batch.to(model.device)
        with size.watched() as watched:
            parts.append({name: value.cpu() for name, value in model.predict(batch).items()})
        if watched.failed:
            continue
        done += count
        return_kept_memory()
        if progress is not None:
            progress(count)
    if len(parts) == 1:
        return parts[0]
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def allow_any_composition(model: TrainedModel | Ensemble) -> None:
    """Let a potential predict for compositions whose energies its training does not determine.

    Raises:
        ValueError: If a model is not a potential.
    """
    for member in getattr(model, "members", (model,)):
        if not isinstance(member.task, Potential):
            raise ValueError(
                f"any_composition applies to potentials only; {member.name} is not a potential"
            )
        member.task.any_composition = True
