"""What all tasks on graphs share."""

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
from geozoo.tasks.parameter_groups import parameter_groups
from geozoo.tasks.schedules import hold_from_now_on

_LOG = logging.getLogger(__name__)
MakeOptimizer = Callable[[list[dict[str, Any]]], Optimizer]
MakeSchedule = Callable[..., LRScheduler]


class GraphTask(EvaluatedTask):
    """Training, validation, test and prediction of a model on graphs of any family.

    A task derives from this class, names its ``quantities`` and implements :meth:`inputs`,
    :meth:`loss`, :meth:`predict` and :meth:`predict_baseline`; figures of its own come from
    :meth:`own_figures`. Predictions and metrics are in physical units. A test measures the baseline
    beside the model, so that a number can be judged where it stands.

    Args:
        model: a network of the family of the data.
        spec: the description of the data.
        quantities: what is predicted.
        errors: makes the error measures; called once for each of validation, test and baseline.
        optimizer: makes the optimizer from parameter groups; None: Adam.
        schedule: makes the schedule from the optimizer and ``num_epochs``; None: constant rate.
        monitor: the metric that chooses the best checkpoint.
        seed: seed of whatever a task draws at random.

    Attributes:
        validates_loss: whether a validation also gives ``val/loss``, see `validation_loss`.
        draws_on_cpu: whether a training step draws random numbers in main memory, which a recording
            of it would repeat.
        keeps_statistics: whether the task's own buffers (statistics of the data) keep their
            precision, float64, in a training whose precision is a 'true' half.
        record: plain data that goes into every checkpoint: config, data, versions.
        parity: a sample of the last test's predictions.
        worst: the graphs of the last test (of this process) with the largest errors.

    Raises:
        ValueError: for a ``monitor`` that is not computed or has no best value, or a negative seed.
    """

    draws_on_cpu: ClassVar[bool] = False
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
        self.val_errors, self.test_errors, self.baseline_errors = errors(), errors(), errors()
        names = [f"val/{name}" for name in self.val_errors.names]
        names += ["val/loss"] if self.validates_loss else []
        self.monitor = checked_monitor(monitor, names)
        self.record: dict[str, Any] = {}
        self.parity = ParitySample(1)
        self.worst = WorstCases()
        self._guard = FiniteLossGuard()
        self._shares: BatchShares | None = None
        self._compiled_model: Callable[..., Any] | None = None

    @staticmethod
    def model_arguments(spec: DataSpec, node: Mapping[str, Any]) -> dict[str, Any]:
        """The constructor arguments of a model that data and task settle.

        Args:
            spec: the description of the data.
            node: the task's config.
        """
        return spec.model_arguments()

    @abstractmethod
    def inputs(self, batch: Any) -> dict[str, Any]:
        """The arguments of the model, in the precision of its parameters."""

    @abstractmethod
    def loss(self, batch: Any) -> dict[str, Tensor]:
        """The training loss as ``"loss"``, and its parts by name; means over the batch."""

    def loss_counts(self, store: Store) -> dict[str, Tensor]:
        """How much each sample of a store counts in the means of `loss`, ``[S]`` by part.

        Several processes and accumulated batches train as one batch by these numbers. Here all
        graphs count the same; a loss per node or per reading counts those. Parts with different
        counts need a `weighted_loss` of their own.
        """
        return {"loss": torch.ones(len(store))}

    def weighted_loss(self, batch: Any, weights: Mapping[str, float]) -> dict[str, Tensor]:
        """As `loss`, every part times its weight, and ``"loss"`` the sum of what is weighted.

        Args:
            batch: the graphs.
            weights: a factor for each part that `loss_counts` names.
        """
        return {name: value * weights["loss"] for name, value in self.loss(batch).items()}

    def forward(self, batch: Any) -> Any:
        """The model's output for a batch, in scaled units."""
        return self.network(**self.inputs(batch))

    @property
    def network(self) -> Callable[..., Any]:
        """The model; in training, as compiled if it is."""
        if self.training and self._compiled_model is not None:
            return self._compiled_model
        return self.model

    def compile_training(self, **options: Any) -> None:
        """Compile what training evaluates, at its first use; validation and test stay as they are.

        Where the compiler fails, training goes on without it, and the log says so once.

        Args:
            options: arguments of ``torch.compile``.
        """
        from geozoo.tasks._compiled import CompiledModel  # loads the compiler: a second

        self._compiled_model = CompiledModel(self.model, **options)

    def on_train_start(self) -> None:
        """Let the schedule of a continued run hold from its first step, if it has become another.

        A checkpoint holds the rate of the next epoch by the schedule that it was written under.
        """
        for config in self.trainer.lr_scheduler_configs:
            told = hold_from_now_on(config.scheduler, self.current_epoch, self.trainer.max_epochs)
            if told is not None:
                _LOG.info(told)

    def training_batch(self, batch: Any, batch_idx: int) -> Any:
        """The batch that the loss sees: as it is, unless a task augments it."""
        return batch

    def rotation_table(self, epoch: int) -> Tensor | None:
        """What `turned` needs of an epoch, if a task augments its batches; None: it does not."""
        return None

    def turned(self, batch: Any, table: Tensor) -> Any:
        """The batch as `training_batch` augments it in the epoch of a table."""
        return batch

    def prepare(self, datamodule: GraphDataModule, num_processes: int = 1) -> str | None:
        """Let a new model see training data once, if it wants to: here, to scale its weights.

        A model that is `geozoo.contracts.Calibrated`, and is not yet, gets one batch.

        Args:
            datamodule: the data.
            num_processes: in how many parts a step sees its batch: processes times accumulated
                batches.

        Returns:
            What was done, for the log; None for nothing.
        """
        if not isinstance(self.model, Calibrated) or bool(self.model.calibrated):
            return None
        batch = datamodule.calibration_batch(num_processes)
        with torch.no_grad():  # a step's whole batch: more than a training step sees at once
            self.model.calibrate(**self.inputs(batch.to(self.device)))
        return "calibrated the initial weights on the first training batch"

    def earlier_state(self, data: Mapping[str, Any]) -> dict[str, Tensor]:
        """Buffers that weights of earlier versions lack, from what those said of their data.

        Args:
            data: the description of the data of their training (`geozoo.data.DataSpec.to_dict`).
        """
        return {}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Continue in the precision of the checkpoint, before its weights are loaded."""
        match_precision(self.model, checkpoint["state_dict"])

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> GraphTask:
        """Change precision or device of the model; of everything else the device alone."""
        moved = device_only(fn)
        if recurse:
            for child in self.children():
                child._apply(fn if child is self.model else moved)
        return super()._apply(moved if self.keeps_statistics else fn, recurse=False)

    def configure_optimizers(self) -> Any:
        """Two parameter groups (see `parameter_groups`), schedule stepped per epoch.

        None for a model without parameters: such a one is fitted, not trained.
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
        """The loss of a batch; None where there is nothing to train.

        Raises:
            NonFiniteLossError: when the loss is NaN or infinite.
        """
        batch = self.training_batch(batch, batch_idx)
        share = self._share(batch, batch_idx)
        parts = self.loss(batch) if share is None else self.weighted_loss(batch, share.weights)
        self._guard.watch(
            parts["loss"], batch.index,
            epoch=self.current_epoch, step=self.global_step, batch_idx=batch_idx,
        )  # fmt: skip
        # A 'true' half precision is the default dtype within a step; means are not kept in it.
        logged = {f"train/{name}": at_least_float32(value) for name, value in parts.items()}
        size = batch.num_graphs
        if share is not None:  # the curve is that of one batch as well
            logged = {name: value * share.logged for name, value in logged.items()}
            size = share.num_graphs
        with default_dtype(torch.float32):
            self.log_dict(logged, on_step=False, on_epoch=True, batch_size=size, sync_dist=True)
        return parts["loss"] if self.is_trained else None

    def _share(self, batch: Any, batch_idx: int) -> Share | None:
        """The weights of this batch among those of its step; None where it is the only one."""
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
        """Look at waiting losses before anything is validated or saved."""
        if self.trainer.is_last_batch:
            self._guard.flush()

    def on_train_epoch_start(self) -> None:
        """Log the learning rate of the epoch."""
        if self.is_trained:
            rate = self.trainer.optimizers[0].param_groups[0]["lr"]
            self.log("train/lr", float(rate), rank_zero_only=True)

    def predict_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        """Every quantity by name, in physical units, as tested."""
        return self.predict_tested(batch)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add ``record`` and the newest validation metrics, as plain data."""
        metrics = self.trainer.callback_metrics.items()
        values = {name: float(value) for name, value in metrics if name.startswith("val/")}
        checkpoint["geozoo"] = {**self.record, "metrics": values}
