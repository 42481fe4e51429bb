"""Values with first and second derivatives, to compare two forms of a layer."""

from __future__ import annotations

import torch
from torch import Tensor


def derivatives(out: Tensor, given: list[Tensor]) -> list[Tensor]:
    """Value, first derivatives, and derivatives of a function of those."""
    weight = torch.randn(out.shape, generator=torch.Generator().manual_seed(5), dtype=out.dtype)
    first = torch.autograd.grad((out * weight).sum(), given, create_graph=True)
    square = sum((each * each).sum() for each in first)
    second = torch.autograd.grad(square, given, allow_unused=True)
    return [out, *first, *(each for each in second if each is not None)]


def assert_equal(found: list[Tensor], expected: list[Tensor]) -> None:
    """All are equal up to rounding in float64."""
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)
