"""Precision of models in training and loading."""

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
    """Precision of a model's parameters.

    Of one without any: that of its buffers, but at least float32.
    """
    parameter = next(model.parameters(), None)
    if parameter is not None:
        return parameter.dtype
    kinds = (b.dtype for b in model.buffers() if b.is_floating_point())
    return torch.promote_types(next(kinds, torch.float32), torch.float32)


def match_precision(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Give a model the precision of weights that its task is about to take.

    Loading alone would round them to the precision that the model has.

    Args:
        model: the model of a task.
        state: weights of such a task.
    """
    for name, own in itertools.chain(model.named_parameters(), model.named_buffers()):
        value = state.get(f"model.{name}")
        if value is not None and value.is_floating_point() and own.is_floating_point():
            if value.dtype != own.dtype:
                model.to(value.dtype)
            return


def keep_eps_above_zero(optimizer: Optimizer) -> None:
    """Raise an optimizer's ``eps`` to what float16 can hold, where its parameters are such.

    Adam's 1e-8 is 0 there, as is the square of a small gradient: the first step would be NaN.
    """
    least = torch.finfo(torch.float16).tiny
    for group in optimizer.param_groups:
        is_half = any(parameter.dtype == torch.float16 for parameter in group["params"])
        if is_half and group.get("eps", least) < least:
            _LOG.info("float16 parameters: eps of the optimizer raised to %.2g", least)
            group["eps"] = least


def at_least_float32(value: Tensor) -> Tensor:
    """The value, detached, in float32 or what is more."""
    value = value.detach()
    return value.to(torch.promote_types(value.dtype, torch.float32))


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    """Another default dtype for a while."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
