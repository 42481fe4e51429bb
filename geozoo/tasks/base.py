"""The base class of all tasks on graphs."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from geozoo.contracts import Calibrated
from geozoo.data import DataSpec, GraphDataModule
from geozoo.data.loader import Store
from geozoo.metrics import ErrorMeasures
from geozoo.metrics.errors import device_only
from geozoo.tasks._evaluation import EvaluatedTask
from geozoo.tasks._finite import FiniteLossGuard
from geozoo.tasks._parity import ParitySample
from geozoo.tasks._precision import (
    at_least_float32,
    default_dtype,
    keep_eps_above_zero,
    match_precision,
)
from geozoo.tasks._quantity import Quantity, checked_monitor
from geozoo.tasks._shares import BatchShares, Share, checked_loader
from geozoo.tasks._worst import WorstCases
from geozoo.tasks.elastic import ElasticTraining
from geozoo.tasks.parameter_groups import parameter_groups
from geozoo.tasks.schedules import hold_from_now_on

_LOG = logging.getLogger(__name__)
MakeOptimizer = Callable[[list[dict[str, Any]]], Optimizer]
MakeSchedule = Callable[..., LRScheduler]


class GraphTask(EvaluatedTask):
    """Training, validation, test and prediction of a model on graphs of any family.

    A task derives from this class, passes its ``quantities`` to the constructor and implements
    :meth:`inputs`, :meth:`loss`, :meth:`predict` and :meth:`predict_baseline`; it may add figures
    in :meth:`own_figures`. Predictions and metrics are in physical units. A test also evaluates a
    trivial baseline, for comparison with the model.

    Args:
        model: a network of the same family as the data.
        spec: the data specification.
        quantities: the predicted quantities.
        errors: creates the error measures; called once each for validation, test and baseline.
        optimizer: creates the optimizer from parameter groups; None: Adam.
        schedule: creates the learning rate schedule from the optimizer and ``num_epochs``; None:
            constant learning rate.
        monitor: the metric that selects the best checkpoint.
        seed: seed of all random numbers drawn by the task.

    Attributes:
        validates_loss: whether validation also computes ``val/loss``, see `validation_loss`.
        draws_on_cpu: whether a training step draws random numbers on the CPU. A CUDA graph would
            replay the same numbers, so such a step cannot be captured.
        is_taught: whether the task has `taught`.
        keeps_statistics: whether the task's own buffers (statistics of the data) stay in float64
            when training with a 'true' half precision.
        record: plain data stored in every checkpoint: config, data, versions.
        parity: a sample of the predictions of the last test.
        worst: the graphs of the last test (in this process) with the largest errors.
        elastic: trains several sizes of the network in each step; None: only the network.
        stand_in: network that `network` returns instead of the model; None: the model.

    Raises:
        ValueError: If ``monitor`` is not computed or has no best direction, or ``seed`` is
            negative.
    """

    draws_on_cpu: ClassVar[bool] = False
    is_taught: ClassVar[bool] = False
    keeps_statistics: ClassVar[bool] = True

    def __init__(
        self,
        model: nn.Module,
        spec: DataSpec,
        *,
        quantities: tuple[Quantity, ...],
        errors: Callable[[], ErrorMeasures],
        optimizer: MakeOptimizer | None = None,
        schedule: MakeSchedule | None = None,
        monitor: str | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if seed < 0:
            raise ValueError(f"seed must be at least 0, got {seed!r}")
        self.model, self.spec, self.quantities = model, spec, quantities
        self.make_optimizer: MakeOptimizer = optimizer or torch.optim.Adam
        self.make_schedule = schedule
        self.seed = seed
        self.make_errors = errors
        self.val_errors, self.test_errors, self.baseline_errors = errors(), errors(), errors()
        self.part_errors, self._parts = {}, None
        self.further_errors, self._further = {}, {}
        names = [f"val/{name}" for name in self.val_errors.names]
        names += ["val/loss"] if self.validates_loss else []
        self.monitor = checked_monitor(monitor, names)
        self.record: dict[str, Any] = {}
        self.parity = ParitySample(1)
        self.worst = WorstCases()
        self._guard = FiniteLossGuard()
        self._shares: BatchShares | None = None
        self._compiled_model: Callable[..., Any] | None = None
        self.elastic: ElasticTraining | None = None
        self.stand_in: Callable[..., Any] | None = None

    @staticmethod
    def model_arguments(spec: DataSpec, node: Mapping[str, Any]) -> dict[str, Any]:
        """The constructor arguments of a model that data and task determine.

        Args:
            spec: the data specification.
            node: config of the task.
        """
        return spec.model_arguments()

    @staticmethod
    def task_node(spec: DataSpec, node: Mapping[str, Any]) -> Mapping[str, Any]:
        """The config of the task for these data; another one if the data decide the task.

        Args:
            spec: the data specification.
            node: config of the task.
        """
        return node

    @abstractmethod
    def inputs(self, batch: Any) -> dict[str, Any]:
        """The model's keyword arguments for a batch, in the precision of its parameters."""

    @abstractmethod
    def loss(self, batch: Any) -> dict[str, Tensor]:
        """The training loss as ``"loss"`` and its terms by name; means over the batch."""

    def loss_counts(self, store: Store) -> dict[str, Tensor]:
        """Weight of each sample of a store in the means of `loss`: ``[S]`` for each loss term.

        These weights make data-parallel training and gradient accumulation equivalent to training
        with one large batch. By default all graphs have weight 1; a loss per node or per reading
        returns the number of nodes or readings. Terms with different weights require an override
        of `weighted_loss`.
        """
        return {"loss": torch.ones(len(store))}

    def weighted_loss(self, batch: Any, weights: Mapping[str, float]) -> dict[str, Tensor]:
        """As `loss`, with each term multiplied by its weight; ``"loss"`` is their total.

        Args:
            batch: the graphs.
            weights: factor of each term returned by `loss_counts`.
        """
        return {name: value * weights["loss"] for name, value in self.loss(batch).items()}

    def taught(self, batch: Any, output: Any) -> Any:
        """The batch with predictions as its targets, from which smaller networks learn.

        Args:
            batch: the graphs.
            output: the detached output of the network in the loss of this batch.

        Raises:
            ValueError: If the targets of the task cannot be predictions.
        """
        raise ValueError(
            f"task {type(self).__name__} has no targets that a network could predict for smaller "
            "ones: elastic training needs another task"
        )

    def forward(self, batch: Any) -> Any:
        """The model's output for a batch, in normalised units."""
        return self.network(**self.inputs(batch))

    @property
    def network(self) -> Callable[..., Any]:
        """The model; the compiled model in training, if there is one; or what stands in for it."""
        if self.stand_in is not None:
            return self.stand_in
        if self.training and self._compiled_model is not None:
            return self._compiled_model
        return self.model

    def compile_training(self, **options: Any) -> None:
        """Compile the model for training on first use; validation and test run uncompiled.

        If compilation fails, training continues uncompiled after one warning.

        Args:
            options: arguments of ``torch.compile``.
        """
        from geozoo.tasks._compiled import CompiledModel  # its import takes a second

        self._compiled_model = CompiledModel(self.model, **options)

    def on_train_start(self) -> None:
        """Apply a changed schedule from the first step of a resumed run.

        A checkpoint stores the learning rate of the next epoch under the previous schedule.
        """
        for config in self.trainer.lr_scheduler_configs:
            change = hold_from_now_on(config.scheduler, self.current_epoch, self.trainer.max_epochs)
            if change is not None:
                _LOG.info(change)

    def training_batch(self, batch: Any, batch_idx: int) -> Any:
        """The batch passed to the loss; override for data augmentation."""
        return batch

    def rotation_table(self, epoch: int) -> Tensor | None:
        """The rotations of an epoch for `turned`; None if the task does not augment batches."""
        return None

    def turned(self, batch: Any, table: Tensor) -> Any:
        """The batch augmented as by `training_batch`, with a table from `rotation_table`."""
        return batch

    def extend_data(self, datamodule: GraphDataModule) -> None:
        """Add fields that the training of this task needs, before a new or resumed run.

        Args:
            datamodule: the data.
        """

    def prepare(self, datamodule: GraphDataModule, num_processes: int = 1) -> str | None:
        """Initialise a new model from training data, if it supports this.

        A `geozoo.contracts.Calibrated` model that is not calibrated yet rescales its weights on
        one batch.

        Args:
            datamodule: the data.
            num_processes: number of batches per optimizer step: processes times accumulated
                batches.

        Returns:
            A log message; None if nothing was done.
        """
        if not isinstance(self.model, Calibrated) or bool(self.model.calibrated):
            return None
        batch = datamodule.calibration_batch(num_processes)
        with torch.no_grad():  # the whole batch of an optimizer step may exceed a training batch
            self.model.calibrate(**self.inputs(batch.to(self.device)))
        return "calibrated the initial weights on the first training batch"

    def earlier_state(self, data: Mapping[str, Any]) -> dict[str, Tensor]:
        """Buffers missing from weights of earlier versions, reconstructed from their data.

        Args:
            data: specification of their training data (`geozoo.data.DataSpec.to_dict`).
        """
        return {}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Convert the model to the precision of the checkpoint before its weights are loaded."""
        match_precision(self.model, checkpoint["state_dict"])

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> GraphTask:
        """Change precision and device of the model, but only the device of everything else."""
        moved = device_only(fn)
        if recurse:
            for child in self.children():
                child._apply(fn if child is self.model else moved)
        return super()._apply(moved if self.keeps_statistics else fn, recurse=False)

    def configure_optimizers(self) -> Any:
        """The optimizer with two parameter groups (see `parameter_groups`) and its schedule.

        The schedule is stepped once per epoch. None for a model without trainable parameters.
        """
        if not self.is_trained:
            return None
        optimizer = self.make_optimizer(parameter_groups(self.model))
        keep_eps_above_zero(optimizer)
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

    def training_step(self, batch: Any, batch_idx: int) -> Tensor | None:
        """The loss of a batch; None if the model has no trainable parameters.

        Raises:
            NonFiniteLossError: If the loss is NaN or infinite.
        """
        batch = self.training_batch(batch, batch_idx)
        share = self._share(batch, batch_idx)

        def loss(given: Any) -> dict[str, Tensor]:
            return self.loss(given) if share is None else self.weighted_loss(given, share.weights)

        if self.elastic is None:
            parts = loss(batch)
            total = parts["loss"]
        else:
            total, parts = self.elastic.losses(self, batch, batch_idx, loss)
        self._guard.watch(
            total, batch.index,
            epoch=self.current_epoch, step=self.global_step, batch_idx=batch_idx,
        )  # fmt: skip
        # With a 'true' half precision, the default dtype within a step is too coarse for means.
        logged = {f"train/{name}": at_least_float32(value) for name, value in parts.items()}
        size = batch.num_graphs
        if share is not None:  # log the mean over the batch, without the weights of the step
            logged = {name: value * share.logged for name, value in logged.items()}
            size = share.num_graphs
        with default_dtype(torch.float32):
            self.log_dict(logged, on_step=False, on_epoch=True, batch_size=size, sync_dist=True)
        return total if self.is_trained else None

    def _share(self, batch: Any, batch_idx: int) -> Share | None:
        """The weights of this batch in its optimizer step; None if it is the only one."""
        trainer = self._trainer
        if trainer is None or (trainer.world_size == 1 and trainer.accumulate_grad_batches == 1):
            return None
        loader = checked_loader(trainer.train_dataloader)
        if self._shares is None or self._shares.loader is not loader:
            self._shares = BatchShares(loader, self.loss_counts(loader.store))
        return self._shares.of(
            batch_idx, batch.num_graphs, num_batches=int(trainer.num_training_batches),
            accumulated=trainer.accumulate_grad_batches,
        )  # fmt: skip

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Check all pending losses before a validation or a checkpoint."""
        if self.trainer.is_last_batch:
            self._guard.flush()

    def on_train_epoch_start(self) -> None:
        """Log the learning rate of the epoch."""
        if self.is_trained:
            rate = self.trainer.optimizers[0].param_groups[0]["lr"]
            self.log("train/lr", float(rate), rank_zero_only=True)

    def predict_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        """Each quantity by name, in physical units, predicted as in a test."""
        return self.predict_tested(batch)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add ``record`` and the latest validation metrics as plain data."""
        metrics = self.trainer.callback_metrics.items()
        values = {name: float(value) for name, value in metrics if name.startswith("val/")}
        checkpoint["geozoo"] = {**self.record, "metrics": values}
