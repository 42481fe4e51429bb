"""Polynomial features of a few invariants."""

from __future__ import annotations

import itertools

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geozoo.checks import check_last_axis, check_positive


class PolynomialFeatures(nn.Module):
    r"""All tensor powers of the input up to a degree, repeated monomials included.

    .. math:: a \mapsto (a,\; a \otimes a,\; \dots,\; a^{\otimes D})

    Two invariants and degree 3 give 2 + 4 + 8 = 14 features, in the published order, so that
    published weights fit. `distinct` gives each monomial once (2 + 3 + 4 = 9) and `merge` sums the
    weights of a following linear map accordingly: the same function with fewer columns.

    Args:
        in_features: number of invariants.
        degree: highest degree D, at least 1.

    Raises:
        ValueError: if a size is not positive.

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
        words = [w for d in range(1, degree + 1)
                 for w in itertools.product(range(in_features), repeat=d)]  # fmt: skip
        # Sorted words of each degree, in this order, are the monomials that `distinct` builds.
        self._monomials = [w for w in words if tuple(sorted(w)) == w]
        column = {word: i for i, word in enumerate(self._monomials)}
        matrix = torch.zeros(len(words), len(self._monomials))
        for row, word in enumerate(words):
            matrix[row, column[tuple(sorted(word))]] = 1
        self.register_buffer("merge_matrix", matrix, persistent=False)
        self.out_features = len(words)

    def forward(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch features"]:
        """Return all tensor powers, concatenated; ValueError for another number of inputs."""
        check_last_axis("x", x, "d", self.in_features)
        powers = [x]
        for _ in range(1, self.degree):
            powers.append((powers[-1].unsqueeze(-1) * x.unsqueeze(-2)).flatten(-2))
        return torch.cat(powers, -1)

    def distinct(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch monomials"]:
        """Return each monomial once, in the order that `merge` expects."""
        known: dict[tuple[int, ...], Tensor] = {}
        for word in self._monomials:
            factor = x[..., word[-1]]
            known[word] = factor if len(word) == 1 else known[word[:-1]] * factor
        return torch.stack(list(known.values()), -1)

    def merge(self, weight: Float[Tensor, "out features"]) -> Float[Tensor, "out monomials"]:
        """Return the weight that gives on `distinct` what ``weight`` gives on `forward`."""
        return weight @ self.merge_matrix.to(weight.dtype)

    def extra_repr(self) -> str:
        """Return the sizes."""
        return f"{self.in_features}, degree={self.degree}"
