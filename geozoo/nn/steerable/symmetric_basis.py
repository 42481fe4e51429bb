"""Equivariant polynomials of steerable features: a basis of the symmetric couplings."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import combinations_with_replacement, pairwise
from math import factorial, prod
from typing import NamedTuple

import torch
from torch import Tensor

from geozoo.ops.steerable.paths import coupling

#: A coupling whose remainder, after projection on those before it, is smaller depends on them.
_TOLERANCE = 1e-6


class EquivariantPolynomials(NamedTuple):
    r"""Homogeneous polynomials that transform as a degree, :math:`p_{km}(x) = \sum_t c_{kmt} x^t`.

    Attributes:
        monomials: ``[T, order]`` components of each monomial in ascending order; component m of
            degree l is number ``l * l + m``, m from 0 to 2 l.
        coefficients: ``[K, 2 L + 1, T]`` in float64.
    """

    monomials: Tensor
    coefficients: Tensor


@cache
def equivariant_polynomials(degree: int, target: int, order: int) -> EquivariantPolynomials:
    r"""Return a basis of the equivariant polynomials of features of one channel.

    The features have the degrees 0 to ``degree`` with the parity of the harmonics, and so has the
    result. Products of equal degrees commute, so that only independent couplings remain. Each
    polynomial contains one set of degrees. The basis is orthonormal: with the coefficients of the
    symmetric tensors :math:`T_{km}` of the polynomials,
    :math:`\nu!\, \langle T_{km}, T_{k'm} \rangle = \delta_{kk'}`. It is found by Gram-Schmidt in a
    fixed order, so that it is the same everywhere up to rounding.

    Args:
        degree: maximum degree of the features.
        target: degree L of the polynomials.
        order: number of factors, the correlation order :math:`\nu`.

    >>> equivariant_polynomials(3, 0, 3).coefficients.shape[0]  # of 23 ordered couplings
    8
    """
    monomials, blocks = [], []
    for degrees in combinations_with_replacement(range(degree + 1), order):
        if (sum(degrees) + target) % 2:
            continue
        rows, polynomials = _of_degrees(degrees, target)
        if len(polynomials):
            used = polynomials.ne(0).any(0).any(0)
            monomials.append(rows[used])
            blocks.append(polynomials[:, :, used])
    if not blocks:
        return EquivariantPolynomials(
            torch.zeros(0, order, dtype=torch.int64),
            torch.zeros(0, 2 * target + 1, 0, dtype=torch.float64),
        )
    count = sum(block.shape[2] for block in blocks)
    padded, start = [], 0
    for block in blocks:
        wide = block.new_zeros(*block.shape[:2], count)
        wide[:, :, start : start + block.shape[2]] = block
        padded.append(wide)
        start += block.shape[2]
    return EquivariantPolynomials(torch.cat(monomials), torch.cat(padded))


def _of_degrees(degrees: tuple[int, ...], target: int) -> tuple[Tensor, Tensor]:
    """Monomials and orthonormal polynomials with one factor of each of the degrees."""
    components = [torch.arange(l * l, (l + 1) ** 2) for l in degrees]  # noqa: E741
    products = torch.cartesian_prod(*components).reshape(-1, len(degrees)).sort(1).values
    rows, where = products.unique(dim=0, return_inverse=True)
    # The square of the norm of a symmetric tensor times order!, per squared coefficient.
    norm = torch.tensor([_factorials(row) for row in rows.tolist()], dtype=torch.float64)
    found: list[Tensor] = []
    for tensor in _couplings(degrees, target):
        entries = tensor.flatten(0, -2).T
        polynomial = entries.new_zeros(len(entries), len(rows)).index_add_(1, where, entries)
        before = _size(polynomial, norm)
        for _ in range(2):  # the second time removes rounding
            for other in found:
                overlap = (polynomial * other * norm).sum() / len(other)
                polynomial = polynomial - overlap * other
        after = _size(polynomial, norm)
        if after > _TOLERANCE * max(before, _TOLERANCE):
            scaled = polynomial / after
            found.append(torch.where(scaled.abs() > 1e-12, scaled, 0.0))
    return rows, torch.stack(found) if found else norm.new_zeros(0, 2 * target + 1, len(rows))


def _couplings(degrees: tuple[int, ...], target: int) -> Iterator[Tensor]:
    """Couplings one degree after another, ``[2 l_1 + 1, ..., 2 l_n + 1, 2 target + 1]``."""
    first, *others = degrees
    partial = [(first, torch.eye(2 * first + 1, dtype=torch.float64))]
    for step, degree in enumerate(others, 1):
        partial = [
            (result, torch.tensordot(tensor, coupling((reached, degree, result)), 1))
            for reached, tensor in partial
            for result in range(abs(reached - degree), reached + degree + 1)
            if step < len(others) or result == target
        ]
    for reached, tensor in partial:
        if reached == target:
            yield tensor


def _factorials(row: list[int]) -> int:
    """Product of the factorials of how often each component occurs."""
    ends = [0, *(n for n, (a, b) in enumerate(pairwise(row), 1) if a != b), len(row)]
    return prod(factorial(stop - start) for start, stop in pairwise(ends))


def _size(polynomial: Tensor, norm: Tensor) -> float:
    return float(((polynomial.square() * norm).sum() / len(polynomial)).sqrt())
