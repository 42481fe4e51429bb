"""Check first and second derivatives."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection
from typing import Any

import torch
from torch import Tensor, nn

from geozoo.testing._run import Inputs, call, full_precision, map_floats


def assert_gradients(
    module: nn.Module | Callable[..., Any],
    inputs: Inputs,
    *,
    wrt: Collection[str] = ("pos",),
    parameters: bool = True,
    second: bool = True,
) -> None:
    """Check first and second derivatives against finite differences, in float64.

    Args:
        module: module or function; a float64 copy is checked.
        inputs: its inputs by name, at a point where the outputs are smooth.
        wrt: names of the inputs to differentiate with respect to.
        parameters: whether to differentiate with respect to the parameters too.
        second: whether to check second derivatives.

    Raises:
        AssertionError: If a derivative is wrong.
    """
    module, inputs = _in_float64(module, inputs)
    names, values = _variables(module, inputs, wrt, parameters)

    def function(*variables: Tensor) -> tuple[Tensor, ...]:
        given = dict(zip(names, variables, strict=True))
        return tuple(_call_with(module, inputs, given).values())

    # Fast mode compares random projections of the Jacobian: equally strict and much cheaper.
    with full_precision(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for check in (torch.autograd.gradcheck, torch.autograd.gradgradcheck)[: 1 + second]:
            try:
                check(function, values, fast_mode=True, atol=1e-5, rtol=1e-3)
            except RuntimeError as error:
                raise AssertionError(f"{check.__name__} of {names}: {error}") from error


def assert_finite_derivatives(
    module: nn.Module | Callable[..., Any], inputs: Inputs, *, wrt: Collection[str] = ("pos",)
) -> None:
    """Check that values, first and second derivatives are finite, in float64.

    Intended for singular points: coincident positions, zero vectors. The second derivatives are
    those needed to train on forces: of the squared gradient with respect to inputs and parameters.

    Args:
        module: module or function; a float64 copy is checked.
        inputs: its inputs by name.
        wrt: names of the inputs to differentiate with respect to.

    Raises:
        AssertionError: If a value or derivative is not finite.
    """
    module, inputs = _in_float64(module, inputs)
    names, values = _variables(module, inputs, wrt, parameters=True)
    outputs = _call_with(module, inputs, dict(zip(names, values, strict=True)))
    for name, value in outputs.items():
        _check_finite(f"value of {name}", value)
        if not value.numel() or not value.requires_grad:
            continue
        first = _derivatives((value * value + value).sum(), values)
        for by, gradient in zip(names, first, strict=True):
            _check_finite(f"first derivative of {name} with respect to {by}", gradient)
        loss = torch.stack([(g * g).sum() for g in first[: len(wrt)]]).sum()
        if loss.requires_grad:
            for by, gradient in zip(names, _derivatives(loss, values), strict=True):
                _check_finite(f"second derivative of {name} with respect to {by}", gradient)


def _derivatives(loss: Tensor, values: list[Tensor]) -> tuple[Tensor, ...]:
    return torch.autograd.grad(
        loss, values, create_graph=True, allow_unused=True, materialize_grads=True
    )


def _check_finite(what: str, value: Tensor) -> None:
    bad = int((~torch.isfinite(value)).sum())
    if bad:
        raise AssertionError(f"{what} is not finite in {bad} of {value.numel()} entries")


def _in_float64(module: Any, inputs: Inputs) -> tuple[Any, dict[str, Any]]:
    if isinstance(module, nn.Module):
        module = copy.deepcopy(module).double()
    return module, map_floats(inputs, lambda value: value.detach().double())


def _variables(
    module: Any, inputs: Inputs, wrt: Collection[str], parameters: bool
) -> tuple[list[str], list[Tensor]]:
    named = {name: inputs[name] for name in wrt}
    if parameters and isinstance(module, nn.Module):
        named |= {
            f"parameter {name}": value
            for name, value in module.named_parameters()
            if value.requires_grad
        }
    return list(named), [value.detach().clone().requires_grad_() for value in named.values()]


def _call_with(module: Any, inputs: Inputs, variables: dict[str, Tensor]) -> dict[str, Tensor]:
    start = "parameter "
    weights = {k.removeprefix(start): v for k, v in variables.items() if k.startswith(start)}
    given = {k: v for k, v in variables.items() if not k.startswith(start)}
    if not isinstance(module, nn.Module):
        return call(module, {**inputs, **given})
    return call(
        lambda **arguments: torch.func.functional_call(module, weights, kwargs=arguments),
        {**inputs, **given},
    )
