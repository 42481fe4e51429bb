"""Matrices with a spectrum in [0, 1], for stable linear dynamics."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor


def bounded_matrix(
    weight: Float[Tensor, "*G C C"], diagonal: Float[Tensor, "*G C"]
) -> Float[Tensor, "*G C C"]:
    r"""Return :math:`w\, \mathrm{diag}(\min(\max(d, 0), 1))\, w^T`.

    Symmetric; for an orthogonal w (initially the identity) the eigenvalues are in [0, 1].

    Reference:
        Z. Fang, Q. Long, G. Song, K. Xie, Spatial-Temporal Graph ODE Networks for Traffic Flow
        Forecasting, KDD 2021, arXiv:2106.12931 (bounded eigenvalues of the tensor-based ODE).
    """
    return (weight * diagonal.clamp(0, 1).unsqueeze(-2)) @ weight.mT
