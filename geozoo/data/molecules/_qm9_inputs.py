"""Inputs of QM9 models, for the dataset itself and for other molecules."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from geozoo.data.molecules._qm9_bonds import Bonds, bonds_from_distances, hydrogens_of_nearest
from geozoo.data.molecules._qm9_files import ELEMENTS, PROPERTIES, Molecule
from geozoo.data.molecules._qm9_store import make_store, number_of_hydrogens
from geozoo.data.record import DataRecord, Edges, Features, MoleculeInputs
from geozoo.data.store import GraphStore

if TYPE_CHECKING:
    from geozoo.data.molecules._ase_frames import Structure


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
    """Edge arguments of `GraphStore`: each bond in both directions; empty for complete graphs."""
    if edges == "complete":
        return {}
    pairs, num_pairs = store.edge_index, store.num_edges
    if pairs is None or num_pairs is None:
        raise ValueError("edges=bonds requires a store with bonds, got one without edges")
    both = torch.stack([pairs, pairs.flip(0)], -1).flatten(1)
    return {"edge_index": both, "num_edges": 2 * num_pairs}


def inputs_of_qm9(record: DataRecord) -> MoleculeInputs | None:
    """How the inputs of a model trained on `QM9` were computed; None for other or old records."""
    inputs = record.inputs
    is_complete = inputs and None not in (inputs.features, inputs.edges, inputs.bonds)
    return inputs if record.dataset == "qm9" and is_complete else None


def qm9_inputs(inputs: MoleculeInputs, structures: Sequence[Structure]) -> GraphStore:
    """Inputs of a QM9 model for given molecules, computed as in training.

    For models trained with ``bonds=distance``, bonds come from distances. For models trained with
    RDKit bonds, they come from the molecules themselves (SDF files). Without bonds, each hydrogen
    is assigned to the nearest heavy atom, as in training, which suffices for ``features=pyg``.

    Args:
        inputs: the record of the training inputs, see `inputs_of_qm9`.
        structures: the molecules.

    Raises:
        ValueError: If an element does not occur in QM9, bonds are required but not given, or the
            record lacks the choice of features or edges.
    """
    features, edges = inputs.features, inputs.edges
    if features is None or edges is None:
        raise ValueError(f"inputs must name features and edges, got {inputs}")
    known = set(ELEMENTS.values())
    for index, structure in enumerate(structures):
        if unknown := sorted(set(structure.numbers.tolist()) - known):
            names = ", ".join(f"{z} ({_symbol(z)})" for z in unknown)
            raise ValueError(
                f"molecule {index} has the atomic numbers {names}, which are not among those of "
                f"the training: {', '.join(f'{z} ({name})' for name, z in ELEMENTS.items())}"
            )
    none = np.zeros(len(PROPERTIES))
    molecules = [
        Molecule(index, each.numbers.astype(np.uint8), each.pos, none, "")
        for index, each in enumerate(structures)
    ]
    bonds = [
        _bonds(inputs, each, structure.bonds)
        for each, structure in zip(molecules, structures, strict=True)
    ]
    whole = make_store(molecules, bonds)
    pos = np.concatenate([molecule.pos - molecule.pos.mean(0) for molecule in molecules])
    node = {
        "pos": torch.from_numpy(pos),
        "x": node_features(whole, features),
        "z": whole.node["z"].long(),
    }
    return GraphStore(whole.num_nodes, node, **edges_of(whole, edges))


def _bonds(inputs: MoleculeInputs, molecule: Molecule, given: Bonds | None) -> Bonds:
    """The bonds of a molecule, by the method used in training."""
    if not str(inputs.bonds).startswith("rdkit"):
        return bonds_from_distances(molecule)
    features, edges, where = inputs.features, inputs.edges, f"molecule {molecule.number}"
    if given is not None:
        heavy = molecule.z > 1
        if features == "chemistry" and not given.hybridization[heavy].any() and heavy.any():
            raise ValueError(
                f"{where}: RDKit cannot sanitise its bonds, but the model was trained on RDKit's "
                "hybridisation and aromaticity (dataset.features=chemistry)"
            )
        return given
    if len(molecule.z) > 1 and (features == "chemistry" or edges == "bonds"):
        what = "bonds as edges" if edges == "bonds" else "RDKit's hybridisation and aromaticity"
        raise ValueError(
            f"{where} has no bonds: the model was trained on {what} (dataset.features={features}, "
            f"dataset.edges={edges}, bonds by RDKit), which positions alone do not determine. Use "
            "an SDF file with bonds"
        )
    found, by_distance = hydrogens_of_nearest(molecule), bonds_from_distances(molecule)
    counts = [number_of_hydrogens(molecule, bonds) for bonds in (found, by_distance)]
    if features != "elements" and not np.array_equal(counts[0], counts[1]):
        warnings.warn(
            f"{where}: hydrogen counts by nearest heavy atom and by bond length differ; hydrogens "
            "are assigned to the nearest heavy atom, as in training", stacklevel=4,
        )  # fmt: skip
    return found


def _symbol(number: int) -> str:
    from ase.data import chemical_symbols

    return chemical_symbols[number]
