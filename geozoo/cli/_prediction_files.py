"""Files of predictions for graphs."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from geozoo.data import Structure

FORMATS = (".extxyz", ".xyz", ".npz", ".csv")
_MEV = 1e-3  # eV, the energy unit of structure files
#: Results of ASE calculators by quantity and unit, with a factor.
_RESULTS = {
    ("energy", "meV"): ("energy", _MEV),
    ("force", "meV/angstrom"): ("forces", _MEV),
    ("stress", "meV/angstrom^3"): ("stress", _MEV),
    ("atom_energy", "meV"): ("energies", _MEV),
    ("dipole", "e*angstrom"): ("dipole", 1.0),
}
#: Molecules, slabs and wires have no volume; periodic structures have no dipole.
_OF_SOME = ("stress", "dipole")


@dataclass(frozen=True)
class Predictions:
    """Predictions and the structures they belong to.

    Attributes:
        values: quantities by name, with one row per graph or per node.
        units: unit of each quantity.
        levels: ``"graph"`` or ``"node"`` for each quantity.
        num_nodes: ``[S]`` number of nodes of each graph.
        structures: elements and positions; None if the input holds arrays.
        inputs: ``charge`` and ``spin`` if they are inputs of the model, to be written again.
        labels: names of the components of quantities, such as classes; often empty.
    """

    values: Mapping[str, Tensor]
    units: Mapping[str, str]
    levels: Mapping[str, str]
    num_nodes: np.ndarray
    structures: Sequence[Structure] | None
    inputs: Sequence[str] = ()
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def is_of_nodes(self, name: str) -> bool:
        """Whether a quantity has one row per node."""
        return self.levels.get(name, "graph") == "node"

    def of_graph(self, name: str, graph: int) -> np.ndarray:
        """The values of a quantity for one graph."""
        array = self.values[name].numpy()
        if not self.is_of_nodes(name):
            return array[graph]
        ends = np.cumsum(self.num_nodes)
        return array[ends[graph] - self.num_nodes[graph] : ends[graph]]


def write_predictions(predictions: Predictions, path: Path) -> None:
    """Write predictions in the format of the file extension.

    ``.npz``: one array per quantity, with ``num_nodes`` and ``units``. ``.csv``: one row per graph
    with the graph-level quantities, or one row per node if all quantities are node-level; with
    both kinds, node-level quantities are only in the other formats. ``.extxyz`` and ``.xyz``: the
    structures with energies (also of atoms), forces, stresses and dipoles in the units of ASE (eV,
    e and angstrom), and other
    quantities in their own units as ``<name>_<unit>``.
    """
    if path.suffix == ".npz":
        arrays: dict[str, Any] = {name: value.numpy() for name, value in predictions.values.items()}
        units = np.array([f"{name}: {unit}" for name, unit in predictions.units.items()])
        np.savez(path, num_nodes=predictions.num_nodes, units=units, **arrays)
    elif path.suffix == ".csv":
        _write_table(predictions, path)
    else:
        _write_structures(predictions, path)


def _write_table(predictions: Predictions, path: Path) -> None:
    of_graphs = [name for name in predictions.values if not predictions.is_of_nodes(name)]
    names = of_graphs or list(predictions.values)
    columns: dict[str, np.ndarray] = {}
    if of_graphs:
        columns["graph"] = np.arange(len(predictions.num_nodes))
    else:
        columns["graph"] = np.repeat(np.arange(len(predictions.num_nodes)), predictions.num_nodes)
    for name in names:
        array = predictions.values[name].numpy()
        flat = array.reshape(len(array), -1)
        unit = f" [{predictions.units[name]}]" if predictions.units.get(name) else ""
        names_of = list(predictions.labels.get(name, ())) or range(flat.shape[1])
        if predictions.labels.get(name):
            columns[name] = np.array(names_of)[flat.argmax(1)]
        for index, part in enumerate(names_of):
            label = f"{name}_{part}{unit}" if flat.shape[1] > 1 else f"{name}{unit}"
            columns[label] = flat[:, index]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*(column.tolist() for column in columns.values()), strict=True))


def _write_structures(predictions: Predictions, path: Path) -> None:
    from ase import Atoms
    from ase.calculators.singlepoint import SinglePointCalculator
    from ase.io import write

    frames = []
    for number, structure in enumerate(predictions.structures or ()):
        pos, cell, pbc = structure.periodic or (structure.pos, structure.cell, structure.pbc)
        atoms = Atoms(structure.numbers, pos, cell=cell, pbc=pbc)
        atoms.info.update({key: getattr(structure.state, key) for key in predictions.inputs})
        results: dict[str, Any] = {}
        for name in predictions.values:
            value, unit = predictions.of_graph(name, number), predictions.units.get(name, "")
            if (name, unit) in _RESULTS:
                results |= _result(name, unit, value)
            elif predictions.is_of_nodes(name):
                atoms.arrays[_label(name, unit)] = value
            else:
                atoms.info[_label(name, unit)] = value.tolist()
        if results:
            atoms.calc = SinglePointCalculator(atoms, **results)
        frames.append(atoms)
    write(str(path), frames, format="extxyz")


def _result(name: str, unit: str, value: np.ndarray) -> dict[str, Any]:
    """A quantity as a result of an ASE calculator; empty if it is not defined."""
    from ase.stress import full_3x3_to_voigt_6_stress

    key, factor = _RESULTS[name, unit]
    if key in _OF_SOME and np.isnan(value).any():
        return {}
    value = full_3x3_to_voigt_6_stress(value) if key == "stress" else value
    return {key: float(value) * factor if key == "energy" else value.astype(np.float64) * factor}


def _label(name: str, unit: str) -> str:
    return f"{name}_{unit}".rstrip("_") if unit not in ("", "1") else name
