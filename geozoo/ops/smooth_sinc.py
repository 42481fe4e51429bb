"""sin(pi x) / (pi x), with accurate derivatives at and near zero."""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from geozoo.ops._textbook import is_textbook
from geozoo.ops._tracing import is_traced

#: Below this value of (pi x)^2, eight terms of the series are exact to float64 precision.
_SERIES_BELOW = 0.25
_SERIES = tuple((-1) ** k / math.factorial(2 * k + 1) for k in range(8))


#: Terms of its derivatives.
_TERMS = 14


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
    if x.device.type != "cpu" or is_textbook() or is_traced():
        return _as_written(x)
    return _Sinc.apply(x, 0)


def _as_written(x: Tensor) -> Tensor:
    """The function by operations that are differentiable."""
    angle = math.pi * x
    square = angle * angle
    small = square < _SERIES_BELOW
    series = torch.full_like(square, _SERIES[-1])
    near = torch.where(small, square, torch.zeros_like(square))
    for coefficient in reversed(_SERIES[:-1]):
        series = series * near + coefficient
    far = torch.where(small, torch.ones_like(angle), angle)
    return torch.where(small, series, far.sin() / far)


class _Sinc(torch.autograd.Function):
    """A derivative of the function; that of the next order is its derivative."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, order: int) -> Tensor:
        ctx.save_for_backward(x)
        ctx.order = order
        return _derivative(x, order)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        return grad * _Sinc.apply(x, ctx.order + 1), None


def _derivative(x: Tensor, order: int) -> Tensor:
    """The derivative of an order, by its recursion, and near zero by the series."""
    angle = math.pi * x
    below = _SERIES_BELOW * max(1, order - 1) ** 2  # the recursion divides once for each order
    small = angle * angle < below
    near = bool(small.any())
    far = torch.where(small, 1.0, angle) if near else angle
    sine = far.sin()
    found = sine / far
    turned = [sine, far.cos() if order else sine]
    for each in range(1, order + 1):
        value = turned[each % 2] if each % 4 < 2 else -turned[each % 2]
        found = (value - each * found) / far
    if near:
        found[small] = _series(angle[small], order)
    return found * math.pi**order if order else found


def _series(angle: Tensor, order: int) -> Tensor:
    """The derivative of the series ``sum of (-1)^k angle^(2 k) / (2 k + 1)!``."""
    square = angle * angle
    first = (order + 1) // 2
    found = torch.zeros_like(angle)
    for k in reversed(range(first, first + _TERMS)):
        factor = (-1) ** k * math.perm(2 * k, order) / math.factorial(2 * k + 1)
        found = found * square + factor
    return found * angle if order % 2 else found
