"""The basis functions in which convolution kernels are expanded."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from geozoo.nn.embedding.polynomial import PolynomialFeatures


class KernelBasis(nn.Module):
    r"""Map invariants to the values of learned basis functions.

    .. math:: b(a) = \sigma(W_2\, \sigma(W_1\, \mathrm{poly}_D(a) + c_1) + c_2)

    with :math:`\sigma` the exact (erf) GELU. The basis is computed once per forward pass; every
    layer has a bias-free linear map of its own from it to the channels of its kernel.

    Args:
        num_invariants: numbers per pair.
        hidden_channels: width of the first linear map.
        basis_channels: number K of basis functions.
        degree: degree D of the polynomial features.

    Reference:
        Bekkers et al., ICLR 2024, section 4.
    """

    def __init__(
        self, num_invariants: int, hidden_channels: int, basis_channels: int, degree: int = 3
    ) -> None:
        super().__init__()
        self.features = PolynomialFeatures(num_invariants, degree)
        self.linear_1 = nn.Linear(self.features.out_features, hidden_channels)
        self.linear_2 = nn.Linear(hidden_channels, basis_channels)

    def forward(
        self, invariants: Float[Tensor, "*batch d"], *, merged: bool = False
    ) -> Float[Tensor, "*batch K"]:
        """Return the basis values of each pair.

        Args:
            invariants: one row per pair.
            merged: evaluate each monomial once and sum the weights of its copies: equal, cheaper.
        """
        if merged:
            weight = self.features.merge(self.linear_1.weight)
            hidden = functional.linear(
                self.features.distinct(invariants), weight, self.linear_1.bias
            )
        else:
            hidden = self.linear_1(self.features(invariants))
        return functional.gelu(self.linear_2(functional.gelu(hidden)))
