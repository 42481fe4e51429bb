"""Metadata of a task: units, figures of a run, and usage instructions of its model."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Protocol

from lightning import LightningModule
from torch import Tensor, nn

from geozoo.data import DataSpec, GraphDataModule
from geozoo.data.loader import Store
from geozoo.figures import (
    Curve,
    Figure,
    loss_panels,
    plot_errors,
    plot_graphs,
    plot_loss,
    plot_parity,
    value_lines,
)
from geozoo.tasks._parity import ParitySample
from geozoo.tasks._quantity import Quantity, metric_units
from geozoo.tasks._usage import Usage, usage_of
from geozoo.tasks._worst import WorstCases
from geozoo.tasks._worst_graphs import drawn_graphs


class Outcome(Protocol):
    """Information on a finished run that the figures of its task need."""

    @property
    def datamodule(self) -> GraphDataModule:
        """The data that the task was tested on."""

    @property
    def is_tested(self) -> bool:
        """Whether the task holds the results of a test."""

    def curves(self) -> Mapping[str, Curve]:
        """Epochs and values of ``train/loss`` and every ``val/...`` metric by name."""


class TaskDescription(LightningModule):
    """Base class of `geozoo.tasks.GraphTask` with the contents of reports.

    Attributes:
        forms_ensembles: whether the predictions of models with different seeds can be averaged.
    """

    forms_ensembles: ClassVar[bool] = True

    model: nn.Module
    spec: DataSpec
    quantities: tuple[Quantity, ...]
    parity: ParitySample
    worst: WorstCases

    @abstractmethod
    def predict_tested(self, batch: Any) -> dict[str, Tensor]:
        """See `GraphTask.predict_tested`."""

    @abstractmethod
    def targets(self, batch: Any) -> dict[str, Tensor]:
        """See `GraphTask.targets`."""

    def metric_units(self) -> dict[str, str]:
        """Unit of each metric, such as ``{"energy_mae": "meV"}``."""
        return metric_units(self.quantities, self.spec.units)

    def quantity_units(self) -> dict[str, str]:
        """Unit of each quantity by name."""
        return {q.name: self.spec.units.get(q.field, "") for q in self.quantities}

    def quantity_levels(self) -> dict[str, str]:
        """Level of each quantity by name: one row per ``"graph"`` (or window) or per ``"node"``."""
        own = getattr(self.spec, "level", "graph")
        return {q.name: q.level or own for q in self.quantities}

    @property
    def is_trained(self) -> bool:
        """Whether the model has trainable parameters."""
        return any(parameter.requires_grad for parameter in self.model.parameters())

    def usage(self, model: str) -> Usage:
        """Input of the model, and the command and Python code to use it.

        Args:
            model: the run folder or trained model, as typed in a command.
        """
        return usage_of(self.spec, model, tuple(self.quantity_units()))

    def figures(self, outcome: Outcome) -> list[Figure]:
        """The figures of a finished run in the order of the report, without empty ones.

        Learning curves, test predictions against targets, figures of the task (`own_figures`) and
        the worst cases.

        Args:
            outcome: the run or test of the task.
        """
        figures = []
        curves = outcome.curves() if self.is_trained else {}  # else there are no epochs
        if loss_panels(curves):
            draw = partial(plot_loss, curves, units=self.metric_units())
            caption = "Training loss and validation errors by epoch, counted from 1"
            figures.append(Figure("loss", caption, draw))
        if pairs := self.parity.pairs():
            units = self.quantity_units()
            parity, errors = (partial(f, pairs, units=units) for f in (plot_parity, plot_errors))
            caption = "Prediction against target on the test split"
            figures.append(Figure("parity", caption, parity))
            caption = "Distribution of errors on the test split"
            figures.append(Figure("errors", caption, errors))
        figures += self.own_figures(outcome)
        if len(self.worst.index):
            draw = partial(self.draw_worst, outcome.datamodule.store)
            caption = "Largest errors on the test split, in descending order"
            figures.append(Figure("worst", caption, draw))
        return figures

    def own_figures(self, outcome: Outcome) -> list[Figure]:
        """Additional figures of this kind of task; none by default.

        Args:
            outcome: see `figures`.
        """
        return []

    def draw_worst(self, store: Store, path: Path) -> None:
        """Draw the graphs of the last test with the largest errors, in descending order.

        Args:
            store: the data of the test.
            path: the PNG file.
        """
        batch = store.gather(self.worst.index).to(self.device)
        predictions, targets = self.predict_tested(batch), self.targets(batch)
        own = {name: value.cpu() for name, value in predictions.items()}
        true = {name: value.cpu() for name, value in targets.items()}
        levels = self.quantity_levels()
        vectors = [q for q in self.quantities if q.is_vector and levels[q.name] == "node"]
        vector = vectors[0] if vectors else None
        lines = partial(self.graph_lines, predictions=own, targets=true)
        plot_graphs(drawn_graphs(batch.to("cpu"), self.spec, vector, own, true, lines), path)

    def graph_lines(
        self, number: int, nodes: slice, predictions: Mapping[str, Tensor],
        targets: Mapping[str, Tensor],
    ) -> list[str]:  # fmt: skip
        """The title lines of a drawn graph: targets, predictions and errors.

        Args:
            number: position of the graph in its batch.
            nodes: its nodes in the batch.
            predictions: predicted values of the batch by quantity, on the CPU.
            targets: target values by quantity.
        """
        lines: list[str] = []
        levels = self.quantity_levels()
        for quantity in self.quantities:
            value, target = predictions[quantity.name], targets[quantity.name]
            unit = self.spec.units.get(quantity.field, "")
            if levels[quantity.name] == "graph" and value[number].numel() == 1:
                pair = float(target[number]), float(value[number])
                lines += value_lines(quantity.name, *pair, unit)
            elif levels[quantity.name] == "node":
                mean = float((value[nodes] - target[nodes]).abs().mean())
                lines.append(f"{quantity.name}: MAE {mean:,.4g} {unit}")
        return lines
