"""Validation and test of a task."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from torch import Tensor

from geozoo.data import GraphDataModule
from geozoo.metrics import ErrorMeasures
from geozoo.tasks._description import TaskDescription
from geozoo.tasks._parity import ParitySample
from geozoo.tasks._parts import PartErrors
from geozoo.tasks._worst import WorstCases, error_of_graphs


class EvaluatedTask(TaskDescription):
    """Base class of `geozoo.tasks.GraphTask` with validation and test.

    Attributes:
        samples_parity: whether a test keeps a sample of predictions for parity plots.
        validates_loss: whether validation also computes ``val/loss``, see `validation_loss`.
        part_errors: errors of the last test on each named part of the split
            (`geozoo.data.GraphDataModule.test_parts`), by name.
        further_errors: errors of the last test of each of `predict_baselines`, by name.
    """

    samples_parity: ClassVar[bool] = True
    validates_loss: ClassVar[bool] = False

    val_errors: ErrorMeasures
    test_errors: ErrorMeasures
    baseline_errors: ErrorMeasures
    make_errors: Callable[[], ErrorMeasures]
    part_errors: dict[str, dict[str, float]]
    further_errors: dict[str, dict[str, float]]
    _further: dict[str, ErrorMeasures]
    _parts: PartErrors | None

    @abstractmethod
    def predict(self, batch: Any) -> dict[str, Tensor]:
        """Each quantity of a batch by name, in physical units and detached."""

    @abstractmethod
    def predict_baseline(self, batch: Any) -> dict[str, Tensor]:
        """The trivial baseline for each quantity, in the format of `predict`."""

    def predict_baselines(self, batch: Any) -> dict[str, dict[str, Tensor]]:
        """Further trivial baselines by name, each in the format of `predict`; none by default."""
        return {}

    def predict_tested(self, batch: Any) -> dict[str, Tensor]:
        """The predictions evaluated in a test: those of `predict`, unless a task averages."""
        return self.predict(batch)

    def add_errors(self, errors: ErrorMeasures, batch: Any) -> None:
        """Add the errors of the tested predictions of a batch.

        Args:
            errors: error measures, as `make_errors` returns them.
            batch: the batch.
        """
        errors.update(self.predict_tested(batch), self.targets(batch))

    def targets(self, batch: Any) -> dict[str, Tensor]:
        """The target of each quantity by name."""
        return {quantity.name: getattr(batch, quantity.field) for quantity in self.quantities}

    def check_part(self, datamodule: GraphDataModule, part: str) -> None:
        """Raise an error for data that the model cannot predict; does nothing by default.

        Args:
            datamodule: the data.
            part: the split, ``"val"`` or ``"test"``.

        Raises:
            ValueError: If the training split does not determine a prediction.
        """

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """Accumulate the errors of a batch."""
        self.val_errors.update(self.predict(batch), self.targets(batch))

    def on_validation_epoch_end(self) -> None:
        """Log ``val/<quantity>_<measure>``, and ``val/loss`` if `validates_loss`."""
        values = self.validation_values()
        # The values already cover all devices; the mean over devices does not change them.
        self.log_dict({f"val/{name}": value for name, value in values.items()}, sync_dist=True)

    def validation_values(self) -> dict[str, Tensor]:
        """All error measures of the validation by name; resets them."""
        values: dict[str, Tensor] = dict(self.val_errors.compute())
        self.val_errors.reset()
        return {**values, "loss": self.validation_loss(values)} if self.validates_loss else values

    def validation_loss(self, values: Mapping[str, Tensor]) -> Tensor:
        """The loss on the validation split in evaluation mode, computed from its error measures.

        Args:
            values: the error measures by name.
        """
        raise NotImplementedError

    def on_test_start(self) -> None:
        """Start a new sample of predictions."""
        batches = self.trainer.num_test_batches
        self.parity = ParitySample(int(sum(batches)) if isinstance(batches, list) else batches)
        self.worst = WorstCases()
        parts = getattr(getattr(self.trainer, "datamodule", None), "test_parts", {})
        self.part_errors, self._parts = {}, None
        self.further_errors, self._further = {}, {}
        if parts:
            levels = self.quantity_levels()
            self._parts = PartErrors(parts, self.make_errors, levels, self.device)

    def test_step(self, batch: Any, batch_idx: int) -> None:
        """Accumulate errors and sample predictions of a batch."""
        self.collect_test(self.predict_tested(batch), self.targets(batch), batch)

    def collect_test(
        self, predictions: dict[str, Tensor], targets: dict[str, Tensor], batch: Any
    ) -> None:
        """Accumulate the errors of model and baseline, and sample predictions for the figures."""
        self.test_errors.update(predictions, targets)
        self.baseline_errors.update(self.predict_baseline(batch), targets)
        for name, values in self.predict_baselines(batch).items():
            if name not in self._further:
                self._further[name] = self.make_errors().to(self.device)
            self._further[name].update(values, targets)
        if self.samples_parity:
            self.parity.add({name: predictions[name] for name in targets}, targets)
        if self._parts is not None:
            self._parts.update(predictions, targets, batch.index, batch.batch)
        self.worst.add(batch.index, self.graph_errors(predictions, targets, batch))

    def graph_errors(
        self, predictions: Mapping[str, Tensor], targets: Mapping[str, Tensor], batch: Any
    ) -> Tensor:
        """Mean absolute error of the first quantity per graph ``[G]``; NaN without a target."""
        name = self.quantities[0].name
        error = (predictions[name] - targets[name]).abs()
        return error_of_graphs(error, self.quantity_levels()[name], batch)

    def on_test_epoch_end(self) -> None:
        """Log ``test/<quantity>_<measure>``, and ``test/baseline_...`` for the baseline.

        Also ``test/<name>_...`` for each of `predict_baselines`.
        """
        self._log_errors("test/", self.test_errors)
        self._log_errors("test/baseline_", self.baseline_errors)
        for name, errors in self._further.items():
            found = self._log_errors(f"test/{name}_", errors)
            self.further_errors[name] = {key: float(value) for key, value in found.items()}
        if self._parts is not None:
            self.part_errors = self._parts.compute()

    def _log_errors(self, prefix: str, errors: ErrorMeasures) -> Mapping[str, Tensor]:
        values: Mapping[str, Tensor] = errors.compute()
        errors.reset()
        # The values already cover all devices; the mean over devices does not change them.
        self.log_dict({f"{prefix}{name}": v for name, v in values.items()}, sync_dist=True)
        return values
