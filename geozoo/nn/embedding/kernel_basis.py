"""Learned basis functions in which convolution kernels are expanded."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from geozoo.checks import check_last_axis, check_positive
from geozoo.nn.embedding.polynomial import PolynomialFeatures
from geozoo.ops import gelu, gelu_linear, is_textbook


class KernelBasis(nn.Module):
    r"""Map invariants to the values of learned basis functions.

    .. math:: b(a) = \sigma(W_2\, \sigma(W_1\, \mathrm{poly}_D(a) + c_1) + c_2)

    with :math:`\sigma` the exact (erf) GELU. The basis is computed once per forward pass; each
    layer maps it to its kernel by its own bias-free linear map.

    Args:
        num_invariants: number of invariants per pair.
        hidden_channels: width of the first linear map.
        basis_channels: number K of basis functions.
        degree: degree D of the polynomial features.

    Raises:
        ValueError: If a size is below 1.

    Reference:
        Bekkers et al., ICLR 2024, section 4.
    """

    def __init__(
        self,
        num_invariants: int,
        hidden_channels: int,
        basis_channels: int,
        degree: int = 3,
    ) -> None:
        super().__init__()
        check_positive(
            num_invariants=num_invariants, hidden_channels=hidden_channels,
            basis_channels=basis_channels, degree=degree,
        )  # fmt: skip
        self.features = PolynomialFeatures(num_invariants, degree)
        self.linear_1 = nn.Linear(self.features.out_features, hidden_channels)
        self.linear_2 = nn.Linear(hidden_channels, basis_channels)

    def forward(self, invariants: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch K"]:
        """Return the basis values for each row of ``invariants``.

        Raises:
            ValueError: If ``invariants`` has the wrong size.
        """
        check_last_axis("invariants", invariants, "d", self.features.in_features)
        if is_textbook():
            hidden = self.linear_1(self.features(invariants))
        else:  # each monomial once, with the summed weights of its duplicates
            weight = self.features.merge(self.linear_1.weight)
            monomials = self.features.distinct(invariants)
            hidden = functional.linear(monomials, weight, self.linear_1.bias)
        return gelu(gelu_linear(hidden, self.linear_2.weight, self.linear_2.bias))
