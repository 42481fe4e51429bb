"""Rotation augmentation: rotating all vectors of a batch together."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from geozoo.data.batch import GraphBatch


def rotate_batch(
    batch: GraphBatch,
    rotations: Float[Tensor, "G dim dim"],
    vector_fields: Sequence[str],
    tensor_fields: Sequence[str] = (),
) -> GraphBatch:
    r"""Rotate each graph by its own rotation, :math:`v \mapsto v R^{\mathsf T}`.

    Rank-two tensors, sums of :math:`v^{\mathsf T} w`, become :math:`R s R^{\mathsf T}`.

    Args:
        batch: the graphs; not modified.
        rotations: one orthogonal matrix per graph.
        vector_fields: node or graph fields ``[..., dim]`` that rotate with the input
            (``GeometricSpec.vector_fields``); all others, such as charges, are invariant.
        tensor_fields: node or graph fields ``[..., dim, dim]`` that rotate on both axes
            (``GeometricSpec.tensor_fields``).

    Raises:
        ValueError: If the number of rotations is not the number of graphs, a field does not exist,
            or its last axis (both, of a tensor) does not have size ``dim``.
    """
    if rotations.ndim != 3 or rotations.shape[0] != batch.num_graphs:
        raise ValueError(
            f"rotations must have shape [{batch.num_graphs}, dim, dim], "
            f"got {tuple(rotations.shape)}"
        )
    rows = {"graph": rotations, "node": rotations.index_select(0, batch.batch)}
    rotated: dict[str, Tensor] = {}
    for name in vector_fields:
        value = _rotating(batch, name, "vector_fields", (rotations.shape[-1],))
        matrices = rows[batch.level(name)].to(value.dtype)
        flat = value.reshape(value.shape[0], -1, value.shape[-1])
        rotated[name] = torch.einsum("nvd,ned->nve", flat, matrices).reshape(value.shape)
    for name in tensor_fields:
        value = _rotating(batch, name, "tensor_fields", (rotations.shape[-1],) * 2)
        matrices = rows[batch.level(name)].to(value.dtype)
        flat = value.reshape(value.shape[0], -1, *value.shape[-2:])
        turned = torch.einsum("nac,nvcd,nbd->nvab", matrices, flat, matrices)
        rotated[name] = turned.reshape(value.shape)
    return batch.replace(**rotated)


def _rotating(batch: GraphBatch, name: str, argument: str, shape: tuple[int, ...]) -> Tensor:
    value = batch.get(name)
    if value is None or batch.level(name) not in ("node", "graph"):
        raise ValueError(f"{argument}: {name!r} is not a node or graph field of {batch!r}")
    if value.shape[-len(shape) :] != shape or value.ndim <= len(shape):
        axes = "the last axis" if len(shape) == 1 else "both last axes"
        raise ValueError(
            f"{argument}: {axes} of {name!r} must have size {shape[0]}, got shape "
            f"{tuple(value.shape)}"
        )
    return value
