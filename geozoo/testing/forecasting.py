"""Check how the forecasts of a model depend on windows, sensors, time steps and missing values."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from geozoo.testing._run import Inputs, Outputs, call, compare
from geozoo.testing.tolerances import Tolerance


def assert_windows_independent(
    module: Callable[..., Any], inputs: Inputs, *, tolerance: Tolerance | None = None
) -> None:
    """Check that a batch of windows gives the same forecasts as the individual windows.

    In addition, the values of each window in turn are changed, which must not change the forecasts
    of the other windows.

    Args:
        module: a forecaster; in evaluation mode, if it is a module.
        inputs: its inputs by name, all of them tensors with at least two windows along the first
            axis.
        tolerance: allowed deviation; None: that of the dtype.

    Raises:
        AssertionError: If the forecast of a window depends on the other windows of the batch.
        ValueError: If there is a single window.
    """
    count = next(iter(inputs.values())).shape[0]
    if count < 2:
        raise ValueError(f"inputs must contain at least 2 windows for this check, got {count}")
    together = call(module, inputs)
    for window in range(count):
        alone = call(module, {k: v[window : window + 1] for k, v in inputs.items()})
        mine = {name: value[window : window + 1] for name, value in together.items()}
        compare(alone, mine, f"of window {window} alone differs from that in the batch", tolerance)
        changed = call(module, {k: _with_other_window(v, window) for k, v in inputs.items()})
        for other in (w for w in range(count) if w != window):
            compare(
                {name: value[other] for name, value in changed.items()},
                {name: value[other] for name, value in together.items()},
                f"of window {other} depends on the inputs of window {window}",
                tolerance,
            )


def assert_sensors_permute(
    build: Callable[[Tensor | None], nn.Module],
    inputs: Inputs,
    *,
    sensor_axis: Mapping[str, int],
    output_axis: int = -1,
    seed: int = 0,
    tolerance: Tolerance | None = None,
) -> None:
    """Check that permuting the sensors, in inputs and model, permutes the forecast.

    Args:
        build: builds the model; given an order of the sensors ``[N]``, it builds the same model
            with its graphs and per-sensor parameters in that order.
        inputs: inputs of the model by name.
        sensor_axis: axis of the sensors, for each input with sensors.
        output_axis: axis of the sensors in the output.
        seed: seed of the permutation.
        tolerance: allowed deviation; None: that of the dtype.

    Raises:
        AssertionError: If the forecast depends on the order of the sensors.
    """
    name, axis = next(iter(sensor_axis.items()))
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(inputs[name].shape[axis], generator=generator)
    changed = dict(inputs)
    for name, axis in sensor_axis.items():
        changed[name] = inputs[name].index_select(axis, order)
    expected = {
        key: value.index_select(output_axis, order)
        for key, value in call(build(None), inputs).items()
    }
    compare(call(build(order), changed), expected, "depends on the order of sensors", tolerance)


def assert_causal(
    module: Callable[..., Any],
    inputs: Inputs,
    *,
    time_axis: Mapping[str, int],
    output_axis: int,
    tolerance: Tolerance | None = None,
) -> None:
    """Check that no output step depends on later input steps.

    Args:
        module: a layer whose outputs have as many steps as its inputs.
        inputs: its inputs by name.
        time_axis: axis of the steps, for each input with steps.
        output_axis: axis of the steps in the outputs.
        tolerance: allowed deviation; None: that of the dtype.

    Raises:
        AssertionError: If an output step depends on later input steps; the message names the step.
    """
    name, axis = next(iter(time_axis.items()))
    expected = call(module, inputs)
    for step in range(1, inputs[name].shape[axis]):
        changed = dict(inputs)
        for name, axis in time_axis.items():
            changed[name] = _with_other_future(inputs[name], axis, step)
        before = slice(0, step)
        compare(
            _steps(call(module, changed), output_axis, before),
            _steps(expected, output_axis, before),
            f"of steps before {step} depends on the input from step {step} on",
            tolerance,
        )


def assert_ignores(
    module: Callable[..., Any],
    inputs: Inputs,
    *,
    names: Collection[str],
    observed: Mapping[str, Tensor],
) -> None:
    """Check that missing entries do not influence the outputs, bit for bit.

    Args:
        module: called with the inputs as keyword arguments.
        inputs: its inputs by name.
        names: names of the inputs with missing entries.
        observed: mask of the observed entries for each of these inputs, in the same shape.

    Raises:
        AssertionError: If an output depends on a missing entry.
        ValueError: If no entry is missing.
    """
    changed = dict(inputs)
    for name in names:
        if bool(observed[name].all()):
            raise ValueError(f"observed: {name!r} must have missing entries for this check")
        changed[name] = torch.where(observed[name], inputs[name], 3.0 * inputs[name] + 7.0)
    exact = Tolerance(0.0, 0.0)
    compare(call(module, changed), call(module, inputs), "depends on missing entries", exact)


def _with_other_window(value: Tensor, window: int) -> Tensor:
    if not value.is_floating_point():
        return value
    changed = value.clone()
    changed[window] = 1.3 * value[window] + 0.7
    return changed


def _with_other_future(value: Tensor, axis: int, step: int) -> Tensor:
    later = torch.arange(value.shape[axis], device=value.device) >= step
    shape = [1] * value.dim()
    shape[axis] = -1
    return torch.where(later.view(shape), 1.3 * value + 0.7, value)


def _steps(outputs: Outputs, axis: int, steps: slice) -> Outputs:
    return {
        name: value.transpose(0, axis)[steps].transpose(0, axis) for name, value in outputs.items()
    }
