"""From outputs per atom to energies and dipoles of graphs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

#: Batch field of each target that needs outputs per atom, and the option with its weight.
TARGETS = {"atom_energy": "atom_energies", "dipole": "dipole"}


class AtomOutputs(NamedTuple):
    """Outputs of a network with level ``"node"``, in normalised units.

    Attributes:
        energy: ``[G]``, the sum of ``atom_energy``.
        atom_energy: ``[N]``.
        dipole: ``[G, dim]`` about the mean position; None without dipoles.
    """

    energy: Tensor
    atom_energy: Tensor
    dipole: Tensor | None


def combined(
    out: Any, inputs: Mapping[str, Any], factors: Tensor | None, *, has_dipole: bool = False
) -> AtomOutputs:
    r"""Sum the outputs of atoms over each graph.

    The dipole is :math:`\sum_i q_i (r_i - \bar r) + \mu_i` with the second scalar output as charge,
    the first vector output, if there is one, as atomic dipole, and the mean position. About the
    mean position, a constant added to all charges changes nothing: no total charge is needed.

    Args:
        out: output of the network, one row per atom.
        inputs: its keyword arguments.
        factors: ``[C]`` factor of the energies of each element; None: no factors.
        has_dipole: whether the network has the outputs of dipoles.
    """
    batch, num_graphs = inputs["batch"], inputs["num_graphs"]
    atom_energy, dipole = out.scalar[:, 0], None
    if factors is not None:
        species = inputs["x"][:, : len(factors)].argmax(1)
        atom_energy = atom_energy * factors.to(atom_energy.dtype).index_select(0, species)
    if has_dipole:
        pos = inputs["pos"]
        count = sums(pos.new_ones(pos.shape[0], 1), batch, num_graphs).clamp(min=1)
        centre = sums(pos, batch, num_graphs) / count
        parts = out.scalar[:, 1:2] * (pos - centre.index_select(0, batch))
        if out.vector is not None:
            parts = parts + out.vector[:, 0]
        dipole = sums(parts, batch, num_graphs)
    return AtomOutputs(sums(atom_energy, batch, num_graphs), atom_energy, dipole)


def sums(values: Tensor, batch: Tensor, num_graphs: int) -> Tensor:
    """The sums of rows ``[N, ...]`` over the nodes of each graph."""
    return values.new_zeros(num_graphs, *values.shape[1:]).index_add(0, batch, values)


def where_known(values: Tensor, known: Tensor) -> Tensor:
    """The rows of targets that are known, and NaN in the others."""
    return torch.where(known.view(-1, *[1] * (values.ndim - 1)), values, torch.nan)


def atom_arguments(arguments: dict[str, Any], node: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a model with the outputs that the options of a task need.

    Args:
        arguments: those of the data.
        node: config of the task.
    """
    if not needing_option(node):
        return arguments
    changed = {**arguments, "level": "node"}
    if node.get("dipole_weight", 0.0):
        changed["out_channels"] = arguments["out_channels"] + 1
        changed["out_vectors"] = 1 if node.get("atomic_dipoles", True) else 0
    return changed


def needing_option(node: Mapping[str, Any]) -> str:
    """The option that needs outputs per atom; empty if none does."""
    if node.get("scale_by", "all") == "species":
        return "scale_by=species"
    return next((f"{name}_weight" for name in TARGETS if node.get(f"{name}_weight", 0.0)), "")
