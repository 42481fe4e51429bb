"""The cost of a run per step, measured before it starts."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from omegaconf import DictConfig, OmegaConf

from geozoo.runs.folder import RunFolder
from geozoo.runs.step_clock import StepClock, typical
from geozoo.runs.training import train

Clock = Literal["cpu", "wall"]
#: Validation batches that are measured.
_VALIDATED = 4


@dataclass(frozen=True, kw_only=True)
class StepTime:
    """What a run costs per step.

    Attributes:
        clock: the clock: ``cpu`` counts the time of this program only, for shared machines.
        step_s: seconds per training step, with loading; 0 for a model that is not trained.
        val_batch_s: seconds per validation batch.
        epoch_end_s: seconds at the end of an epoch, without the validation.
        train_batches: training batches of an epoch.
        val_batches: validation batches.
        measured: measured steps.
        parameters: number of parameters of the model.
        monitor: validation metric that selects the best checkpoint, without ``val/``.
        device: type of the device.
        threads: threads of torch.
    """

    clock: Clock
    step_s: float
    val_batch_s: float
    epoch_end_s: float
    train_batches: int
    val_batches: int
    measured: int
    parameters: int
    monitor: str
    device: str
    threads: int

    @property
    def is_trained(self) -> bool:
        """Whether the model is trained in steps."""
        return self.measured > 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def measure_steps(
    cfg: DictConfig, folder: Path, *, invocation: dict[str, Any], seconds: float,
    clock: Literal["auto", "cpu", "wall"] = "auto",
) -> StepTime:  # fmt: skip
    """Train a few steps and measure them.

    Args:
        cfg: the checked config of the run; it is changed.
        folder: folder for the files of these steps, which does not exist.
        invocation: see `geozoo.runs.training.train`.
        seconds: wall time to spend on measured steps, after warm-up and compilation.
        clock: ``auto``: CPU time on a CPU with one thread, wall time otherwise (the CPU time of
            several threads includes their waiting).
    """
    watch = StepClock(seconds)
    limit = cfg.trainer.get("limit_val_batches", 1.0)
    changes = {
        "trainer.limit_val_batches": _VALIDATED, "trainer.check_val_every_n_epoch": 1,
        "trainer.max_epochs": max(1000, cfg.trainer.get("max_epochs") or 0),
        "trainer.captured_steps": None, "early_stopping_patience": None, "test": False,
    }  # fmt: skip
    for key, value in changes.items():
        OmegaConf.update(cfg, key, value, force_add=True)
    outcome = train(cfg, RunFolder(folder), invocation=invocation, callbacks=[watch])
    device = outcome.task.device.type if outcome.task.is_trained else "cpu"
    threads = torch.get_num_threads()
    is_cpu = clock == "cpu" or (clock == "auto" and device == "cpu" and threads == 1)
    return StepTime(
        clock="cpu" if is_cpu else "wall",
        step_s=typical(watch.steps, is_cpu=is_cpu),
        val_batch_s=typical(watch.validations, is_cpu=is_cpu),
        epoch_end_s=max(0.0, typical(watch.epoch_ends, is_cpu=is_cpu)),
        train_batches=watch.train_batches,
        val_batches=_limited(len(outcome.datamodule.val_dataloader()), limit),
        measured=len(watch.steps),
        parameters=outcome.tested.parameters,
        monitor=outcome.task.monitor.removeprefix("val/"),
        device=device,
        threads=threads,
    )


def _limited(count: int, limit: float | int | None) -> int:
    """A number of batches under Lightning's limit: a number, or a fraction of all."""
    if limit is None:
        return count
    return min(count, limit) if isinstance(limit, int) else int(count * limit)
