"""Gated nonlinearity of multivectors."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geozoo.geometry import grade_squares, weigh_grades
from geozoo.nn.clifford._multivector_layer import MultivectorLayer


class MultivectorGate(MultivectorLayer):
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
        super().__init__(channels, dim)
        self.slope = nn.Parameter(torch.ones(dim + 1, channels))
        self.offset = nn.Parameter(torch.zeros(dim + 1, channels))

    def forward(self, x: Float[Tensor, "N B C"]) -> Float[Tensor, "N B C"]:
        """Return the activated multivectors.

        Raises:
            ValueError: If ``x`` has the wrong shape.
        """
        self.check(x)
        squares = grade_squares(x, self.algebra)
        invariants = torch.cat([x[:, :1], squares[:, 1:]], 1)
        gate = torch.addcmul(self.offset, self.slope, invariants).sigmoid()
        return weigh_grades(gate, x, self.algebra)
