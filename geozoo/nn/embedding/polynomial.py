"""Polynomial features of invariants."""

from __future__ import annotations

import itertools

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geozoo.checks import check_last_axis, check_positive


class PolynomialFeatures(nn.Module):
    r"""All tensor powers of the input up to a degree, including duplicate monomials.

    .. math:: a \mapsto (a,\; a \otimes a,\; \dots,\; a^{\otimes D})

    Two invariants and degree 3 give 2 + 4 + 8 = 14 features, in the order of the published code, so
    that published weights can be loaded. `distinct` returns each monomial once (2 + 3 + 4 = 9), and
    `merge` sums the weights of the subsequent linear map accordingly: the same function with fewer
    columns.

    Args:
        in_features: number of invariants.
        degree: highest degree D, at least 1.

    Raises:
        ValueError: If a size is not positive.

    Reference:
        Bekkers et al., ICLR 2024, section 4 (kernel parametrisation).

    >>> PolynomialFeatures(2, degree=2)(torch.tensor([2.0, 3.0]))
    tensor([2., 3., 4., 6., 6., 9.])
    """

    merge_matrix: Tensor

    def __init__(self, in_features: int, degree: int) -> None:
        super().__init__()
        check_positive(in_features=in_features, degree=degree)
        self.in_features = in_features
        self.degree = degree
        indices = [i for d in range(1, degree + 1)
                   for i in itertools.product(range(in_features), repeat=d)]  # fmt: skip
        # The sorted multi-indices of each degree are the monomials, in the order of `distinct`.
        self._monomials = [index for index in indices if tuple(sorted(index)) == index]
        column = {index: i for i, index in enumerate(self._monomials)}
        matrix = torch.zeros(len(indices), len(self._monomials))
        for row, index in enumerate(indices):
            matrix[row, column[tuple(sorted(index))]] = 1
        self.register_buffer("merge_matrix", matrix, persistent=False)
        self.out_features = len(indices)

    def forward(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch features"]:
        """Return all tensor powers, concatenated; ValueError if ``x`` has the wrong size."""
        check_last_axis("x", x, "d", self.in_features)
        powers = [x]
        for _ in range(1, self.degree):
            powers.append((powers[-1].unsqueeze(-1) * x.unsqueeze(-2)).flatten(-2))
        return torch.cat(powers, -1)

    def distinct(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch monomials"]:
        """Return each monomial once, in the order that `merge` expects."""
        known: dict[tuple[int, ...], Tensor] = {}
        for index in self._monomials:
            factor = x[..., index[-1]]
            known[index] = factor if len(index) == 1 else known[index[:-1]] * factor
        return torch.stack(list(known.values()), -1)

    def merge(self, weight: Float[Tensor, "out features"]) -> Float[Tensor, "out monomials"]:
        """Return the weight for `distinct` that is equivalent to ``weight`` for `forward`."""
        return weight @ self.merge_matrix.to(weight.dtype)

    def extra_repr(self) -> str:
        """Return the sizes for ``repr``."""
        return f"{self.in_features}, degree={self.degree}"
