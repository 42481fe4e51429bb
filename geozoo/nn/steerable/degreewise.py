"""Linear maps of features with the same channels in every degree."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geozoo.checks import check_not_negative, check_positive, check_shape


class DegreewiseLinear(nn.Module):
    r"""A linear map of the channels for each degree, the same for all its components.

    .. math:: y_{lmv} = \frac{1}{\sqrt{C}} \sum_u \sum_s a_s W_{l s u v}\, x_{lmu}

    Features are ``[N, (l_max + 1)^2, C]``, component m of degree l at ``l * l + m``. Degrees above
    ``degree`` are dropped. Weights are initialised with unit variance.

    Args:
        in_channels: channels C of the input.
        out_channels: channels of the output.
        degree: maximum degree of the output.
        attributes: number of attributes a of each row, such as species, on which the map depends;
            0: none.

    Raises:
        ValueError: If a size is invalid.
    """

    def __init__(
        self, in_channels: int, out_channels: int, degree: int, *, attributes: int = 0
    ) -> None:
        super().__init__()
        check_positive(in_channels=in_channels, out_channels=out_channels)
        check_not_negative(degree=degree, attributes=attributes)
        self.in_channels, self.out_channels = in_channels, out_channels
        self.degree, self.attributes = degree, attributes
        inner = (attributes, in_channels) if attributes else (in_channels,)
        self.weight = nn.Parameter(torch.randn(degree + 1, *inner, out_channels))

    def forward(
        self, x: Float[Tensor, "N D C"], attribute: Float[Tensor, "N S"] | None = None
    ) -> Float[Tensor, "N D_out C_out"]:
        """Return the mapped features.

        Args:
            x: features up to ``degree`` or more.
            attribute: attributes of each row, if the map depends on them.

        Raises:
            ValueError: If a tensor has the wrong shape.
        """
        if x.dim() != 3 or x.shape[1] < (self.degree + 1) ** 2:
            check_shape("x", x, "N D C", None, (self.degree + 1) ** 2, self.in_channels)
        check_shape("x", x, "N D C", None, None, self.in_channels)
        weight = self.weight * self.in_channels**-0.5
        if self.attributes:
            attribute = check_shape("attribute", attribute, "N S", x.shape[0], self.attributes)
            x = (x.unsqueeze(2) * attribute[:, None, :, None]).flatten(2)
            weight = weight.flatten(1, 2)
        parts = [
            x[:, l * l : (l + 1) ** 2] @ weight[l]
            for l in range(self.degree + 1)  # noqa: E741
        ]
        return torch.cat(parts, 1)

    def extra_repr(self) -> str:
        """Return the sizes for ``repr``."""
        return (
            f"{self.in_channels}, {self.out_channels}, degree={self.degree}, "
            f"attributes={self.attributes}"
        )
