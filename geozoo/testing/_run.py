"""What the checkers share: calling a module by name, and comparing named outputs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from geozoo.testing.tolerances import TOLERANCES, Tolerance

Inputs = Mapping[str, Any]
Outputs = dict[str, Tensor]


@contextlib.contextmanager
def full_precision() -> Iterator[None]:
    """Switch TF32 off: on accelerators it rounds products of float32 to 10 bits."""
    switches = (torch.backends.cuda.matmul, torch.backends.cudnn.conv)
    former = [switch.fp32_precision for switch in switches]
    try:
        for switch in switches:
            switch.fp32_precision = "ieee"
        yield
    finally:
        for switch, value in zip(switches, former, strict=True):
            switch.fp32_precision = value


def call(module: Callable[..., Any], inputs: Inputs) -> Outputs:
    """Call with keyword arguments and return the tensors of the result by name."""
    with full_precision():
        return named_outputs(module(**inputs))


def named_outputs(output: Any) -> Outputs:
    """Name the tensors of an output: fields of a named tuple, places of a tuple, or ``output``."""
    if isinstance(output, Tensor):
        return {"output": output}
    if hasattr(output, "_asdict"):
        parts = output._asdict()
    elif isinstance(output, Mapping):
        parts = dict(output)
    elif isinstance(output, tuple | list):
        parts = {str(place): value for place, value in enumerate(output)}
    else:
        raise TypeError(
            f"the module must return a tensor, a tuple or a mapping, got {type(output)}"
        )
    named = {str(name): value for name, value in parts.items() if isinstance(value, Tensor)}
    if not named:
        raise AssertionError("the module returned no tensor: there is nothing to check")
    return named


def map_floats(inputs: Inputs, function: Callable[[Tensor], Tensor]) -> dict[str, Any]:
    """Apply a function to every tensor of floating-point numbers and keep the rest."""
    return {
        name: function(value) if isinstance(value, Tensor) and value.is_floating_point() else value
        for name, value in inputs.items()
    }


def compare(
    actual: Outputs, expected: Outputs, what: str, tolerance: Tolerance | None = None
) -> None:
    """Raise AssertionError, naming the output, where two results differ.

    Args:
        actual: outputs to judge.
        expected: what they should be.
        what: half a sentence for the message, after the name of the output.
        tolerance: allowed deviation; None: that of the dtype.
    """
    if actual.keys() != expected.keys():
        raise AssertionError(f"outputs {sorted(actual)} and {sorted(expected)}: {what}")
    for name, value in actual.items():
        _compare_one(name, value.detach(), expected[name].detach(), what, tolerance)


def _compare_one(
    name: str, actual: Tensor, expected: Tensor, what: str, tolerance: Tolerance | None
) -> None:
    if actual.shape != expected.shape:
        raise AssertionError(
            f"{name} {what}: shape {tuple(actual.shape)} instead of {tuple(expected.shape)}"
        )
    if not expected.numel():
        return
    relative, absolute = tolerance or TOLERANCES[expected.dtype]
    deviation = float((actual.double() - expected.double()).abs().max())
    allowed = absolute + relative * float(expected.double().abs().max())
    # Written so that a deviation of NaN fails as well.
    if not deviation <= allowed:
        raise AssertionError(f"{name} {what}: off by {deviation:.3g}, allowed {allowed:.3g}")
