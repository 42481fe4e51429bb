"""Registry of the fields of a graph batch: name, level, shape, dtype and meaning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

FieldLevel = Literal["node", "edge", "graph"]


@dataclass(frozen=True)
class Field:
    """A field with the same meaning in every dataset. Its unit is in `DataSpec.units`.

    Attributes:
        name: attribute of the batch.
        level: what the first axis indexes: nodes, edges or graphs.
        shape: further axes: a number, or the name of a size (``"dim"``, ``"F"``, ``"V"``).
        dtype: dtype in the datasets of the zoo; a task casts the inputs of its model.
        meaning: short description.
    """

    name: str
    level: FieldLevel
    shape: tuple[str | int, ...]
    dtype: torch.dtype
    meaning: str


#: Fields with the same meaning in all datasets; a dataset may have more, such as its targets.
FIELDS = {
    field.name: field
    for field in (
        Field("pos", "node", ("dim",), torch.float32, "position"),
        Field("x", "node", ("F",), torch.float32, "scalar features"),
        Field("vec", "node", ("V", "dim"), torch.float32, "vector features, such as velocities"),
        Field("z", "node", (), torch.int64, "atomic number"),
        Field("energy", "graph", (), torch.float64, "total energy"),
        Field("forces", "node", ("dim",), torch.float32, "force on each node"),
        Field("cell", "graph", (3, 3), torch.float64, "lattice vectors as rows, 0 without"),
        Field("pbc", "graph", (3,), torch.bool, "whether periodic along each lattice vector"),
        Field("stress", "graph", (3, 3), torch.float64, "stress, negative under compression"),
        Field("has_forces", "graph", (), torch.bool, "whether the forces are known, else 0"),
        Field("has_stress", "graph", (), torch.bool, "whether the stress is known, else 0"),
        Field("atom_energies", "node", (), torch.float64, "energy of each atom"),
        Field("has_atom_energies", "graph", (), torch.bool, "whether those are known, else 0"),
        Field("dipole", "graph", (3,), torch.float64, "dipole about the mean position"),
        Field("has_dipole", "graph", (), torch.bool, "whether the dipole is known, else 0"),
        Field("charge", "graph", (), torch.float32, "total charge in elementary charges"),
        Field("spin", "graph", (), torch.float32, "spin multiplicity, 1 for a closed shell"),
        Field("weight", "graph", (), torch.float32, "weight in the loss"),
        Field("frame", "graph", (), torch.int64, "number of the frame in its file"),
        Field("number", "graph", (), torch.int64, "number of the molecule in its dataset"),
    )
}
