"""The outcome of a run or a test."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from geozoo.runs.folder import RunFolder
from geozoo.runs.metrics_file import curves, read_metrics

if TYPE_CHECKING:
    from geozoo.data import GraphDataModule
    from geozoo.hub.checkpoints import Checkpoint
    from geozoo.tasks import GraphTask


@dataclass(frozen=True, kw_only=True)
class Effort:
    """The cost of a training run.

    Attributes:
        epochs: epochs of the whole run.
        steps: optimizer steps.
        train_time_s: wall time of training in seconds, including validation.
        device: name of the hardware.
        peak_memory_mb: peak memory of the process, or of the accelerator, in MiB.
    """

    epochs: int
    steps: int
    train_time_s: float
    device: str
    peak_memory_mb: float

    @staticmethod
    def of(checkpoint: Checkpoint) -> Effort:
        """The cost up to a checkpoint."""
        return Effort(
            epochs=checkpoint.epochs, steps=checkpoint.steps, train_time_s=checkpoint.seconds,
            **checkpoint.hardware,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Tested:
    """A test of a model on the test set of a dataset.

    Attributes:
        checkpoint: name of the tested weights.
        best_epoch: epoch of the weights; 0 for a model that is not trained.
        metrics: test metrics by name, without ``test/``; empty if not tested.
        baseline: the same metrics of the task's trivial baseline.
        further: those of further trivial baselines, by name of the baseline; often empty.
        parts: metrics of each named part of the test set, such as its files; empty without parts.
        seconds: wall time of the test.
        cut: the tested fraction of the test set, ``"2 of 25 batches"``; empty for all of it.
        parameters: number of parameters of the model.
        note: a remark for the reader.
    """

    checkpoint: str
    best_epoch: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    baseline: dict[str, float] = field(default_factory=dict)
    further: dict[str, dict[str, float]] = field(default_factory=dict)
    parts: dict[str, dict[str, float]] = field(default_factory=dict)
    seconds: float = 0.0
    cut: str = ""
    parameters: int
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class RunOutcome:
    """A finished run, or a test of a run or of a trained model.

    Attributes:
        folder: the run folder; None for a test that belongs to no run.
        cfg: the config, with the values that the dataset defines.
        task: the trained task, with the weights that were tested.
        datamodule: the data module that it was tested on.
        tested: the test.
        val: validation metrics of the best checkpoint's epoch.
        val_cut: the validated fraction of the validation set; empty for all of it.
        effort: cost of the training; None for a test that belongs to no run.
    """

    folder: RunFolder | None
    cfg: DictConfig
    task: GraphTask
    datamodule: GraphDataModule
    tested: Tested
    val: dict[str, float] = field(default_factory=dict)
    val_cut: str = ""
    effort: Effort | None = None

    @property
    def is_tested(self) -> bool:
        """Whether there are test metrics."""
        return bool(self.tested.metrics)

    def curves(self) -> dict[str, tuple[list[int], list[float]]]:
        """Epochs and values of training loss and validation metrics; none without a folder."""
        return {} if self.folder is None else curves(read_metrics(self.folder))
