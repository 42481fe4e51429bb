"""sin(pi x) / (pi x), with accurate derivatives at and near zero."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

#: Below this value of (pi x)^2, eight terms of the series are exact to float64 precision.
_SERIES_BELOW = 0.25
_SERIES = tuple((-1) ** k / math.factorial(2 * k + 1) for k in range(8))


def smooth_sinc(x: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    r"""Return the normalised sinc.

    .. math:: \frac{\sin \pi x}{\pi x} = \sum_k \frac{(-1)^k (\pi x)^{2k}}{(2k + 1)!}

    The second derivative of ``torch.sinc`` is NaN at :math:`x = 0` and inaccurate nearby, since
    differentiating the quotient cancels nearly equal numbers. Near zero, the series is
    differentiated instead.

    Args:
        x: any tensor.

    >>> x = torch.zeros(1, requires_grad=True)
    >>> (slope,) = torch.autograd.grad(smooth_sinc(x), x, create_graph=True)
    >>> torch.autograd.grad(slope, x)  # -pi^2 / 3
    (tensor([-3.2899]),)
    """
    angle = math.pi * x
    square = angle * angle
    small = square < _SERIES_BELOW
    series = torch.full_like(square, _SERIES[-1])
    near = torch.where(small, square, torch.zeros_like(square))
    for coefficient in reversed(_SERIES[:-1]):
        series = series * near + coefficient
    far = torch.where(small, torch.ones_like(angle), angle)
    return torch.where(small, series, far.sin() / far)
