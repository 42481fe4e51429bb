r"""Rank-two tensors in 3D, decomposed into irreducible parts.

A tensor is :math:`X = a I + [u]_\times + P`: a multiple of the identity, the antisymmetric matrix
of a vector (:math:`[u]_\times w = u \times w`), and a symmetric traceless matrix. It is stored
as ten components: the scalar, the vector, and the matrix as xx, yy, zz, xy, xz, yz. Under a
rotation or reflection :math:`Q` the parts become :math:`a`, :math:`Q u` and :math:`Q P Q^T`.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

#: Number of components of the scalar, the vector and the symmetric matrix.
PART_SIZES = (1, 3, 6)
#: Component index of each entry of a symmetric matrix, row by row.
_TO_FULL = (0, 3, 4, 3, 1, 5, 4, 5, 2)
#: Entry index of each of the six components of a symmetric matrix.
_TO_SIX = (0, 4, 8, 1, 2, 5)


def arrow_parts(direction: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 10"]:
    r"""Return the components of :math:`I + [r]_\times + (r r^T - |r|^2 I / 3)` for a vector r.

    Args:
        direction: the vector r.

    Raises:
        ValueError: If the vectors are not three-dimensional.

    Reference:
        G. Simeon, G. De Fabritiis, TensorNet, NeurIPS 2023, arXiv:2306.06482, section 3.

    >>> arrow_parts(torch.tensor([0.0, 0.0, 3.0])).tolist()
    [1.0, 0.0, 0.0, 3.0, -3.0, -3.0, 6.0, 0.0, 0.0, 0.0]
    """
    if direction.shape[-1] != 3:
        raise ValueError(f"direction must have 3 components, got shape {tuple(direction.shape)}")
    one = torch.ones_like(direction[..., :1])
    outer = _outer(direction.unsqueeze(-1), direction.unsqueeze(-1)).squeeze(-1)
    return torch.cat([one, direction, outer], -1)


def tensor_product_parts(
    left: Float[Tensor, "*batch 10 C"], right: Float[Tensor, "*batch 10 C"]
) -> Float[Tensor, "*batch 10 C"]:
    r"""Return :math:`\tfrac12 (X Y + Y X)`, channelwise.

    With :math:`X = (a, u, P)` and :math:`Y = (b, v, Q)` the product is

    .. math::
        \Bigl(ab - \tfrac23 u \cdot v + \tfrac13 \operatorname{tr} PQ,\;
        a v + b u - \tfrac12 (P v + Q u),\;
        a Q + b P + \bigl[u v^T + PQ\bigr]\Bigr),

    where :math:`[M]` is the symmetric traceless part of a matrix. Unlike :math:`X Y`, this product
    is equivariant to reflections.

    Args:
        left: components of X.
        right: components of Y.

    Raises:
        ValueError: If the number of components is not 10.
    """
    a, u, p = _split(left)
    b, v, q = _split(right)
    full_p, full_q = _full(p), _full(q)
    matrices = _matmul(full_p, full_q)  # PQ; its transpose is QP
    trace = matrices[..., 0, 0, :] + matrices[..., 1, 1, :] + matrices[..., 2, 2, :]
    dot = (u * v).sum(-2)
    scalar = a * b + ((trace - 2 * dot) / 3).unsqueeze(-2)
    mixed = (full_p * v.unsqueeze(-3)).sum(-2) + (full_q * u.unsqueeze(-3)).sum(-2)
    vector = a * v + b * u - 0.5 * mixed
    matrix = a * q + b * p + _outer(u, v) + _symmetric(matrices, trace)
    return torch.cat([scalar, vector, matrix], -2)


def tensor_part_norms(tensor: Float[Tensor, "*batch 10 C"]) -> Float[Tensor, "*batch 3 C"]:
    r"""Return the squared Frobenius norm of each part, :math:`3a^2`, :math:`2|u|^2`, :math:`|P|^2`.

    Their sum is :math:`\operatorname{tr} X^T X`.

    Raises:
        ValueError: If the number of components is not 10.
    """
    a, u, p = (part.square() for part in _split(tensor))
    return torch.cat(
        [3 * a, 2 * u.sum(-2, True), p[..., :3, :].sum(-2, True) + 2 * p[..., 3:, :].sum(-2, True)],
        -2,
    )


def weigh_parts(
    weights: Float[Tensor, "*batch 3 C"], tensor: Float[Tensor, "*batch 10 C"]
) -> Float[Tensor, "*batch 10 C"]:
    """Multiply each part of the tensors by its own weight.

    Raises:
        ValueError: If the number of components is not 10.
    """
    parts = zip(weights.split(1, -2), _split(tensor), strict=True)
    return torch.cat([weight * part for weight, part in parts], -2)


def full_tensor(tensor: Float[Tensor, "*batch 10 C"]) -> Float[Tensor, "*batch 3 3 C"]:
    r"""Return the matrices :math:`a I + [u]_\times + P`.

    Raises:
        ValueError: If the number of components is not 10.
    """
    a, u, p = _split(tensor)
    x, y, z = u.unbind(-2)
    zero = torch.zeros_like(x)
    rows = [zero, -z, y, z, zero, -x, -y, x, zero]
    crossed = torch.stack(rows, -2).unflatten(-2, (3, 3))
    identity = torch.eye(3, dtype=tensor.dtype, device=tensor.device).unsqueeze(-1)
    return a.unsqueeze(-3) * identity + crossed + _full(p)


def _split(tensor: Tensor) -> tuple[Tensor, ...]:
    if tensor.ndim < 2 or tensor.shape[-2] != sum(PART_SIZES):
        wanted = "tensor must have shape (..., 10, C)"
        raise ValueError(f"{wanted}, got {tuple(tensor.shape)}")
    return tensor.split(PART_SIZES, -2)


def _full(matrix: Tensor) -> Tensor:
    """The nine entries of a symmetric matrix from its six components."""
    return _picked(matrix, _TO_FULL).unflatten(-2, (3, 3))


def _picked(entries: Tensor, indices: tuple[int, ...]) -> Tensor:
    """Select entries in this order, without copying an index tensor to the device."""
    each = entries.unbind(-2)
    return torch.stack([each[index] for index in indices], -2)


def _matmul(left: Tensor, right: Tensor) -> Tensor:
    """Matrix products with channels last, as three elementwise multiplications."""
    steps = [left[..., :, k : k + 1, :] * right[..., k : k + 1, :, :] for k in range(3)]
    return steps[0] + steps[1] + steps[2]


def _symmetric(matrices: Tensor, trace: Tensor) -> Tensor:
    """Symmetric traceless part, as six components."""
    symmetric = 0.5 * (matrices + matrices.transpose(-3, -2))
    six = _picked(symmetric.flatten(-3, -2), _TO_SIX)
    return torch.cat([six[..., :3, :] - trace.unsqueeze(-2) / 3, six[..., 3:, :]], -2)


def _outer(u: Tensor, v: Tensor) -> Tensor:
    """Symmetric traceless part of u v^T, as six components."""
    return _symmetric(u.unsqueeze(-2) * v.unsqueeze(-3), (u * v).sum(-2))
