"""Geometric product layer."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geozoo.checks import check_positive, check_shape
from geozoo.nn.clifford.multivector_linear import MultivectorLinear
from geozoo.nn.clifford.multivector_norm import GradeNorm
from geozoo.ops import coupled_product


class GeometricProduct(nn.Module):
    r"""Products of multivectors with linear maps of them, with a weight per triple of grades.

    .. math:: y = \operatorname{norm}(R x), \qquad
        z^{(k)}_c = \tfrac{1}{\sqrt 2} \Bigl( (L x)^{(k)}_c
            + \sum_{i, j} w^{i j k}_c\, \bigl(x^{(i)}_c\, y^{(j)}_c\bigr)^{(k)} \Bigr)

    L and R are `MultivectorLinear`, the norm is `GradeNorm`. The product is that of the Clifford
    algebra (`geozoo.geometry.CliffordAlgebra`). Equivariant under rotations and reflections.

    Args:
        channels: number C of channels.
        dim: dimension of the space, 2 or 3.

    Raises:
        ValueError: If ``channels`` is below 1, or ``dim`` is not 2 or 3.

    Reference:
        D. Ruhe, J. Brandstetter, P. Forre, Clifford Group Equivariant Neural Networks, NeurIPS
        2023, arXiv:2305.11141, section 3 (geometric product layers).
    """

    def __init__(self, channels: int, dim: int = 3) -> None:
        super().__init__()
        check_positive(channels=channels)
        self.left = MultivectorLinear(channels, channels, dim)
        self.right = MultivectorLinear(channels, channels, dim, bias=False)
        self.norm = GradeNorm(channels, dim)
        self.algebra, self.channels = self.left.algebra, channels
        self.weight = nn.Parameter(torch.empty(len(self.algebra.paths), channels))
        nn.init.normal_(self.weight, std=1 / math.sqrt(dim + 1))

    def forward(self, x: Float[Tensor, "N B C"]) -> Float[Tensor, "N B C"]:
        """Return the products.

        Raises:
            ValueError: If ``x`` has the wrong shape.
        """
        check_shape("x", x, "N B C", None, self.algebra.num_blades, self.channels)
        y = self.norm(self.right(x))
        product = coupled_product(x, y, self.weight, self.algebra.coupling)
        return (self.left(x) + product) / math.sqrt(2)
