"""The inputs of models that were trained on QM9, for the data set and for any other molecules."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor

from geozoo.data.molecules._qm9_bonds import Bonds, bonds_from_distances, hydrogens_of_nearest
from geozoo.data.molecules._qm9_files import ELEMENTS, PROPERTIES, Molecule
from geozoo.data.molecules._qm9_store import make_store, number_of_hydrogens
from geozoo.data.record import DataRecord, MoleculeInputs
from geozoo.data.store import GraphStore

if TYPE_CHECKING:
    from geozoo.data.molecules._ase_frames import Structure

Features = Literal["pyg", "chemistry", "elements"]
Edges = Literal["complete", "bonds"]


def node_features(store: GraphStore, features: Features) -> Tensor:
    """``[N, 5]`` or ``[N, 11]`` float32, see `QM9`."""
    z = store.node["z"]
    one_hot = torch.stack([z == number for number in ELEMENTS.values()], 1)
    if features == "elements":
        return one_hot.float()
    state = store.node["hybridization"]
    known = features == "chemistry"
    flags = [store.node["aromatic"] > 0, *(state == kind for kind in (1, 2, 3))]
    chemistry = torch.stack([flag & known for flag in flags], 1)
    numbers = torch.stack([z, store.node["hydrogens"]], 1).float()
    return torch.cat([one_hot, numbers[:, :1], chemistry, numbers[:, 1:]], 1)


def edges_of(store: GraphStore, edges: Edges) -> dict[str, Any]:
    """Both directions of each bond as a `GraphStore` takes them; nothing for complete graphs."""
    if edges == "complete":
        return {}
    pairs = store.edge_index
    both = torch.stack([pairs, pairs.flip(0)], -1).flatten(1)
    return {"edge_index": both, "num_edges": 2 * store.num_edges}


def inputs_of_qm9(record: DataRecord) -> MoleculeInputs | None:
    """How the inputs of a training on `QM9` were computed; None: other data, or not recorded."""
    inputs = record.inputs
    is_complete = inputs and None not in (inputs.features, inputs.edges, inputs.bonds)
    return inputs if record.dataset == "qm9" and is_complete else None


def qm9_inputs(inputs: MoleculeInputs, structures: Sequence[Structure]) -> GraphStore:
    """The inputs of a model of QM9 for some molecules, computed as those of its training.

    Bonds of a training with ``bonds=distance`` come from distances. Those of a training with rdkit
    come from the molecules themselves (of an SDF file). Without them, hydrogens belong to the
    nearest heavy atom, as in training, which is enough for ``features=pyg``.

    Args:
        inputs: those of the training, see `inputs_of_qm9`.
        structures: the molecules.

    Raises:
        ValueError: for an element that is not in QM9, or bonds that are needed and not given.
    """
    known = set(ELEMENTS.values())
    for place, structure in enumerate(structures):
        if unknown := sorted(set(structure.numbers.tolist()) - known):
            names = ", ".join(f"{z} ({_symbol(z)})" for z in unknown)
            raise ValueError(
                f"molecule {place} has the atomic numbers {names}, which are not among those of "
                f"the training: {', '.join(f'{z} ({name})' for name, z in ELEMENTS.items())}"
            )
    none = np.zeros(len(PROPERTIES))
    molecules = [
        Molecule(place, each.numbers.astype(np.uint8), each.pos, none, "")
        for place, each in enumerate(structures)
    ]
    bonds = [
        _bonds(inputs, each, structure.bonds)
        for each, structure in zip(molecules, structures, strict=True)
    ]
    whole = make_store(molecules, bonds)
    pos = np.concatenate([molecule.pos - molecule.pos.mean(0) for molecule in molecules])
    node = {
        "pos": torch.from_numpy(pos),
        "x": node_features(whole, inputs.features),
        "z": whole.node["z"].long(),
    }
    return GraphStore(whole.num_nodes, node, **edges_of(whole, inputs.edges))


def _bonds(inputs: MoleculeInputs, molecule: Molecule, given: Bonds | None) -> Bonds:
    """The bonds of a molecule by the rule of the training."""
    if not str(inputs.bonds).startswith("rdkit"):
        return bonds_from_distances(molecule)
    features, edges, where = inputs.features, inputs.edges, f"molecule {molecule.number}"
    if given is not None:
        heavy = molecule.z > 1
        if features == "chemistry" and not given.hybridization[heavy].any() and heavy.any():
            raise ValueError(
                f"{where}: rdkit cannot make sense of its bonds, and the model was trained on the "
                "hybridisation and aromaticity that rdkit finds (dataset.features=chemistry)"
            )
        return given
    if len(molecule.z) > 1 and (features == "chemistry" or edges == "bonds"):
        what = "bonds as edges" if edges == "bonds" else "rdkit's hybridisation and aromaticity"
        raise ValueError(
            f"{where} has no bonds: the model was trained on {what} (dataset.features={features}, "
            f"dataset.edges={edges}, bonds by rdkit), which positions alone do not give. Predict "
            "for an SDF file, which holds bonds"
        )
    found, by_distance = hydrogens_of_nearest(molecule), bonds_from_distances(molecule)
    counts = [number_of_hydrogens(molecule, bonds) for bonds in (found, by_distance)]
    if features != "elements" and not np.array_equal(*counts):
        warnings.warn(
            f"{where}: a hydrogen is not where the bonds of QM9 have one; it counts for the "
            "nearest heavy atom, as in training", stacklevel=4,
        )  # fmt: skip
    return found


def _symbol(number: int) -> str:
    from ase.data import chemical_symbols

    return chemical_symbols[number]
