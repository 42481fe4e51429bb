"""Euclidean norm with finite derivatives of first and second order everywhere."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def safe_norm(vector: Float[Tensor, "*batch dim"], *, keepdim: bool = False) -> Tensor:
    r"""Return the Euclidean norm over the last axis, with gradient 0 where the norm is 0.

    .. math:: \lVert v \rVert = \sqrt{\textstyle\sum_i v_i^2}

    The value is exact. At :math:`v = 0` the derivative of the plain norm is undefined and
    automatic differentiation returns NaN, even with ``torch.where`` applied to the result. Here
    the square root is never evaluated at zero, so first and second derivatives are 0 there.

    Args:
        vector: any tensor; the norm is taken over its last axis.
        keepdim: whether to keep the last axis, with length 1.

    Returns:
        The norm, in the unit of ``vector``.

    >>> v = torch.zeros(2, requires_grad=True)
    >>> safe_norm(v).backward()
    >>> v.grad
    tensor([0., 0.])
    """
    square = (vector * vector).sum(-1, keepdim=keepdim)
    positive = square > 0
    root = torch.where(positive, square, torch.ones_like(square)).sqrt()
    return torch.where(positive, root, torch.zeros_like(root))


def smooth_norm(
    vector: Float[Tensor, "*batch dim"], *, epsilon: float = 1e-8, keepdim: bool = False
) -> Tensor:
    r"""Return a norm over the last axis that is smooth everywhere.

    .. math:: \sqrt{\epsilon + \textstyle\sum_i v_i^2}

    The plain norm has a kink at 0. Vector features vanish by symmetry, at the sites of a perfect
    crystal for instance, up to rounding errors; the gradient of the plain norm makes forces of
    unit size of these. Here the gradient is :math:`v / \sqrt\epsilon` for small vectors.

    Args:
        vector: any tensor; the norm is taken over its last axis.
        epsilon: square of the length below which the norm is smoothed, positive; in half precision
            at least the smallest normal number, 6e-5.
        keepdim: whether to keep the last axis, with length 1.

    Returns:
        The norm, in the unit of ``vector``; :math:`\sqrt\epsilon` at 0.

    >>> smooth_norm(torch.tensor([[3.0, 4.0], [0.0, 0.0]]), epsilon=1e-4)
    tensor([5.0000, 0.0100])
    """
    square = vector.square().sum(-1, keepdim=keepdim)
    # Half precision would round the default to 0, where the gradient of the root is not finite.
    return (square + max(epsilon, torch.finfo(square.dtype).tiny)).sqrt()


def length_and_direction(
    vector: Float[Tensor, "*batch dim"],
) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch dim"]]:
    """Return lengths and unit vectors; the direction of the zero vector is zero.

    >>> length_and_direction(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))[1]
    tensor([[0.6000, 0.8000],
            [0.0000, 0.0000]])
    """
    length = safe_norm(vector)
    return length, vector / torch.where(length > 0, length, torch.ones_like(length)).unsqueeze(-1)
