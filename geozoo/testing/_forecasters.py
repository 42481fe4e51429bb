"""The checks of a forecaster class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from geozoo.contracts import Lagged
from geozoo.testing._learning import train
from geozoo.testing._run import call
from geozoo.testing._subject import Subject, clock, unmodified
from geozoo.testing.contract import assert_contract
from geozoo.testing.findings import Check
from geozoo.testing.forecasting import assert_windows_independent
from geozoo.testing.precision import assert_dtype_kept
from geozoo.testing.saving import assert_survives_saving


def forecaster_checks(subject: Subject) -> Iterator[Check]:
    model = subject.build()
    given = _windows(subject, model)
    values = subject.values
    yield "its signature and optional methods follow the contract", lambda: _contract(model)
    shape = (3, values["horizon"], values["num_nodes"])
    yield "forecasts have the right shape", lambda: _forecast_shape(model, given, shape)
    yield "windows of a batch are independent", lambda: assert_windows_independent(model, given)
    yield "it keeps float32 and float64", lambda: assert_dtype_kept(model, given)
    yield (
        "saved weights give the same forecasts",
        lambda: assert_survives_saving(model, lambda: subject.build(seed=1), given),
    )
    yield "inputs are not modified", lambda: unmodified(model, given)
    yield (
        "it learns: its training loss falls",
        lambda: train(model.train(), lambda: list(call(model, given).values())),
    )


def _windows(subject: Subject, model: nn.Module) -> dict[str, Any]:
    values, generator = subject.values, torch.Generator().manual_seed(0)
    shape = (3, values["input_steps"], values["num_nodes"], values["in_channels"])
    given = {
        "x": torch.randn(shape, generator=generator).double(),
        "time": clock(values["input_steps"] + values["horizon"], [0, 7, 14]),
    }
    if isinstance(model, Lagged):
        lagged = (3, len(model.lags), values["horizon"], values["num_nodes"])
        given["lagged"] = torch.randn(lagged, generator=generator).double()
        given["lagged_observed"] = torch.rand(lagged, generator=generator) > 0.3
    return given


def _forecast_shape(model: nn.Module, given: Mapping[str, Any], shape: tuple[int, ...]) -> None:
    with torch.no_grad():
        forecast = model(**given)
    if not isinstance(forecast, Tensor) or forecast.shape != shape:
        found = tuple(forecast.shape) if isinstance(forecast, Tensor) else type(forecast).__name__
        raise AssertionError(f"forward must return a tensor of shape {shape}, got {found}")
    if not bool(torch.isfinite(forecast).all()):
        raise AssertionError("the forecast contains NaN or infinite values")


def _contract(model: nn.Module) -> None:
    assert_contract(model)
