"""Exact GELU with memory-efficient derivatives."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from geozoo.ops._textbook import is_textbook
from geozoo.ops._tracing import is_autocast, is_traced

#: Elements processed at a time on a CPU, so that they stay in its cache.
_CHUNK = 1 << 17


def gelu(x: Tensor) -> Tensor:
    r"""Return :math:`x\, \Phi(x)`, with the cumulative normal distribution function :math:`\Phi`.

    Values and first derivatives are those of `torch.nn.functional.gelu`. The second derivative,
    which training on forces requires,

    .. math:: \frac{d^2}{dx^2}\, x\, \Phi(x) = (2 - x^2)\, \varphi(x),

    is evaluated directly, where torch allocates a dozen tensors of the size of ``x``.

    >>> gelu(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 0.8413])
    """
    return functional.gelu(x) if is_traced() or is_textbook() else _Gelu.apply(x)


def gelu_linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    r"""Return :math:`W\, \mathrm{GELU}(x) + b` without storing :math:`\mathrm{GELU}(x)`.

    It is recomputed for the gradient of the weight.

    Args:
        x: ``[..., in]``.
        weight: ``[out, in]``.
        bias: ``[out]``, or None.

    >>> gelu_linear(torch.tensor([0.0, 1.0]), torch.tensor([[1.0, 2.0]]))
    tensor([1.6827])
    """
    if is_traced() or is_textbook() or is_autocast(x):
        return functional.linear(functional.gelu(x), weight, bias)
    return _GeluLinear.apply(x, weight, bias)


class _Gelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return functional.gelu(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return _Slope.apply(grad, x)


class _Slope(torch.autograd.Function):
    """A factor times the first derivative."""

    @staticmethod
    def forward(ctx: Any, factor: Tensor, x: Tensor) -> Tensor:
        ctx.save_for_backward(factor, x)
        return torch.ops.aten.gelu_backward(factor, x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        factor, x = ctx.saved_tensors
        return _Slope.apply(grad, x), _curvature(grad, factor, x)


class _GeluLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return functional.linear(functional.gelu(x), weight, bias)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        by_x = by_weight = by_bias = None
        rows = grad.reshape(-1, grad.shape[-1])
        if ctx.needs_input_grad[0]:
            by_x = _Slope.apply((rows @ weight).view_as(x), x)
        if ctx.needs_input_grad[1]:
            by_weight = rows.T @ _Gelu.apply(x).reshape(-1, x.shape[-1])
        if ctx.needs_input_grad[2]:
            by_bias = rows.sum(0)
        return by_x, by_weight, by_bias


def _curvature(grad: Tensor, factor: Tensor, x: Tensor) -> Tensor:
    """Two factors times the second derivative."""
    if torch.is_grad_enabled() or x.device.type != "cpu":
        density = torch.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
        return grad * factor * (2 - x * x) * density
    out = torch.empty_like(x, memory_format=torch.contiguous_format)
    # Beyond, the density is nearly as small as the smallest normal number; below that, exp is a
    # hundred times slower.
    largest = -2 * math.log(torch.finfo(x.dtype).tiny) - 32
    sources = (part.reshape(-1).split(_CHUNK) for part in (out, grad, factor, x))
    for target, first, second, value in zip(*sources, strict=True):
        square = value * value
        square.clamp_(max=largest)
        torch.mul(square, -0.5, out=target).exp_().mul_(1 / math.sqrt(2 * math.pi))
        target.mul_(square.neg_().add_(2)).mul_(first).mul_(second)
    return out
