"""Check that the methods of a model have the signatures of its family."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from typing import Any

from torch import nn

from geozoo.contracts import (
    Calibrated,
    Conditioned,
    Fitted,
    Lagged,
    NeighborListed,
    family_of,
)
from geozoo.contracts.families import Family
from geozoo.testing.periodicity import assert_periodic, takes_cells

#: Inputs of a closed-form fit, in addition to its targets.
_FIT_INPUTS = {"geometric": ("x", "batch"), "forecasting": ("observed", "time")}
_FIRST = {"geometric": ("pos", "x", "batch"), "forecasting": ("x",)}
_NEIGHBORS = ("pos", "batch", "edge_index", "num_graphs", "num_pairs")


def assert_contract(model: nn.Module) -> Family:
    """Check the signatures of a model against `geozoo.contracts`, and return its family.

    A model that supports cells and has a cutoff (attribute ``radius``) is also checked on periodic
    structures, unless its ``neighbors`` refuses them with a ValueError: see `assert_periodic`.

    Args:
        model: the model.

    Raises:
        AssertionError: If ``forward`` matches neither family, an optional method or attribute
            (``fit``, ``calibrate``, ``neighbors``, ``condition_channels``, ``lags``) exists but
            cannot be used in the way tasks use it, or results for periodic structures are wrong.

    >>> from geozoo.models import EGNN
    >>> assert_contract(EGNN(2, 1))
    'geometric'
    """
    try:
        family = family_of(model)
    except TypeError as error:
        raise AssertionError(str(error)) from None
    name = type(model).__name__
    if isinstance(model, Fitted):
        _takes(name, model.fit, ("targets",), _FIT_INPUTS[family])
    if callable(getattr(model, "calibrate", None)) and not isinstance(model, Calibrated):
        raise AssertionError(
            f"{name}.calibrate requires an attribute calibrated: whether calibration has run"
        )
    if isinstance(model, NeighborListed):
        _takes(name, model.neighbors, (), _NEIGHBORS)
    if family == "geometric" and getattr(model, "radius", None) is not None and takes_cells(model):
        assert_periodic(model)
    if isinstance(model, Conditioned) and model.condition_channels:
        _takes(name, model.forward, _FIRST[family], ("condition",))
    if isinstance(model, Lagged):
        if any(not isinstance(lag, int) or lag < 1 for lag in model.lags):
            raise AssertionError(f"{name}.lags must be positive integers (steps), got {model.lags}")
        _takes(name, model.forward, _FIRST[family], ("lagged", "lagged_observed"))
    return family


def _takes(
    name: str, method: Callable[..., Any], first: Collection[str], named: Collection[str]
) -> None:
    """Check that a method can be called with these arguments."""
    signature = inspect.signature(method)
    try:
        signature.bind(*first, **dict.fromkeys(named))
    except TypeError as error:
        wanted = ", ".join((*first, *(f"{key}=" for key in named)))
        raise AssertionError(
            f"{name}.{method.__name__} must accept the call {method.__name__}({wanted}): {error}; "
            f"its signature is {signature}"
        ) from None
