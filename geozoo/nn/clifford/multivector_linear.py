"""Linear maps of multivectors."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geozoo.checks import check_positive, check_shape
from geozoo.geometry import clifford_algebra


class MultivectorLinear(nn.Module):
    r"""A linear map of the channels of each grade, with a bias of the scalars.

    .. math:: y^{(m)}_d = \sum_c W^{(m)}_{d c}\, x^{(m)}_c + \delta_{m 0}\, b_d

    Equivariant under rotations and reflections.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        dim: dimension of the space, 2 or 3.
        bias: whether scalars have a bias.

    Raises:
        ValueError: If a number of channels is below 1, or ``dim`` is not 2 or 3.

    Reference:
        D. Ruhe, J. Brandstetter, P. Forre, Clifford Group Equivariant Neural Networks, NeurIPS
        2023, arXiv:2305.11141, section 3 (linear layers).
    """

    def __init__(
        self, in_channels: int, out_channels: int, dim: int = 3, *, bias: bool = True
    ) -> None:
        super().__init__()
        check_positive(in_channels=in_channels, out_channels=out_channels)
        self.in_channels, self.out_channels = in_channels, out_channels
        self.algebra = clifford_algebra(dim)
        self.maps = nn.ModuleList(
            nn.Linear(in_channels, out_channels, bias=bias and grade == 0)
            for grade in range(dim + 1)
        )
        for linear in cast("Iterable[nn.Linear]", self.maps):
            nn.init.normal_(linear.weight, std=1 / math.sqrt(in_channels))

    def forward(self, x: Float[Tensor, "N B C"]) -> Float[Tensor, "N B D"]:
        """Return the mapped multivectors.

        Raises:
            ValueError: If ``x`` has the wrong shape.
        """
        check_shape("x", x, "N B C", None, self.algebra.num_blades, self.in_channels)
        grades = x.split(self.algebra.grade_sizes, 1)
        return torch.cat([linear(part) for linear, part in zip(self.maps, grades, strict=True)], 1)

    def extra_repr(self) -> str:
        """Return the sizes for ``repr``."""
        return f"{self.in_channels}, {self.out_channels}, dim={self.algebra.dim}"
