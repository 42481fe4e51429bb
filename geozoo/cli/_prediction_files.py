"""Predictions for graphs as files."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from geozoo.data import Structure

FORMATS = (".extxyz", ".xyz", ".npz", ".csv")
_MEV = 1e-3  # eV, the unit of energy that structure files have


@dataclass(frozen=True)
class Predictions:
    """What was predicted, with what it was predicted for.

    Attributes:
        values: quantities by name, a row for each graph or for each node.
        units: unit of each quantity.
        levels: whether a quantity has a row for each ``"graph"`` or for each ``"node"``.
        num_nodes: ``[S]`` nodes of each graph.
        structures: elements and positions, where the input was such.
    """

    values: Mapping[str, Tensor]
    units: Mapping[str, str]
    levels: Mapping[str, str]
    num_nodes: np.ndarray
    structures: Sequence[Structure] | None

    def is_of_nodes(self, name: str) -> bool:
        """Whether a quantity has a row for each node."""
        return self.levels.get(name, "graph") == "node"

    def of_graph(self, name: str, graph: int) -> np.ndarray:
        """A quantity of one graph."""
        array = self.values[name].numpy()
        if not self.is_of_nodes(name):
            return array[graph]
        ends = np.cumsum(self.num_nodes)
        return array[ends[graph] - self.num_nodes[graph] : ends[graph]]


def write_predictions(found: Predictions, path: Path) -> None:
    """Write predictions in the format of the file's ending.

    ``.npz``: an array a quantity, with ``num_nodes`` and ``units``. ``.csv``: a row for each graph,
    or for each node where there are only quantities of nodes; quantities of the other kind are in
    the other formats. ``.extxyz`` and ``.xyz``: the structures with energies and forces in ASE's
    units, eV and eV/angstrom, and other quantities in theirs under ``<name>_<unit>``.
    """
    if path.suffix == ".npz":
        arrays: dict[str, Any] = {name: value.numpy() for name, value in found.values.items()}
        units = np.array([f"{name}: {unit}" for name, unit in found.units.items()])
        np.savez(path, num_nodes=found.num_nodes, units=units, **arrays)
    elif path.suffix == ".csv":
        _write_table(found, path)
    else:
        _write_structures(found, path)


def _write_table(found: Predictions, path: Path) -> None:
    of_graphs = [name for name in found.values if not found.is_of_nodes(name)]
    names = of_graphs or list(found.values)
    columns: dict[str, np.ndarray] = {}
    if of_graphs:
        columns["graph"] = np.arange(len(found.num_nodes))
    else:
        columns["graph"] = np.repeat(np.arange(len(found.num_nodes)), found.num_nodes)
    for name in names:
        array = found.values[name].numpy()
        flat = array.reshape(len(array), -1)
        unit = f" [{found.units[name]}]" if found.units.get(name) else ""
        for place in range(flat.shape[1]):
            label = f"{name}_{place}{unit}" if flat.shape[1] > 1 else f"{name}{unit}"
            columns[label] = flat[:, place]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*(column.tolist() for column in columns.values()), strict=True))


def _write_structures(found: Predictions, path: Path) -> None:
    from ase import Atoms
    from ase.calculators.singlepoint import SinglePointCalculator
    from ase.io import write

    frames = []
    for number, structure in enumerate(found.structures or ()):
        pos, cell, pbc = structure.periodic or (structure.pos, None, None)
        atoms = Atoms(structure.numbers, pos, cell=cell, pbc=pbc)
        results: dict[str, float | np.ndarray] = {}
        for name in found.values:
            value, unit = found.of_graph(name, number), found.units.get(name, "")
            if name == "energy" and unit == "meV":
                results["energy"] = float(value) * _MEV
            elif name == "force" and unit == "meV/angstrom":
                results["forces"] = value.astype(np.float64) * _MEV
            elif found.is_of_nodes(name):
                atoms.arrays[_label(name, unit)] = value
            else:
                atoms.info[_label(name, unit)] = value.tolist()
        if results:
            atoms.calc = SinglePointCalculator(atoms, **results)
        frames.append(atoms)
    write(str(path), frames, format="extxyz")


def _label(name: str, unit: str) -> str:
    return f"{name}_{unit}".rstrip("_") if unit not in ("", "1") else name
