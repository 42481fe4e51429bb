"""Errors on named parts of a test split, such as its files."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Int
from torch import Tensor

from geozoo.metrics import ErrorMeasures


class PartErrors:
    """Errors of each part, accumulated together with those of the whole split.

    Args:
        parts: indices into the store of the graphs of each part.
        errors: makes the error measures of a part.
        levels: ``"graph"`` or ``"node"`` for each quantity.
        device: device of predictions and targets.
    """

    def __init__(
        self,
        parts: Mapping[str, Int[Tensor, " part"]],
        errors: Callable[[], ErrorMeasures],
        levels: Mapping[str, str],
        device: torch.device,
    ) -> None:
        self.levels = levels
        self.index = {name: index.to(device) for name, index in parts.items()}
        self.errors = {name: errors().to(device) for name in parts}

    def update(
        self,
        predictions: Mapping[str, Tensor],
        targets: Mapping[str, Tensor],
        index: Int[Tensor, " G"],
        batch: Int[Tensor, " N"],
    ) -> None:
        """Add a batch.

        Args:
            predictions: one tensor per quantity.
            targets: the targets.
            index: index into the store of each graph.
            batch: graph of each node.
        """
        for name, errors in self.errors.items():
            of_graphs = torch.isin(index, self.index[name])
            rows = {"graph": of_graphs, "node": of_graphs.index_select(0, batch)}
            chosen = {key: rows[self.levels[key]] for key in targets}
            errors.update(
                {key: predictions[key][mask] for key, mask in chosen.items()},
                {key: targets[key][mask] for key, mask in chosen.items()},
            )

    def compute(self) -> dict[str, dict[str, float]]:
        """The errors of each part by name."""
        return {
            name: {measure: float(value) for measure, value in errors.compute().items()}
            for name, errors in self.errors.items()
        }
