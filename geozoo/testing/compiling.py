"""Check that ``torch.compile`` captures a module as a single graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from geozoo.testing._run import Inputs, call, compare
from geozoo.testing.tolerances import Tolerance


def assert_compiles(
    module: nn.Module | Callable[..., Any], inputs: Inputs, *, tolerance: Tolerance | None = None
) -> None:
    """Check that ``torch.compile`` captures the module without graph breaks or changed results.

    The eager backend runs the captured graph operation by operation: this checks the capture,
    within a second, but not the code generation.

    Args:
        module: module or function.
        inputs: its inputs by name.
        tolerance: allowed deviation; None: that of the dtype.

    Raises:
        AssertionError: If there is a graph break, or a result changes.
    """
    expected = call(module, inputs)
    torch.compiler.reset()
    compiled = torch.compile(module, backend="eager", fullgraph=True)
    try:
        actual = call(compiled, inputs)
    except torch._dynamo.exc.TorchDynamoException as error:
        raise AssertionError(f"the module cannot be captured as a single graph: {error}") from error
    finally:
        torch.compiler.reset()
    compare(actual, expected, "changes when compiled", tolerance)
