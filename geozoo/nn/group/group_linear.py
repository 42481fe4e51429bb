"""Linear map that commutes with a finite group."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from geozoo.checks import check_positive, check_shape
from geozoo.geometry import FiniteGroup


class GroupLinear(nn.Module):
    r"""Linear map of features on a finite group G that commutes with the group.

    .. math:: y(h) = b + \sum_{g \in G} K(g^{-1} h)\, x(g)

    the group convolution: every linear map that commutes with the group has this form. With
    ``|G|`` blocks ``[out, in]`` for ``|G|^2`` pairs of elements it is evaluated as one matrix
    product.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        group: the group, see `geozoo.geometry.finite_group`.
        bias: whether to add a bias, the same for all elements.

    Raises:
        ValueError: If a size is below 1.

    Note:
        Blocks start with the deviation :math:`1 / \sqrt{|G|\, c_{in}}`.

    Reference:
        T. Cohen, M. Welling, Group Equivariant Convolutional Networks, ICML 2016.

    >>> from geozoo.geometry import finite_group
    >>> GroupLinear(2, 4, finite_group("tetrahedral", 3))(torch.randn(5, 12, 2)).shape
    torch.Size([5, 12, 4])
    """

    quotients: Tensor

    def __init__(
        self, in_channels: int, out_channels: int, group: FiniteGroup, *, bias: bool = True
    ) -> None:
        super().__init__()
        check_positive(in_channels=in_channels, out_channels=out_channels)
        self.in_channels, self.out_channels = in_channels, out_channels
        size = len(group.elements)
        self.register_buffer("quotients", group.quotients.clone(), persistent=False)
        # The order of axes in which the matrix of the whole map is one selection.
        self.weight = nn.Parameter(torch.empty(out_channels, size, in_channels))
        nn.init.normal_(self.weight, std=(size * in_channels) ** -0.5)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def forward(self, x: Float[Tensor, "*batch G C"]) -> Float[Tensor, "*batch G D"]:
        """Return the mapped features.

        Args:
            x: features of each element of the group.

        Raises:
            ValueError: If ``x`` has the wrong shape.
        """
        size = len(self.quotients)
        if x.shape[-2:] != (size, self.in_channels):
            check_shape("x", x, "N G C", None, size, self.in_channels)
        if size == 1:
            return functional.linear(x, self.weight[:, 0], self.bias)
        # Rows (d, h) and columns (g, c) of the matrix of the whole map.
        matrix = self.weight.index_select(1, self.quotients.flatten()).view(
            self.out_channels * size, size * self.in_channels
        )
        y = functional.linear(x.flatten(-2), matrix)
        y = y.unflatten(-1, (self.out_channels, size)).transpose(-1, -2)
        return y if self.bias is None else y + self.bias

    def extra_repr(self) -> str:
        """Return the sizes for ``repr``."""
        return f"{self.in_channels}, {self.out_channels}, elements={len(self.quotients)}"
