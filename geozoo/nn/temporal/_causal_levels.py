"""Levels of a temporal convolution as matrix products, block by block of sensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

#: Bytes of the states of a level processed at a time, so that all levels fit a core's cache.
BLOCK_BYTES = 1 << 19
_kept_above = torch.ops.aten.threshold_backward


def causal_levels(
    x: Tensor, weights: Sequence[Tensor], biases: Sequence[Tensor], masks: Sequence[Tensor]
) -> Tensor:
    """Return the state after all levels of `geozoo.nn.TemporalConv`; nothing but x is stored.

    Args:
        x: features ``[B, N, T, C]``.
        weights: ``[K, out, in]`` of each level, whose dilation is twice that of the one before.
        biases: ``[out]`` of each level.
        masks: what each level is multiplied by after its ReLU, ``[B, N, T, out]``; or none.
    """
    out: Tensor = _Levels.apply(len(weights), x, *weights, *biases, *masks)
    return out


class _Levels(torch.autograd.Function):
    """The levels, recomputed in the backward pass."""

    @staticmethod
    def forward(ctx: Any, count: int, x: Tensor, *given: Tensor) -> Tensor:
        ctx.count = count
        ctx.save_for_backward(x, *given)
        out = x.new_empty(*x.shape[:3], given[count - 1].shape[1])
        weights, biases, masks = given[:count], given[count : 2 * count], _rows(given[2 * count :])
        target = out.flatten(0, 1)
        rows = x.flatten(0, 1)
        for piece in _pieces(rows):
            steps = rows[piece].transpose(0, 1).contiguous()  # [T, rows, C]
            for level in range(count):
                steps = _level(steps, weights[level], biases[level], 2**level).relu_()
                if masks:
                    steps *= masks[level][piece].transpose(0, 1)
            target[piece] = steps.transpose(0, 1)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        count, (x, *given) = ctx.count, ctx.saved_tensors
        if torch.is_grad_enabled():  # derivatives of higher order
            views = [each.view_as(each) for each in (x, *given)]
            wanted = [each for each in views if each.requires_grad]
            found = iter(
                torch.autograd.grad(_written(count, *views), wanted, grad, create_graph=True)
            )
            return None, *(next(found) if each.requires_grad else None for each in views)
        weights, biases, masks = given[:count], given[count : 2 * count], _rows(given[2 * count :])
        of_x = torch.empty_like(x, memory_format=torch.contiguous_format)
        of_weights = [torch.zeros_like(w, memory_format=torch.contiguous_format) for w in weights]
        of_biases = [torch.zeros_like(bias) for bias in biases]
        rows, target, grads = x.flatten(0, 1), of_x.flatten(0, 1), grad.flatten(0, 1)
        for piece in _pieces(rows):
            states = [rows[piece].transpose(0, 1).contiguous()]
            opened = []
            for level in range(count):
                opened.append(_level(states[-1], weights[level], biases[level], 2**level).relu_())
                mask = masks[level][piece].transpose(0, 1) if masks else None
                states.append(opened[-1] if mask is None else opened[-1] * mask)
            slope = grads[piece].transpose(0, 1).contiguous()
            for level in reversed(range(count)):
                if masks:
                    slope = slope * masks[level][piece].transpose(0, 1)
                slope = _kept_above(slope, opened[level], 0)
                of_biases[level] += slope.sum((0, 1))
                slope = _level_back(
                    slope, states[level], weights[level], of_weights[level], 2**level
                )
            target[piece] = slope.transpose(0, 1)
        return None, of_x, *of_weights, *of_biases, *(None for _ in masks)


def _level(steps: Tensor, weight: Tensor, bias: Tensor, dilation: int) -> Tensor:
    """A causal convolution of ``steps [T, rows, in]``: lags are blocks of rows of a product."""
    total, width = len(steps), steps.shape[1]
    flat, last = steps.flatten(0, 1), len(weight) - 1
    out = torch.addmm(bias, flat, weight[last].mT)
    for tap in range(last):
        lag = (last - tap) * dilation
        if lag < total:
            out[lag * width :].addmm_(flat[: (total - lag) * width], weight[tap].mT)
    return out.view(total, width, -1)


def _level_back(
    slope: Tensor, steps: Tensor, weight: Tensor, of_weight: Tensor, dilation: int
) -> Tensor:
    """Gradient of the input of `_level`; adds that of the weight."""
    total, width = len(steps), steps.shape[1]
    rows, flat, last = slope.flatten(0, 1), steps.flatten(0, 1), len(weight) - 1
    of_steps = rows @ weight[last]
    of_weight[last].addmm_(rows.mT, flat)
    for tap in range(last):
        lag = (last - tap) * dilation
        if lag < total:
            late, early = rows[lag * width :], slice((total - lag) * width)
            of_steps[early].addmm_(late, weight[tap])
            of_weight[tap].addmm_(late.mT, flat[early])
    return of_steps.view(steps.shape)


def _written(count: int, x: Tensor, *given: Tensor) -> Tensor:
    weights, biases, masks = given[:count], given[count : 2 * count], given[2 * count :]
    for level in range(count):
        x = functional.relu(causal_sum(x, weights[level], biases[level], 2**level))
        x = x * masks[level] if masks else x
    return x


def causal_sum(x: Tensor, weight: Tensor, bias: Tensor, dilation: int) -> Tensor:
    """One level without its activation, as in the equation: ``x [B, N, T, C]``."""
    past = len(weight) - 1
    lags = [(past - tap) * dilation for tap in range(past + 1)]
    padded = functional.pad(x, (0, 0, lags[0], 0))
    shifted = [padded[:, :, lags[0] - lag :][:, :, : x.shape[2]] for lag in lags]
    taps = [step @ one.mT for step, one in zip(shifted, weight, strict=True)]
    return bias + sum(taps[1:], start=taps[0])


def _rows(masks: Sequence[Tensor]) -> list[Tensor]:
    return [mask.flatten(0, 1) for mask in masks]


def _pieces(rows: Tensor) -> list[slice]:
    size = max(1, BLOCK_BYTES // max(1, rows[0].numel() * rows.element_size()) if len(rows) else 1)
    return [slice(begin, begin + size) for begin in range(0, len(rows), size)]
