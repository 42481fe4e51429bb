"""Published weights on their way into a model."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

#: Last parts of names of values that are constants, or empty.
_CONSTANTS = ("output_mask", "bias", "p", "r_max", "prefactor", "num_interactions")


class GivenWeights:
    """Published weights, of which each is taken once, in float64.

    Args:
        weights: state dict with the published names.
    """

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        self.left = {name: torch.as_tensor(value) for name, value in weights.items()}

    def take(self, name: str, *shape: int) -> Tensor:
        """Remove and return a value, in a shape with the same number of entries.

        Raises:
            ValueError: If there is no such value, or it has another number of entries.
        """
        if name not in self.left:
            raise ValueError(f"weights do not fit the model: {name} is missing")
        value = self.left.pop(name)
        if shape and value.numel() != math.prod(shape):
            raise ValueError(
                f"weights do not fit the model: {name} must have {' * '.join(map(str, shape))} "
                f"entries, got shape {tuple(value.shape)}"
            )
        return value.double().reshape(shape) if shape else value.double()

    def optional(self, name: str, default: float) -> float:
        """Remove and return a scalar."""
        if name not in self.left:
            return default
        return float(self.take(name, 1))

    def finish(self) -> None:
        """Refuse weights that nothing took.

        Raises:
            ValueError: If a value is left that is not a constant.
        """
        unused = [
            name
            for name, value in self.left.items()
            if value.numel() and name.split(".")[-1] not in _CONSTANTS
            and not name.endswith("_zeroed") and "_compiled_main" not in name
            and name != "atomic_numbers"
        ]  # fmt: skip
        if unused:
            raise ValueError(f"weights do not fit the model: no place for {', '.join(unused)}")


def fill(parameter: Tensor, value: Tensor) -> None:
    """Copy values into a parameter with the same number of entries.

    Raises:
        ValueError: If the numbers of entries differ.
    """
    if parameter.numel() != value.numel():
        raise ValueError(
            f"weights do not fit the model: expected {parameter.numel()} entries, got shape "
            f"{tuple(value.shape)}"
        )
    parameter.copy_(value.reshape(parameter.shape))
