"""What validation and test measure of a task."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

from geozoo.data import GraphDataModule
from geozoo.metrics import ErrorMeasures
from geozoo.tasks._description import TaskDescription
from geozoo.tasks._parity import ParitySample
from geozoo.tasks._worst import WorstCases, error_of_graphs


class EvaluatedTask(TaskDescription):
    """The part of `geozoo.tasks.GraphTask` that measures the errors of predictions.

    Attributes:
        validates_loss: whether a validation also gives ``val/loss``, see `validation_loss`.
    """

    validates_loss: ClassVar[bool] = False

    val_errors: ErrorMeasures
    test_errors: ErrorMeasures
    baseline_errors: ErrorMeasures

    @abstractmethod
    def predict(self, batch: Any) -> dict[str, Tensor]:
        """Every quantity of a batch by name, in physical units, detached."""

    @abstractmethod
    def predict_baseline(self, batch: Any) -> dict[str, Tensor]:
        """What can be said of every quantity without a model; as `predict` otherwise."""

    def predict_tested(self, batch: Any) -> dict[str, Tensor]:
        """What a test measures: as `predict`, unless a task averages."""
        return self.predict(batch)

    def targets(self, batch: Any) -> dict[str, Tensor]:
        """The true value of every quantity by name."""
        return {quantity.name: getattr(batch, quantity.field) for quantity in self.quantities}

    def check_part(self, datamodule: GraphDataModule, part: str) -> None:
        """Refuse data that the model has no predictions for, before any work; here none.

        Args:
            datamodule: the data.
            part: ``"val"`` or ``"test"``.

        Raises:
            ValueError: names what the training does not determine.
        """

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """Collect the errors of a batch."""
        self.val_errors.update(self.predict(batch), self.targets(batch))

    def on_validation_epoch_end(self) -> None:
        """Log ``val/<quantity>_<measure>``, and ``val/loss`` of a task that has it."""
        values = self.validation_values()
        # The values are those of all devices already; the mean over devices leaves them.
        self.log_dict({f"val/{name}": value for name, value in values.items()}, sync_dist=True)

    def validation_values(self) -> dict[str, Tensor]:
        """Every measure of the validation that was collected by name; begins a new one."""
        values: dict[str, Tensor] = dict(self.val_errors.compute())
        self.val_errors.reset()
        return {**values, "loss": self.validation_loss(values)} if self.validates_loss else values

    def validation_loss(self, values: Mapping[str, Tensor]) -> Tensor:
        """The loss on the validation part in evaluation mode, from its measures.

        Args:
            values: the measures by name.
        """
        raise NotImplementedError

    def on_test_start(self) -> None:
        """Begin a new sample of predictions."""
        batches = self.trainer.num_test_batches
        self.parity = ParitySample(int(sum(batches)) if isinstance(batches, list) else batches)
        self.worst = WorstCases()

    def test_step(self, batch: Any, batch_idx: int) -> None:
        """Collect errors and a sample of the predictions of a batch."""
        self.collect_test(self.predict_tested(batch), self.targets(batch), batch)

    def collect_test(
        self, predictions: dict[str, Tensor], targets: dict[str, Tensor], batch: Any
    ) -> None:
        """Count the errors of the model and of the baseline, and sample pairs for the picture."""
        self.test_errors.update(predictions, targets)
        self.baseline_errors.update(self.predict_baseline(batch), targets)
        self.parity.add({name: predictions[name] for name in targets}, targets)
        self.worst.add(batch.index, self.graph_errors(predictions, targets, batch))

    def graph_errors(
        self, predictions: Mapping[str, Tensor], targets: Mapping[str, Tensor], batch: Any
    ) -> Tensor:
        """Of every graph ``[G]`` the mean absolute error of the first quantity; NaN: no truth."""
        name = self.quantities[0].name
        error = (predictions[name] - targets[name]).abs()
        return error_of_graphs(error, self.quantity_levels()[name], batch)

    def on_test_epoch_end(self) -> None:
        """Log ``test/<quantity>_<measure>``, and ``test/baseline_...`` of the baseline."""
        self._log_errors("test/", self.test_errors)
        self._log_errors("test/baseline_", self.baseline_errors)

    def _log_errors(self, prefix: str, errors: ErrorMeasures) -> None:
        values: Mapping[str, Tensor] = errors.compute()
        errors.reset()
        # The values are those of all devices already; the mean over devices leaves them.
        self.log_dict({f"{prefix}{name}": v for name, v in values.items()}, sync_dist=True)
