"""A bounded sample of test predictions for parity plots."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

#: Maximum number of points per quantity; more would overlap in a plot.
_MAX_POINTS = 20_000


class ParitySample:
    """Pairs of prediction and target, sampled at even spacing from each batch.

    Args:
        num_batches: number of batches in the test.
    """

    def __init__(self, num_batches: int) -> None:
        self._per_batch = max(1, _MAX_POINTS // max(1, num_batches))
        self._pairs: dict[str, list[Tensor]] = {}

    def add(self, predictions: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> None:
        """Sample entries of a batch."""
        for name, predicted in predictions.items():
            pairs = torch.stack([predicted.detach().flatten(), targets[name].detach().flatten()], 1)
            pairs = pairs[~pairs.isnan().any(1)]  # missing targets
            stride = max(1, -(-len(pairs) // self._per_batch))
            self._pairs.setdefault(name, []).append(pairs[::stride].double().cpu())

    def pairs(self) -> dict[str, Tensor]:
        """Prediction and target ``[points, 2]`` of each quantity that has targets, in float64."""
        joined = {name: torch.cat(parts)[:_MAX_POINTS] for name, parts in self._pairs.items()}
        return {name: points for name, points in joined.items() if len(points)}
