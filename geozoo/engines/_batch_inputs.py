"""Cells, charges and spins of structures that are given as tensors."""

from __future__ import annotations

import torch
from torch import Tensor

from geozoo.data import GeometricSpec
from geozoo.data.molecules._electronic_states import ElectronicState
from geozoo.data.molecules._state_inputs import StatedGraph, state_fields
from geozoo.engines._quantities import place_of


def on_host(pos: Tensor, numbers: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The arguments on the host, positions in float64.

    Raises:
        ValueError: If positions are not finite, or shapes do not match.
    """
    pos, numbers, sizes = pos.detach().cpu().double(), numbers.cpu(), sizes.cpu()
    if pos.ndim != 2 or pos.shape[1] != 3:
        raise ValueError(f"pos must have shape (N, 3), got {tuple(pos.shape)}")
    if numbers.shape != pos.shape[:1]:
        raise ValueError(f"numbers must have shape ({len(pos)},), got {tuple(numbers.shape)}")
    if int(sizes.sum()) != len(pos):
        raise ValueError(
            f"sizes must add up to the {len(pos)} atoms of pos, got {int(sizes.sum())}"
        )
    wrong = ~pos.isfinite().all(1)
    if bool(wrong.any()):
        row = int(wrong.nonzero()[0])
        graph, atom = place_of(row, sizes)
        raise ValueError(
            f"pos must be finite, got {pos[row].tolist()} for atom {atom} of structure {graph}"
        )
    return pos, numbers, sizes


def checked_cells(cell: Tensor | None, pbc: Tensor | None, count: int) -> dict[str, Tensor]:
    """Fields ``cell`` and ``pbc`` on the host; empty if no structure is periodic.

    Args:
        cell: ``[S, 3, 3]`` lattice vectors in rows.
        pbc: ``[S, 3]`` periodic directions.
        count: number of structures.

    Raises:
        ValueError: If a periodic structure has no cell, or a shape does not match.
    """
    if pbc is None or not bool(pbc.any()):
        return {}
    if cell is None:
        raise ValueError(f"cell must be given with periodic directions, got None and pbc {pbc}")
    shapes = {"cell": (cell, (count, 3, 3)), "pbc": (pbc, (count, 3))}
    for name, (value, wanted) in shapes.items():
        if value.shape != wanted:
            raise ValueError(f"{name} must have shape {wanted}, got {tuple(value.shape)}")
    return {"cell": cell.detach().cpu().double(), "pbc": pbc.detach().cpu()}


def state_values(
    spec: GeometricSpec, numbers: Tensor, sizes: Tensor, pbc: Tensor | None,
    charge: Tensor | None, spin: Tensor | None,
) -> dict[str, Tensor]:  # fmt: skip
    """Fields ``charge`` and ``spin`` of models that take them, checked against the training data.

    Args:
        spec: the spec of the model's training data.
        numbers: ``[N]`` atomic numbers, on the host.
        sizes: ``[S]`` number of atoms of each structure, on the host.
        pbc: ``[S, 3]`` periodic directions; None if all structures are isolated.
        charge: ``[S]`` total charges; None if not specified.
        spin: ``[S]`` multiplicities; None if not specified.

    Raises:
        ValueError: See `geozoo.data.molecules._state_inputs.state_fields`.
    """
    count = len(sizes)
    given = zip(_listed(charge, "charge", count), _listed(spin, "spin", count), strict=True)
    states = [ElectronicState(*values, "charge", "spin") for values in given]
    elements = numbers.split(sizes.tolist())
    isolated = [True] * count if pbc is None else (~pbc.any(1)).tolist()
    rows = zip(states, elements, isolated, strict=True)
    return state_fields(spec, [StatedGraph(state, z.numpy(), lone) for state, z, lone in rows])


def _listed(values: Tensor | None, name: str, count: int) -> list[float] | list[None]:
    if values is None:
        return [None] * count
    if values.shape != (count,):
        raise ValueError(f"{name} must have shape ({count},), got {tuple(values.shape)}")
    return [float(value) for value in values.to(torch.float64).tolist()]
