"""Normalisation of multivectors."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geozoo.geometry import grade_squares, weigh_grades
from geozoo.nn.clifford._multivector_layer import MultivectorLayer

#: Square of the norm below which it is smoothed: plain norms have a kink where a grade vanishes.
_SMALL = 1e-6


class GradeNorm(MultivectorLayer):
    r"""Divide each grade by its norm, as much as a learned parameter says.

    .. math:: y^{(m)} = \frac{x^{(m)}}{\sigma(a_m) \bigl(\lVert x^{(m)} \rVert - 1\bigr) + 1}

    with a parameter a per channel and grade; :math:`\sigma = 0` leaves the multivectors unchanged,
    :math:`\sigma = 1` normalises them. The norm is :math:`\sqrt{10^{-6} + |x|^2}`.

    Args:
        channels: number C of channels.
        dim: dimension of the space, 2 or 3.

    Raises:
        ValueError: If ``channels`` is below 1, or ``dim`` is not 2 or 3.

    Reference:
        D. Ruhe, J. Brandstetter, P. Forre, Clifford Group Equivariant Neural Networks, NeurIPS
        2023, arXiv:2305.11141, section 3 (normalization).
    """

    def __init__(self, channels: int, dim: int = 3) -> None:
        super().__init__(channels, dim)
        self.mix = nn.Parameter(torch.zeros(dim + 1, channels))

    def forward(self, x: Float[Tensor, "N B C"]) -> Float[Tensor, "N B C"]:
        """Return the normalised multivectors.

        Raises:
            ValueError: If ``x`` has the wrong shape.
        """
        self.check(x)
        norm = (grade_squares(x, self.algebra) + _SMALL).sqrt()
        divisor = torch.addcmul(torch.ones_like(self.mix), self.mix.sigmoid(), norm - 1)
        return weigh_grades(divisor.reciprocal(), x, self.algebra)


class MultivectorNorm(MultivectorLayer):
    r"""Divide multivectors by the mean norm of all channels, and scale each channel.

    .. math:: y_c = \gamma_c\, \frac{x_c}{\tfrac1C \sum_d \lVert x_d \rVert}

    The norm is :math:`\sqrt{10^{-6} + |x|^2}`.

    Args:
        channels: number C of channels.
        dim: dimension of the space, 2 or 3.

    Raises:
        ValueError: If ``channels`` is below 1, or ``dim`` is not 2 or 3.

    Reference:
        D. Ruhe, J. Brandstetter, P. Forre, Clifford Group Equivariant Neural Networks, NeurIPS
        2023, arXiv:2305.11141, section 3 (normalization).
    """

    def __init__(self, channels: int, dim: int = 3) -> None:
        super().__init__(channels, dim)
        self.scale = nn.Parameter(torch.ones(channels))

    def forward(self, x: Float[Tensor, "N B C"]) -> Float[Tensor, "N B C"]:
        """Return the normalised multivectors.

        Raises:
            ValueError: If ``x`` has the wrong shape.
        """
        self.check(x)
        square = grade_squares(x, self.algebra).sum(1, keepdim=True)
        mean = (square + _SMALL).sqrt().mean(-1, keepdim=True)
        factor = (self.scale / mean).expand(-1, self.algebra.dim + 1, -1)
        return weigh_grades(factor, x, self.algebra)
