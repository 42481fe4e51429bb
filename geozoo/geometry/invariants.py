r"""Invariants of point pairs that identify their equivalence classes.

A convolution :math:`\sum_j k(g_i^{-1} g_j) x_j` is equivariant if its kernel depends on a pair of
points only through the equivalence class of the pair under the group. For each space, a few
numbers identify the class (Bekkers et al., Fast, Expressive SE(n) Equivariant Networks through
Weight-Sharing in Position-Orientation Space, ICLR 2024, theorem 1 and table 1). Here
:math:`r = p_\mathrm{sender} - p_\mathrm{receiver}`, :math:`o` is the receiver's orientation and
:math:`o'` the sender's.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from geozoo.ops import safe_norm


def distance_invariants(rel_pos: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch 1"]:
    r"""Return :math:`\lVert r \rVert`, the invariant of R^n, in the unit of the positions."""
    return safe_norm(rel_pos, keepdim=True)


def r2s1_invariants(
    rel_pos: Float[Tensor, "*batch 2"], orientation: Float[Tensor, "*batch 2"]
) -> Float[Tensor, "*batch 2"]:
    r"""Return :math:`(o \cdot r,\; o_\perp \cdot r)` for R^2 x S^1.

    :math:`o_\perp` is the receiver's orientation rotated by +90 degrees.
    """
    along = (rel_pos * orientation).sum(-1)
    across = orientation[..., 0] * rel_pos[..., 1] - orientation[..., 1] * rel_pos[..., 0]
    return torch.stack([along, across], -1)


def r3s2_invariants(
    rel_pos: Float[Tensor, "*batch 3"], orientation: Float[Tensor, "*batch 3"]
) -> Float[Tensor, "*batch 2"]:
    r"""Return :math:`(o \cdot r,\; \lVert r - (o \cdot r) o \rVert)` for R^3 x S^2.

    Both are invariant to reflections too. Their derivatives are finite everywhere: if r is
    parallel to o or zero, the second one has gradient 0 (`geozoo.ops.safe_norm`).
    """
    along = (rel_pos * orientation).sum(-1, keepdim=True)
    across = safe_norm(rel_pos - along * orientation, keepdim=True)
    return torch.cat([along, across], -1)


def orientation_invariants(
    receiver: Float[Tensor, "*batch dim"],
    sender: Float[Tensor, "*batch dim"],
    kind: Literal["published", "se2"] = "published",
) -> Float[Tensor, "*batch k"]:
    r"""Return the invariants of a pair of orientations.

    ``"published"``: :math:`o \cdot o'` only, complete for S^2; on the circle it ignores the sign
    of the angle between the two. ``"se2"``: :math:`(o \cdot o', o_\perp \cdot o')`, complete
    for SE(2); dimension 2 only.

    Raises:
        ValueError: If ``kind`` is unknown, or ``"se2"`` is used with orientations not in 2D.
    """
    cosine = (receiver * sender).sum(-1)
    if kind == "published":
        return cosine.unsqueeze(-1)
    if kind != "se2":
        raise ValueError(f'kind must be "published" or "se2", got {kind!r}')
    if receiver.shape[-1] != 2:
        raise ValueError(
            f'kind "se2" requires orientations of dimension 2, got {receiver.shape[-1]}'
        )
    sine = receiver[..., 0] * sender[..., 1] - receiver[..., 1] * sender[..., 0]
    return torch.stack([cosine, sine], -1)


def se3_invariants(
    rel_pos: Float[Tensor, "*batch 3"],
    receiver_frame: Float[Tensor, "*batch 3 3"],
    sender_frame: Float[Tensor, "*batch 3 3"],
) -> Float[Tensor, "*batch 12"]:
    r"""Return the components of :math:`R^\top r` and of :math:`R^\top R'`, the class in SE(3).

    Frames have their axes as columns. Three numbers describe the position and nine the frame. They
    are invariant to rotations and translations but, unlike the invariants of R^3 x S^2, not to
    reflections, so they distinguish mirror images.
    """
    to_local = receiver_frame.transpose(-1, -2)
    local_pos = (to_local @ rel_pos.unsqueeze(-1)).squeeze(-1)
    return torch.cat([local_pos, frame_invariants(receiver_frame, sender_frame)], -1)


def frame_invariants(
    receiver_frame: Float[Tensor, "*batch 3 3"], sender_frame: Float[Tensor, "*batch 3 3"]
) -> Float[Tensor, "*batch 9"]:
    r"""Return the components of :math:`R^\top R'`, the class of two frames at the same position."""
    return (receiver_frame.transpose(-1, -2) @ sender_frame).flatten(-2)
