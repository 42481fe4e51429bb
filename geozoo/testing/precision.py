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
    """Notes every operation whose result is less precise than ``dtype``."""

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
    """Check float32 and float64: outputs have that dtype and nothing is rounded in between.

    Every operation on the way is looked at, so that a cast to float32 and back is seen, and the two
    results are compared within the tolerance of float32.

    Args:
        module: module or function; copies are checked.
        inputs: its inputs by name; the floating-point ones are cast.

    Raises:
        AssertionError: if a dtype is lost or the results differ.
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
        raise AssertionError(f"precision is lost on {dtype} inputs by {watch.found[0]}")
    for name, value in outputs.items():
        if value.dtype != dtype:
            raise AssertionError(f"{name} is {value.dtype} for inputs of {dtype}")
    return outputs
