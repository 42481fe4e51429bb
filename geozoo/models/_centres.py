"""Positions relative to the centre of their graph as inputs."""

from __future__ import annotations

import torch
from torch import Tensor

from geozoo.ops import centred


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
    found = centred(pos, batch, num_graphs)
    if as_input == "symmetry_breaking":
        return (found if x is None else torch.cat([x, found], -1)), vec
    vector = found.unsqueeze(1)
    return x, vector if vec is None else torch.cat([vec, vector], 1)
