"""Check that a module computes in the precision of its inputs."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from geozoo.testing._run import Inputs, Outputs, call, compare, map_floats
from geozoo.testing.tolerances import TOLERANCES


class _LowestPrecision(TorchDispatchMode):
    """Records every operation whose result is less precise than ``dtype``."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.resolution = torch.finfo(dtype).eps
        self.found: list[str] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor) and leaf.is_floating_point():
                if torch.finfo(leaf.dtype).eps > self.resolution:
                    self.found.append(f"{func} -> {leaf.dtype}")
        return result


def assert_dtype_kept(module: nn.Module | Callable[..., Any], inputs: Inputs) -> None:
    """Check that outputs keep the dtype of the inputs, float32 or float64, without rounding.

    Every intermediate result is checked, so a cast to float32 and back is detected. The float32
    and float64 results are compared within the tolerance of float32.

    Args:
        module: module or function; copies are checked.
        inputs: its inputs by name; the floating-point ones are cast.

    Raises:
        AssertionError: If a result has lower precision than the inputs, or the results differ.
    """
    results = {dtype: _run_in(module, inputs, dtype) for dtype in (torch.float32, torch.float64)}
    exact = results[torch.float64]
    compare(
        results[torch.float32],
        exact,
        "differs between float32 and float64",
        TOLERANCES[torch.float32],
    )


def _run_in(module: Any, inputs: Inputs, dtype: torch.dtype) -> Outputs:
    if isinstance(module, nn.Module):
        module = copy.deepcopy(module).to(dtype)
    cast = map_floats(inputs, lambda value: value.detach().to(dtype))
    with torch.no_grad(), _LowestPrecision(dtype) as watch:
        outputs = call(module, cast)
    if watch.found:
        raise AssertionError(f"{dtype} inputs lose precision in {watch.found[0]}")
    for name, value in outputs.items():
        if value.dtype != dtype:
            raise AssertionError(f"{name} is {value.dtype} for {dtype} inputs")
    return outputs
