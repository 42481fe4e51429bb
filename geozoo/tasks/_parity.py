"""A bounded sample of test predictions for the parity plot."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

#: Points per quantity; more would hide each other in a plot.
_MAX_POINTS = 20_000


class ParitySample:
    """Evenly spaced pairs (prediction, target) of every batch.

    Args:
        num_batches: batches to come.
    """

    def __init__(self, num_batches: int) -> None:
        self._per_batch = max(1, _MAX_POINTS // max(1, num_batches))
        self._pairs: dict[str, list[Tensor]] = {}

    def add(self, predictions: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> None:
        """Take some entries of a batch."""
        for name, predicted in predictions.items():
            pairs = torch.stack([predicted.detach().flatten(), targets[name].detach().flatten()], 1)
            pairs = pairs[~pairs.isnan().any(1)]  # missing truths
            stride = max(1, -(-len(pairs) // self._per_batch))
            self._pairs.setdefault(name, []).append(pairs[::stride].double().cpu())

    def pairs(self) -> dict[str, Tensor]:
        """For each quantity ``[points, 2]``: prediction and target, float64 on the CPU."""
        return {name: torch.cat(parts)[:_MAX_POINTS] for name, parts in self._pairs.items()}
