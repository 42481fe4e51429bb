"""Perceptron of multivectors."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from geozoo.nn.clifford.geometric_product import GeometricProduct
from geozoo.nn.clifford.multivector_gate import MultivectorGate
from geozoo.nn.clifford.multivector_linear import MultivectorLinear
from geozoo.nn.clifford.multivector_norm import MultivectorNorm


class MultivectorBlock(nn.Module):
    """Linear map, gate, geometric product and normalisation of multivectors, in this order.

    Equivariant under rotations and reflections.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        dim: dimension of the space, 2 or 3.

    Raises:
        ValueError: If a number of channels is below 1, or ``dim`` is not 2 or 3.

    Reference:
        D. Ruhe, J. Brandstetter, P. Forre, Clifford Group Equivariant Neural Networks, NeurIPS
        2023, arXiv:2305.11141.
    """

    def __init__(self, in_channels: int, out_channels: int, dim: int = 3) -> None:
        super().__init__()
        self.linear = MultivectorLinear(in_channels, out_channels, dim)
        self.algebra = self.linear.algebra
        self.gate = MultivectorGate(out_channels, dim)
        self.product = GeometricProduct(out_channels, dim)
        self.norm = MultivectorNorm(out_channels, dim)

    def forward(self, x: Float[Tensor, "N B C"]) -> Float[Tensor, "N B D"]:
        """Return new multivectors; ValueError if ``x`` has the wrong shape."""
        return self.norm(self.product(self.gate(self.linear(x))))
