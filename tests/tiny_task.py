"""A task of its own kind, as a user would add one, with all that is particular to it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from geozoo.data import GeometricSpec, GraphBatch
from geozoo.figures import Figure, Panels
from geozoo.tasks import GeometricTask, Quantity, Usage


class Drift(GeometricTask):
    """The displacement of every node.

    Args:
        model: a network with an output vector.
        spec: the description of the data.
        options: keyword arguments of `GeometricTask`.
    """

    outputs = ("vector",)

    def __init__(self, model: nn.Module, spec: GeometricSpec, **options: Any) -> None:
        quantities = (Quantity("drift", "y", ("mae",), is_vector=True),)
        super().__init__(model, spec, quantities=quantities, **options)

    def loss(self, batch: GraphBatch) -> dict[str, Tensor]:
        """Mean squared error."""
        return {"loss": functional.mse_loss(self(batch).vector[:, 0], self._true(batch))}

    def targets(self, batch: GraphBatch) -> dict[str, Tensor]:
        """The true displacements."""
        return {"drift": self._true(batch)}

    def predict(self, batch: GraphBatch) -> dict[str, Tensor]:
        """The displacements."""
        return {"drift": self(batch).vector[:, 0].detach()}

    def predict_baseline(self, batch: GraphBatch) -> dict[str, Tensor]:
        """None."""
        return {"drift": 0.0 * batch.pos}

    def own_figures(self, outcome: Any) -> list[Figure]:
        """The lengths of the errors in order."""
        if not outcome.is_tested:
            return []
        draw = partial(_plot_lengths, self.parity.pairs()["drift"])
        return [Figure("lengths", "Errors of the drift in order", draw)]

    def graph_lines(self, number: int, nodes: slice, *values: Any, **named: Any) -> list[str]:
        """How many nodes there are."""
        return [f"{nodes.stop - nodes.start} drifting nodes"]

    def usage(self, model: str) -> Usage:
        """A command of its own."""
        return Usage("The model takes clouds.", f"drift-away {model}", "all drifts", "drift(model)")

    def _true(self, batch: GraphBatch) -> Tensor:
        return batch.y - batch.pos


def _plot_lengths(pairs: Tensor, path: Path) -> None:
    panels = Panels(1)
    panels.axes[0].plot((pairs[:, 0] - pairs[:, 1]).abs().sort().values.numpy())
    panels.axes[0].set_title("lengths")
    panels.save(path)
