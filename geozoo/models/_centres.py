"""Positions relative to the centre of their graph."""

from __future__ import annotations

import torch
from torch import Tensor

from geozoo.ops import scatter


def from_centres(pos: Tensor, batch: Tensor, num_graphs: int) -> Tensor:
    """Positions ``[N, dim]`` relative to the mean position of their graph."""
    count = scatter(pos.new_ones(pos.shape[0], 1), batch, num_graphs).clamp_min(1)
    return pos - (scatter(pos, batch, num_graphs) / count).index_select(0, batch)


def with_coordinates(
    x: Tensor | None, vec: Tensor | None, pos: Tensor, batch: Tensor, num_graphs: int,
    *, as_input: str,
) -> tuple[Tensor | None, Tensor | None]:  # fmt: skip
    """Scalars and vectors, with positions relative to the centre of their graph appended.

    Args:
        x: scalars ``[N, S]``, or None.
        vec: vectors ``[N, V, dim]``, or None.
        pos: positions ``[N, dim]``.
        batch: graph of each node ``[N]``.
        num_graphs: number of graphs.
        as_input: ``"none"``, ``"equivariant"`` (a vector) or ``"symmetry_breaking"`` (scalars).
    """
    if as_input == "none":
        return x, vec
    centred = from_centres(pos, batch, num_graphs)
    if as_input == "symmetry_breaking":
        return (centred if x is None else torch.cat([x, centred], -1)), vec
    vector = centred.unsqueeze(1)
    return x, vector if vec is None else torch.cat([vec, vector], 1)
