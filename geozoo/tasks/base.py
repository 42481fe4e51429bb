"""What all tasks on graphs share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import torch
from lightning import LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from geozoo.data import DataSpec, GraphBatch, rotate_batch
from geozoo.metrics import ErrorMetrics
from geozoo.tasks._finite import FiniteLossGuard
from geozoo.tasks._parity import ParitySample
from geozoo.tasks._quantity import Quantity
from geozoo.tasks._rotations import evaluation_rotations, training_rotations
from geozoo.tasks.parameter_groups import parameter_groups

MakeOptimizer = Callable[[list[dict[str, Any]]], Optimizer]
MakeSchedule = Callable[..., LRScheduler]


class GraphTask(LightningModule):
    """Training, validation, test and prediction of a geometric model.

    A task derives from this class, names its ``quantities`` and implements :meth:`loss`,
    :meth:`predict` and :meth:`predict_baseline`. Predictions and metrics are in physical units,
    losses in scaled ones. A test measures the baseline beside the model, so that a number can be
    judged where it stands.

    Args:
        model: a network of the geometric family,
            ``model(pos, x, batch, edge_index, vec=..., num_graphs=...)`` -> ``(scalar, vector)``.
        spec: the description of the data.
        quantities: what is predicted.
        optimizer: makes the optimizer from parameter groups; None: Adam.
        schedule: makes the schedule from the optimizer and ``num_epochs``; None: constant rate.
        augment: turn every training graph, with all its vectors, by a random rotation.
        test_rotations: test with the mean over this many rotations of every graph; 1: as is.
        monitor: the metric that chooses the best checkpoint, lower is better.
        seed: seed of the rotations.

    Attributes:
        record: plain data that goes into every checkpoint: config, data, versions.
        parity: a sample of the last test's predictions.

    Raises:
        ValueError: for fewer than one test rotation, or a ``monitor`` that the task does not
            compute.
    """

    def __init__(
        self,
        model: nn.Module,
        spec: DataSpec,
        *,
        quantities: tuple[Quantity, ...],
        optimizer: MakeOptimizer | None = None,
        schedule: MakeSchedule | None = None,
        augment: bool = True,
        test_rotations: int = 1,
        monitor: str | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if test_rotations < 1:
            raise ValueError(f"test_rotations must be at least 1, got {test_rotations}")
        self.model, self.spec, self.quantities = model, spec, quantities
        self.make_optimizer: MakeOptimizer = optimizer or torch.optim.Adam
        self.make_schedule = schedule
        self.augment, self.test_rotations, self.seed = augment, test_rotations, seed
        measures = {quantity.name: quantity.measures for quantity in quantities}
        self.val_errors, self.test_errors = ErrorMetrics(measures), ErrorMetrics(measures)
        self.baseline_errors = ErrorMetrics(measures)
        names = [f"val/{name}" for name in self.val_errors.metrics]
        if monitor is not None and monitor not in names:
            raise ValueError(f"monitor must be one of {', '.join(names)}; got {monitor!r}")
        self.monitor = monitor or names[0]
        self.record: dict[str, Any] = {}
        self.parity = ParitySample(1)
        self._guard = FiniteLossGuard()

    @abstractmethod
    def loss(self, batch: GraphBatch) -> dict[str, Tensor]:
        """The training loss as ``"loss"``, and its parts by name."""

    @abstractmethod
    def predict(self, batch: GraphBatch) -> dict[str, Tensor]:
        """Every quantity of a batch by name, in physical units, detached."""

    @abstractmethod
    def predict_baseline(self, batch: GraphBatch) -> dict[str, Tensor]:
        """What can be said of every quantity without a model; as `predict` otherwise."""

    def forward(self, batch: GraphBatch) -> Any:
        """The model's output ``(scalar, vector)`` for a batch, in scaled units."""
        return self.model(**self.inputs(batch))

    def inputs(self, batch: GraphBatch) -> dict[str, Any]:
        """The arguments of the model, in the precision of its parameters."""
        dtype = next(self.model.parameters()).dtype
        x, vec = batch.get("x"), batch.get("vec")
        return {
            "pos": batch.pos.to(dtype),
            "x": None if x is None else x.to(dtype),
            "batch": batch.batch,
            "edge_index": batch.get("edge_index"),
            "vec": None if vec is None else vec.to(dtype),
            "num_graphs": batch.num_graphs,
        }

    def targets(self, batch: GraphBatch) -> dict[str, Tensor]:
        """The true value of every quantity by name."""
        return {quantity.name: getattr(batch, quantity.field) for quantity in self.quantities}

    def calibrate(self, batch: GraphBatch) -> bool:
        """Let the model scale its initial weights on a batch, if it can and has not yet.

        Returns:
            Whether it did.
        """
        if not hasattr(self.model, "calibrate") or bool(getattr(self.model, "calibrated", False)):
            return False
        self.model.calibrate(**self.inputs(batch.to(self.device)))
        return True

    def configure_optimizers(self) -> Any:
        """Two parameter groups (see `parameter_groups`), schedule stepped per epoch."""
        optimizer = self.make_optimizer(parameter_groups(self.model))
        if self.make_schedule is None:
            return optimizer
        num_epochs = self.trainer.max_epochs
        scheduler = self.make_schedule(
            optimizer, num_epochs=-1 if num_epochs is None else num_epochs
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "epoch"},
        }

    def training_step(self, batch: GraphBatch, batch_idx: int) -> Tensor:
        """The loss of a batch, turned at random if wanted.

        Raises:
            NonFiniteLossError: when the loss is NaN or infinite.
        """
        if self.augment:
            step = (batch_idx, self.global_rank)
            rotations = training_rotations(
                batch, self.spec.dim, seed=self.seed, epoch=self.current_epoch, step=step
            )
            batch = self._turned(batch, rotations)
        parts = self.loss(batch)
        self._guard.watch(
            parts["loss"], batch.index,
            epoch=self.current_epoch, step=self.global_step, batch_idx=batch_idx,
        )  # fmt: skip
        logged = {f"train/{name}": value.detach() for name, value in parts.items()}
        self.log_dict(
            logged, on_step=False, on_epoch=True, batch_size=batch.num_graphs, sync_dist=True
        )
        return parts["loss"]

    def on_train_batch_end(self, outputs: Any, batch: GraphBatch, batch_idx: int) -> None:
        """Look at waiting losses before anything is validated or saved."""
        if self.trainer.is_last_batch:
            self._guard.flush()

    def on_train_epoch_start(self) -> None:
        """Log the learning rate of the epoch."""
        rate = self.trainer.optimizers[0].param_groups[0]["lr"]
        self.log("train/lr", float(rate), rank_zero_only=True)

    def validation_step(self, batch: GraphBatch, batch_idx: int) -> None:
        """Collect the errors of a batch."""
        self.val_errors.update(self.predict(batch), self.targets(batch))

    def on_validation_epoch_end(self) -> None:
        """Log ``val/<quantity>_<measure>``."""
        self._log_errors("val/", self.val_errors)

    def on_test_start(self) -> None:
        """Begin a new sample of predictions."""
        batches = self.trainer.num_test_batches
        self.parity = ParitySample(int(sum(batches)) if isinstance(batches, list) else batches)

    def test_step(self, batch: GraphBatch, batch_idx: int) -> None:
        """Collect errors and a sample of the predictions of a batch."""
        predictions, targets = self.predict_averaged(batch), self.targets(batch)
        self.test_errors.update(predictions, targets)
        self.baseline_errors.update(self.predict_baseline(batch), targets)
        self.parity.add(predictions, targets)

    def on_test_epoch_end(self) -> None:
        """Log ``test/<quantity>_<measure>``, and ``test/baseline_...`` of the baseline."""
        self._log_errors("test/", self.test_errors)
        self._log_errors("test/baseline_", self.baseline_errors)

    def predict_step(self, batch: GraphBatch, batch_idx: int) -> dict[str, Tensor]:
        """Every quantity by name, in physical units, averaged as in the test."""
        return self.predict_averaged(batch)

    def predict_averaged(self, batch: GraphBatch) -> dict[str, Tensor]:
        r"""The mean over ``test_rotations`` rotations :math:`R` of :math:`R^{-1} f(R\,x)`.

        An equivariant model gives the same for each; the mean lowers the error of a grid.
        """
        if self.test_rotations == 1:
            return self.predict(batch)
        total: dict[str, Tensor] = {}
        for repeat in range(self.test_rotations):
            rotations = evaluation_rotations(batch, self.spec.dim, seed=self.seed, repeat=repeat)
            predictions = self.predict(self._turned(batch, rotations))
            for quantity in self.quantities:
                value = predictions[quantity.name]
                if quantity.is_vector:
                    value = _turn_back(value, rotations, batch)
                total[quantity.name] = total.get(quantity.name, 0.0) + value
        return {name: value / self.test_rotations for name, value in total.items()}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add ``record`` and the newest validation metrics, as plain data."""
        metrics = self.trainer.callback_metrics.items()
        values = {name: float(value) for name, value in metrics if name.startswith("val/")}
        checkpoint["geozoo"] = {**self.record, "metrics": values}

    def _turned(self, batch: GraphBatch, rotations: Tensor) -> GraphBatch:
        fields = [field for field in self.spec.vector_fields if field in batch]
        return rotate_batch(batch, rotations, fields)

    def _log_errors(self, prefix: str, errors: ErrorMetrics) -> None:
        values: Mapping[str, Tensor] = errors.compute()
        errors.reset()
        # The values are those of all devices already; the mean over devices leaves them.
        self.log_dict({f"{prefix}{name}": v for name, v in values.items()}, sync_dist=True)


def _turn_back(value: Tensor, rotations: Tensor, batch: GraphBatch) -> Tensor:
    rows = (
        rotations if value.shape[0] == batch.num_graphs else rotations.index_select(0, batch.batch)
    )
    return torch.einsum("n...e,ned->n...d", value, rows.to(value.dtype))
