"""Temporal attention with sigmoid scores."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geozoo.checks import check_positive, check_shape


class TemporalAttention(nn.Module):
    r"""Mix the time steps of each channel by their similarity over all sensors.

    .. math::
        S_c = \sigma\big(w_3^T\, (H_c H_c^T)\, w_4\big), \qquad y_c = S_c\, H_c

    where the rows of :math:`H_c` are the time steps of channel c and its columns the sensors.
    Scores are not normalised. Axes: ``h [B, N, T, C]``.

    A series of a multiple of ``steps`` is split into independent segments of that length; with
    ``copies``, each segment has its own weights.

    Args:
        steps: length S of a segment.
        copies: number G of segments with separate weights; None: shared weights.

    Raises:
        ValueError: If a size is below 1.

    Reference:
        Liu et al., TMLR 2023, arXiv:2305.18687, section 4 (shared temporal weights w3, w4; standard
        normal start as in the published code).
    """

    def __init__(self, steps: int, *, copies: int | None = None) -> None:
        super().__init__()
        check_positive(steps=steps, copies=1 if copies is None else copies)
        self.steps = steps
        shape = (steps, steps) if copies is None else (copies, steps, steps)
        self.left = nn.Parameter(torch.randn(shape))
        self.right = nn.Parameter(torch.randn(shape))

    def forward(self, h: Float[Tensor, "B N T C"]) -> Float[Tensor, "B N T C"]:
        """Return the mixed features.

        Args:
            h: features; T is a multiple of ``steps``, and exactly G times ``steps`` with copies.

        Raises:
            ValueError: If a tensor has the wrong shape.
        """
        check_shape("h", h, "B N T C", None, None, None, None)
        copies = len(self.left) if self.left.dim() == 3 else None
        pieces, rest = divmod(h.shape[2], self.steps)
        if rest or (copies is not None and pieces != copies):
            wanted = "a multiple of " if copies is None else f"{copies} times "
            raise ValueError(f"h must have {wanted}{self.steps} steps, got {h.shape[2]}")
        return attend_to_steps(h, self.left, self.right)


def attend_to_steps(h: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """Apply `TemporalAttention` to ``h [B, N, T, C]``, weights ``[S, S]`` or ``[T/S, S, S]``."""
    steps = left.shape[-1]
    if steps == 1:
        scores = torch.sigmoid((left * right).view(-1, 1) * h.square().sum(1))
        return h * scores.unsqueeze(1)
    # The scores depend on the sensors only through inner products of time steps, so h w3 and h w4
    # are never formed.
    rows = h.unflatten(2, (-1, steps)).permute(0, 2, 4, 1, 3).contiguous()  # [B, T/S, C, N, S]
    inner = rows.mT @ rows
    scores = torch.sigmoid(left.unsqueeze(-3).mT @ inner @ right.unsqueeze(-3))
    return (rows @ scores.mT).permute(0, 3, 1, 4, 2).flatten(2, 3)
