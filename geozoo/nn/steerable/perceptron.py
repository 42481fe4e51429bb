"""Perceptrons of scalars for steerable layers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

#: Inverse root mean square of SiLU of a standard normal number.
_SILU_GAIN = 1.679


def perceptron(widths: Sequence[int], *, bias: bool, gain: float = 1.0) -> nn.Sequential:
    """Return a perceptron with SiLU between its layers, the last of which has no bias.

    Without biases, its output is 0 for input 0, and weights are drawn so that the mean square is
    preserved: small inputs would vanish otherwise.

    Args:
        widths: numbers of channels, from input to output; two are a linear map.
        bias: whether the hidden layers have biases.
        gain: factor of the initial weights of the last layer, without biases.

    >>> import torch
    >>> perceptron([2, 3, 1], bias=False)(torch.zeros(1, 2)).tolist()
    [[0.0]]
    """
    parts: list[nn.Module] = []
    for number, (before, after) in enumerate(pairwise(widths)):
        is_last = number + 2 == len(widths)
        linear = nn.Linear(before, after, bias=bias and not is_last)
        parts += [linear] if is_last else [linear, nn.SiLU()]
        if not bias:
            limit = (_SILU_GAIN if number else 1.0) * (3.0 / max(before, 1)) ** 0.5
            limit *= gain if is_last else 1.0
            nn.init.uniform_(linear.weight, -limit, limit)
    return nn.Sequential(*parts)
