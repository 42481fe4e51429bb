"""Check that a saved and reloaded module gives the same outputs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from geozoo.testing._run import Inputs, call, compare
from geozoo.testing.tolerances import Tolerance


def assert_survives_saving(
    module: nn.Module, build: Callable[[], nn.Module], inputs: Inputs
) -> None:
    """Check that a new module with the saved state dict gives the same outputs, bit for bit.

    Args:
        module: the module to save, in the state of interest (trained, calibrated).
        build: builds a module of the same sizes and dtype, with other random weights.
        inputs: inputs of both, by name.

    Raises:
        AssertionError: If the reloaded module gives other outputs: part of its state is missing
            from the state dict.
    """
    expected = call(module, inputs)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.pt"
        torch.save(module.state_dict(), path)
        # Plain tensors only: loading a state dict must not require unpickling.
        state = torch.load(path, weights_only=True)
    fresh = build().to(next(iter(expected.values())).device)
    fresh.load_state_dict(state)
    fresh.train(module.training)
    compare(call(fresh, inputs), expected, "changes when saved and reloaded", Tolerance(0.0, 0.0))
