"""What a finished run, or a test, has to say."""

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
    """What a training has cost.

    Attributes:
        epochs: epochs of the whole run.
        steps: optimizer steps.
        train_time_s: seconds of training, validation included.
        device: name of the hardware.
        peak_memory_mb: most memory of the process, or of the accelerator, in MiB.
    """

    epochs: int
    steps: int
    train_time_s: float
    device: str
    peak_memory_mb: float

    @staticmethod
    def of(checkpoint: Checkpoint) -> Effort:
        """The effort behind a checkpoint."""
        return Effort(
            epochs=checkpoint.epochs, steps=checkpoint.steps, train_time_s=checkpoint.seconds,
            **checkpoint.hardware,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Tested:
    """A test of a model on the test part of some data.

    Attributes:
        checkpoint: name of the tested weights.
        best_epoch: epoch that the weights are from; 0 for a model that is not trained.
        metrics: test metrics by name, without ``test/``; empty if not tested.
        baseline: the same metrics of the task's prediction without a model.
        seconds: how long it took.
        cut: which part of the test part was tested, ``"2 of 25 batches"``; empty for all of it.
        parameters: trained numbers of the model.
        note: what a reader has to know.
    """

    checkpoint: str
    best_epoch: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    baseline: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    cut: str = ""
    parameters: int
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class RunOutcome:
    """A finished run, or a test of its own or of a trained model.

    Attributes:
        folder: the run folder; None for a test that belongs to no run.
        cfg: the config, completed by the data.
        task: the trained task, with the weights that were tested.
        datamodule: the data that it was tested on.
        tested: the test.
        val: validation metrics of the best checkpoint's epoch.
        val_cut: which part of the validation part these are of; empty for all of it.
        effort: of the training; None for a test that belongs to no run.
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
        """Whether there are metrics of a test."""
        return bool(self.tested.metrics)

    def curves(self) -> dict[str, tuple[list[int], list[float]]]:
        """Epochs and values of training loss and validation metrics; none without a folder."""
        return {} if self.folder is None else curves(read_metrics(self.folder))
