"""Gated nonlinearity of multivectors."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geozoo.checks import check_positive, check_shape
from geozoo.geometry import clifford_algebra, grade_squares, weigh_grades


class MultivectorGate(nn.Module):
    r"""Each grade times a sigmoid of its invariant: SiLU for the scalars.

    .. math:: y^{(m)} = \sigma\bigl(a_m f_m(x) + b_m\bigr)\, x^{(m)}, \qquad
        f_0(x) = x^{(0)}, \quad f_m(x) = \lVert x^{(m)} \rVert^2

    with parameters a and b per channel and grade. Equivariant under rotations and reflections.

    Args:
        channels: number C of channels.
        dim: dimension of the space, 2 or 3.

    Raises:
        ValueError: If ``channels`` is below 1, or ``dim`` is not 2 or 3.

    Reference:
        D. Ruhe, J. Brandstetter, P. Forre, Clifford Group Equivariant Neural Networks, NeurIPS
        2023, arXiv:2305.11141, section 3 (nonlinearities).
    """

    def __init__(self, channels: int, dim: int = 3) -> None:
        super().__init__()
        check_positive(channels=channels)
        self.channels, self.algebra = channels, clifford_algebra(dim)
        self.slope = nn.Parameter(torch.ones(dim + 1, channels))
        self.offset = nn.Parameter(torch.zeros(dim + 1, channels))

    def forward(self, x: Float[Tensor, "N B C"]) -> Float[Tensor, "N B C"]:
        """Return the activated multivectors.

        Raises:
            ValueError: If ``x`` has the wrong shape.
        """
        check_shape("x", x, "N B C", None, self.algebra.num_blades, self.channels)
        squares = grade_squares(x, self.algebra)
        invariants = torch.cat([x[:, :1], squares[:, 1:]], 1)
        gate = torch.addcmul(self.offset, self.slope, invariants).sigmoid()
        return weigh_grades(gate, x, self.algebra)

    def extra_repr(self) -> str:
        """Return the sizes for ``repr``."""
        return f"{self.channels}, dim={self.algebra.dim}"
