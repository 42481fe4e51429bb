"""Check that a reloaded module predicts the same numbers."""

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
    """Check that state dict, file and a newly built module give the same outputs, bit for bit.

    Args:
        module: the module to save, in the state of interest (trained, calibrated).
        build: makes a module of the same sizes and dtype, with other random weights.
        inputs: inputs of both, by name.

    Raises:
        AssertionError: if a reloaded module predicts something else: part of what it knows is not
            in its state dict.
    """
    expected = call(module, inputs)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.pt"
        torch.save(module.state_dict(), path)
        # Only plain tensors are read back: a state dict must not need unpickling.
        state = torch.load(path, weights_only=True)
    fresh = build().to(next(iter(expected.values())).device)
    fresh.load_state_dict(state)
    fresh.train(module.training)
    compare(call(fresh, inputs), expected, "changes when saved and reloaded", Tolerance(0.0, 0.0))
