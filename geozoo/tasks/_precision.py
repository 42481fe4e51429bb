"""Floating-point precision of models in training and loading."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

_LOG = logging.getLogger(__name__)


def model_dtype(model: nn.Module) -> torch.dtype:
    """The dtype of a model's parameters.

    For a model without parameters, the dtype of its buffers, but at least float32.
    """
    parameter = next(model.parameters(), None)
    if parameter is not None:
        return parameter.dtype
    kinds = (b.dtype for b in model.buffers() if b.is_floating_point())
    return torch.promote_types(next(kinds, torch.float32), torch.float32)


def match_precision(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Convert a model to the precision of the weights that its task is about to load.

    Loading without conversion rounds them to the model's current precision.

    Args:
        model: the model of a task.
        state: state dict of the task.
    """
    for name, own in itertools.chain(model.named_parameters(), model.named_buffers()):
        value = state.get(f"model.{name}")
        if value is not None and value.is_floating_point() and own.is_floating_point():
            if value.dtype != own.dtype:
                model.to(value.dtype)
            return


def keep_eps_above_zero(optimizer: Optimizer) -> None:
    """Raise ``eps`` of an optimizer with float16 parameters to the smallest normal float16.

    Adam's default 1e-8 rounds to 0 in float16, as does the square of a small gradient: the first
    step would be NaN.
    """
    least = torch.finfo(torch.float16).tiny
    for group in optimizer.param_groups:
        is_half = any(parameter.dtype == torch.float16 for parameter in group["params"])
        if is_half and group.get("eps", least) < least:
            _LOG.info("float16 parameters: raised eps of the optimizer to %.2g", least)
            group["eps"] = least


def at_least_float32(value: Tensor) -> Tensor:
    """The detached value in float32, or in its own dtype if that is wider."""
    value = value.detach()
    return value.to(torch.promote_types(value.dtype, torch.float32))


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    """Context with another default dtype."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
