"""Helpers of the checks: calling a module with named inputs, and comparing named outputs."""

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
    """Disable TF32, which rounds float32 factors to 10-bit mantissas on GPUs."""
    # torch's stubs lack it.
    conv = torch.backends.cudnn.conv  # type: ignore[attr-defined]
    switches = (torch.backends.cuda.matmul, conv)
    former = [switch.fp32_precision for switch in switches]
    try:
        for switch in switches:
            switch.fp32_precision = "ieee"
        yield
    finally:
        for switch, value in zip(switches, former, strict=True):
            switch.fp32_precision = value


def call(module: Callable[..., Any], inputs: Inputs) -> Outputs:
    """Call a module with keyword arguments and return the tensors of the result by name."""
    with full_precision():
        return named_outputs(module(**inputs))


def named_outputs(output: Any) -> Outputs:
    """Name the tensors of an output: fields of a named tuple, tuple indices, or ``output``."""
    if isinstance(output, Tensor):
        return {"output": output}
    if hasattr(output, "_asdict"):
        parts = output._asdict()
    elif isinstance(output, Mapping):
        parts = dict(output)
    elif isinstance(output, tuple | list):
        parts = {str(index): value for index, value in enumerate(output)}
    else:
        raise TypeError(
            f"the module must return a tensor, a tuple or a mapping, got {type(output)}"
        )
    named = {str(name): value for name, value in parts.items() if isinstance(value, Tensor)}
    if not named:
        raise AssertionError("the module must return at least one tensor, got none")
    return named


def map_floats(inputs: Inputs, function: Callable[[Tensor], Tensor]) -> dict[str, Any]:
    """Apply a function to every floating-point tensor and keep the other inputs."""
    return {
        name: function(value) if isinstance(value, Tensor) and value.is_floating_point() else value
        for name, value in inputs.items()
    }


def compare(
    actual: Outputs, expected: Outputs, what: str, tolerance: Tolerance | None = None
) -> None:
    """Raise an AssertionError that names the output if two results differ.

    Args:
        actual: outputs to check.
        expected: expected outputs.
        what: end of the sentence in the message, after the name of the output.
        tolerance: allowed deviation; None: that of the dtype.
    """
    if actual.keys() != expected.keys():
        raise AssertionError(
            f"the outputs are {sorted(actual)} instead of {sorted(expected)}: {what}"
        )
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
    # Written so that a NaN deviation fails too.
    if not deviation <= allowed:
        raise AssertionError(f"{name} {what}: off by {deviation:.3g}, tolerance {allowed:.3g}")
