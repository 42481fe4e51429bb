"""Turning a batch and all its vectors together."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from geozoo.data.batch import GraphBatch


def rotate_batch(
    batch: GraphBatch, rotations: Float[Tensor, "G dim dim"], vector_fields: Sequence[str]
) -> GraphBatch:
    r"""Turn each graph by its own rotation, :math:`v \mapsto v R^{\mathsf T}`.

    Args:
        batch: the graphs; it stays as it is.
        rotations: one orthogonal matrix per graph.
        vector_fields: fields ``[..., dim]`` per node or per graph that turn with the input
            (``DataSpec.vector_fields``); others, such as charges, stay.

    Raises:
        ValueError: for another number of rotations, a field that is not there, or one whose last
            axis is not space.
    """
    if rotations.ndim != 3 or rotations.shape[0] != batch.num_graphs:
        raise ValueError(
            f"rotations must have the shape [{batch.num_graphs}, dim, dim], "
            f"got {tuple(rotations.shape)}"
        )
    rows = {"graph": rotations, "node": rotations.index_select(0, batch.batch)}
    turned: dict[str, Tensor] = {}
    for name in vector_fields:
        value = _vectors(batch, name, rotations.shape[-1])
        matrices = rows[batch.level(name)].to(value.dtype)
        flat = value.reshape(value.shape[0], -1, value.shape[-1])
        turned[name] = torch.einsum("nvd,ned->nve", flat, matrices).reshape(value.shape)
    return batch.replace(**turned)


def _vectors(batch: GraphBatch, name: str, dim: int) -> Tensor:
    value = batch.get(name)
    if value is None or batch.level(name) not in ("node", "graph"):
        raise ValueError(f"vector_fields: {name!r} is no node or graph field of {batch!r}")
    if value.shape[-1] != dim:
        raise ValueError(
            f"vector_fields: the last axis of {name!r} must be {dim}, got {tuple(value.shape)}"
        )
    return value
