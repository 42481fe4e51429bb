"""Lift scalars and vectors to a set of frames, and project back."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from geozoo.checks import check_lifted, check_shape


def lift_to_frames(
    x: Float[Tensor, "N S"] | None,
    vec: Float[Tensor, "N V dim"] | None,
    frames: Float[Tensor, "F dim dim"],
) -> Float[Tensor, "N F channels"]:
    r"""Return scalars unchanged, and the components :math:`g^{-1} v` of vectors in each frame g.

    Args:
        x: scalars, or None.
        vec: vectors, or None.
        frames: orthogonal matrices.

    Returns:
        ``[N, F, S + dim * V]``: scalars, then the ``dim`` components of each vector.

    Raises:
        ValueError: If there are neither scalars nor vectors, or a tensor has the wrong shape.
    """
    check_shape("frames", frames, "F dim dim", None, frames.shape[-1], frames.shape[-1])
    check_lifted(x, vec, frames.shape[-1])
    parts = []
    if x is not None:
        parts.append(x.unsqueeze(1).expand(-1, len(frames), -1))
    if vec is not None:
        parts.append(torch.einsum("nvd,fdk->nfvk", vec, frames).flatten(2))
    return torch.cat(parts, -1) if len(parts) > 1 else parts[0]


def project_from_frames(
    features: Float[Tensor, "N F channels"], frames: Float[Tensor, "F dim dim"], num_scalars: int
) -> tuple[Float[Tensor, "N S"], Float[Tensor, "N V dim"]]:
    r"""Return the mean over frames of the scalars, and of :math:`g\, f(g)` for the vectors.

    Lifting and projecting is the identity.

    Args:
        features: scalars, then the components of each vector.
        frames: orthogonal matrices.
        num_scalars: number S of scalars.

    Raises:
        ValueError: If a tensor has the wrong shape.
    """
    dim = frames.shape[-1]
    check_shape("frames", frames, "F dim dim", None, dim, dim)
    num_vectors = max(0, (features.shape[-1] - num_scalars) // dim)
    width = num_scalars + dim * num_vectors
    check_shape("features", features, "N F C", None, len(frames), width)
    scalar = features[..., :num_scalars].mean(1)
    components = features[..., num_scalars:].unflatten(-1, (num_vectors, dim))
    return scalar, torch.einsum("nfvk,fdk->nvd", components, frames) / len(frames)
