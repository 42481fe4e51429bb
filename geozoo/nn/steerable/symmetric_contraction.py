"""Products of steerable features with themselves: messages of high body order."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geozoo.checks import check_not_negative, check_positive, check_shape
from geozoo.nn.steerable.irreps import load_o3
from geozoo.nn.steerable.symmetric_basis import EquivariantPolynomials, equivariant_polynomials


class SymmetricContraction(nn.Module):
    r"""Equivariant polynomials of the features of a node, with weights for each species.

    .. math:: m_{u L M} = \sum_{\nu = 1}^{\nu_{\max}} \sum_k w_{s, \nu k L, u}
        \sum_{l m} C^{LM}_{\nu k, l m} \prod_{\xi = 1}^{\nu} A_{u l_\xi m_\xi}

    Channels u do not mix. The generalised coupling coefficients C are an orthonormal basis of all
    equivariant polynomials of order :math:`\nu`, `geozoo.nn.steerable.equivariant_polynomials`.
    All monomials are evaluated once and shared by the polynomials. Exactly equivariant under
    rotations and reflections. Zero for zero features.

    Args:
        channels: number of channels.
        degree_in: maximum degree of the features.
        degree_out: maximum degree of the output.
        correlation: maximum number of factors.
        attributes: number of attributes of a node, such as species, in which weights are linear.

    Raises:
        ValueError: If a size is invalid, or no polynomial has a degree of the output.
        ImportError: If e3nn is not installed.

    Reference:
        I. Batatia, D. P. Kovacs, G. N. C. Simm, C. Ortner, G. Csanyi, MACE: Higher Order
        Equivariant Message Passing Neural Networks for Fast and Accurate Force Fields,
        NeurIPS 2022, arXiv:2206.07697.
    """

    def __init__(
        self, channels: int, degree_in: int, degree_out: int, *, correlation: int, attributes: int
    ) -> None:
        super().__init__()
        check_positive(channels=channels, correlation=correlation, attributes=attributes)
        check_not_negative(degree_in=degree_in, degree_out=degree_out)
        load_o3()
        self.channels, self.degree_in, self.degree_out = channels, degree_in, degree_out
        self.correlation, self.attributes = correlation, attributes
        orders = [
            [equivariant_polynomials(degree_in, degree, order) for degree in range(degree_out + 1)]
            for order in range(1, correlation + 1)
        ]
        #: Number of polynomials of each degree and order, the order of the weights.
        self.counts = [
            [len(of_order[degree].coefficients) for of_order in orders]
            for degree in range(degree_out + 1)
        ]
        if not all(sum(counts) for counts in self.counts):
            raise ValueError(
                f"degree_out must be at most degree_in * correlation = {degree_in * correlation}, "
                f"got {degree_out}"
            )
        self._register(orders)
        scale = [sum(counts) ** -0.5 for counts in self.counts for _ in range(sum(counts))]
        shape = attributes, len(scale), channels
        self.weight = nn.Parameter(torch.randn(shape) * torch.tensor(scale)[:, None])

    def _register(self, orders: Sequence[Sequence[EquivariantPolynomials]]) -> None:
        """Keep the monomials of each order, as products of one of the order below, and the rows."""
        used: list[set[tuple[int, ...]]] = [
            {tuple(row) for each in polynomials for row in each.monomials.tolist()}
            for polynomials in orders
        ]
        for lower, higher in zip(reversed(used[:-1]), reversed(used[1:]), strict=True):
            lower |= {row[:-1] for row in higher}
        used[0] = {(component,) for component in range((self.degree_in + 1) ** 2)}
        below: dict[tuple[int, ...], int] = {}
        for number, (polynomials, rows) in enumerate(zip(orders, used, strict=True), 1):
            place = {row: n for n, row in enumerate(sorted(rows))}
            if number > 1:
                prefix = torch.tensor([below[row[:-1]] for row in place], dtype=torch.int64)
                factor = torch.tensor([row[-1] for row in place], dtype=torch.int64)
                self.register_buffer(f"prefix_{number}", prefix, persistent=False)
                self.register_buffer(f"factor_{number}", factor, persistent=False)
            wide = []
            for each in polynomials:
                columns = [place[tuple(row)] for row in each.monomials.tolist()]
                flat = each.coefficients.flatten(0, 1)
                spread = flat.new_zeros(len(flat), len(place))
                spread[:, columns] = flat
                wide.append(spread)
            self.register_buffer(f"coefficients_{number}", torch.cat(wide), persistent=False)
            below = place

    def forward(
        self, x: Float[Tensor, "N D C"], attribute: Float[Tensor, "N S"]
    ) -> Float[Tensor, "N D_out C"]:
        """Return the contracted features.

        Args:
            x: features A, component m of degree l at ``l * l + m``.
            attribute: attributes of each node.

        Raises:
            ValueError: If a tensor has the wrong shape.
        """
        check_shape("x", x, "N D C", None, (self.degree_in + 1) ** 2, self.channels)
        check_shape("attribute", attribute, "N S", x.shape[0], self.attributes)
        weight = (attribute @ self.weight.flatten(1)).unflatten(1, (-1, self.channels))
        values = self._polynomials(x)
        parts, start = [], 0
        for degree, found in enumerate(values):
            count = sum(self.counts[degree])
            of_degree = weight[:, start : start + count].unsqueeze(2)
            parts.append((found * of_degree).sum(1))
            start += count
        return torch.cat(parts, 1)

    def _polynomials(self, x: Tensor) -> list[Tensor]:
        """All polynomials of each degree, ``[N, K, 2 L + 1, C]``."""
        found: list[list[Tensor]] = [[] for _ in self.counts]
        monomials = x
        for number in range(1, self.correlation + 1):
            if number > 1:
                prefix = self.get_buffer(f"prefix_{number}")
                factor = self.get_buffer(f"factor_{number}")
                monomials = monomials.index_select(1, prefix) * x.index_select(1, factor)
            coefficients = self.get_buffer(f"coefficients_{number}").to(x.dtype)
            widths = [n[number - 1] * (2 * d + 1) for d, n in enumerate(self.counts)]
            rows = (coefficients @ monomials).split(widths, 1)
            for degree, part in enumerate(rows):
                found[degree].append(part.unflatten(1, (-1, 2 * degree + 1)))
        return [torch.cat(parts, 1) for parts in found]

    def polynomials_of(self, degree: int, order: int) -> EquivariantPolynomials:
        """The polynomials of a degree and an order, in the order of their weights."""
        return equivariant_polynomials(self.degree_in, degree, order)

    def extra_repr(self) -> str:
        """Return the sizes for ``repr``."""
        return (
            f"{self.channels}, degree_in={self.degree_in}, degree_out={self.degree_out}, "
            f"correlation={self.correlation}, attributes={self.attributes}"
        )
