"""Matrices whose repeated use neither grows nor reverses a state."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor


def bounded_matrix(
    weight: Float[Tensor, "*G C C"], diagonal: Float[Tensor, "*G C"]
) -> Float[Tensor, "*G C C"]:
    r"""Return :math:`w\, \mathrm{diag}(\min(\max(d, 0), 1))\, w^T`.

    Symmetric, and for an orthogonal w (it starts as the identity) with eigenvalues in [0, 1].

    Reference:
        Z. Fang, Q. Long, G. Song, K. Xie, Spatial-Temporal Graph ODE Networks for Traffic Flow
        Forecasting, KDD 2021, arXiv:2106.12931 (bounded eigenvalues of the tensor-based ODE).
    """
    return (weight * diagonal.clamp(0, 1).unsqueeze(-2)) @ weight.mT
