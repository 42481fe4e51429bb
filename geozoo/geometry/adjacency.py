"""Matrices of weighted graphs: symmetrised and normalised adjacency, random walk, Laplacian."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

Matrix = Float[Tensor, "N N"]


def symmetrized(matrix: Matrix, *, how: Literal["min", "max", "mean"]) -> Matrix:
    """Minimum, maximum or mean of both directions: ``min`` for distances, ``max`` for weights.

    Raises:
        ValueError: If the matrix is not square, or ``how`` is unknown.
    """
    _check_square("matrix", matrix)
    if how not in ("min", "max", "mean"):
        raise ValueError(f'how must be "min", "max" or "mean", got {how!r}')
    if how == "mean":
        return (matrix + matrix.T) / 2
    return (torch.minimum if how == "min" else torch.maximum)(matrix, matrix.T)


def normalized_adjacency(adjacency: Matrix, *, strength: float = 0.8) -> Matrix:
    r"""Symmetrically normalised adjacency with self-loops, scaled by ``strength / 2``.

    .. math:: \hat A = \tfrac{\alpha}{2} (I + D^{-1/2} A D^{-1/2}),
        \quad D_{ii} = \max(\textstyle\sum_j A_{ij}, 10^{-4})

    With :math:`\alpha` below 1 all eigenvalues lie within the unit circle, which keeps the
    graph ODE stable.

    Args:
        adjacency: non-negative weights.
        strength: :math:`\alpha`.

    Raises:
        ValueError: If the matrix is not square, or a weight is negative, infinite or NaN.

    Reference:
        Z. Fang, Q. Long, G. Song, K. Xie, KDD 2021 (STGODE), section 4.2.
    """
    _check_weights(adjacency)
    scale = adjacency.sum(1).clamp_min(1e-4).rsqrt()
    identity = torch.eye(len(adjacency), dtype=adjacency.dtype, device=adjacency.device)
    return strength / 2 * (identity + scale[:, None] * adjacency * scale)


def scaled_laplacian(adjacency: Matrix) -> Matrix:
    r"""The normalised Laplacian, rescaled to eigenvalues in [-1, 1].

    .. math:: \tilde L = \frac{2}{\lambda_{\max}} L - I, \quad
        L = I - D^{-1/2} A D^{-1/2}

    For a graph without edges the largest eigenvalue is 0, and :math:`\tilde L` is defined as 0.

    Args:
        adjacency: non-negative symmetric weights.

    Raises:
        ValueError: If the matrix is not square or not symmetric, or a weight is negative, infinite
            or NaN.

    Reference:
        M. Defferrard, X. Bresson, P. Vandergheynst, NeurIPS 2016, arXiv:1606.09375, section 2.1.
    """
    _check_weights(adjacency)
    if not torch.allclose(adjacency, adjacency.T):
        raise ValueError("adjacency must be symmetric; see geozoo.geometry.symmetrized")
    degree = adjacency.sum(1)
    scale = torch.where(degree > 0, degree, torch.ones_like(degree)).rsqrt()
    identity = torch.diag((degree > 0).to(adjacency.dtype))
    laplacian = identity - scale[:, None] * adjacency * scale
    largest = torch.linalg.eigvalsh(laplacian)[-1]
    if largest <= 0:
        return torch.zeros_like(adjacency)
    return 2 / largest * laplacian - torch.eye(len(adjacency)).to(adjacency)


def random_walk_adjacency(adjacency: Matrix) -> Matrix:
    r"""Transition probabilities :math:`D^{-1} A` of a random walk; rows without edges stay zero.

    Raises:
        ValueError: If the matrix is not square, or a weight is negative, infinite or NaN.
    """
    _check_weights(adjacency)
    total = adjacency.sum(1, keepdim=True)
    return torch.where(total > 0, adjacency / total, torch.zeros_like(adjacency))


def _check_square(name: str, matrix: Tensor) -> None:
    if matrix.dim() != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"{name} must be a square matrix, got shape {tuple(matrix.shape)}")


def _check_weights(adjacency: Tensor) -> None:
    _check_square("adjacency", adjacency)
    if not bool(((adjacency >= 0) & torch.isfinite(adjacency)).all()):
        raise ValueError("adjacency must have finite, non-negative weights")
