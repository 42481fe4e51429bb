"""Checks that training with captured steps supports the given options."""

from __future__ import annotations

import torch
from lightning import Trainer
from lightning.pytorch.callbacks import EarlyStopping

from geozoo.data.loader import GraphLoader
from geozoo.runs.errors import RunError
from geozoo.runs.trainer_callbacks import callbacks_of
from geozoo.tasks import GraphTask

_PRECISIONS = ("32-true", "64-true", "bf16-mixed")


def check_captured(trainer: Trainer, task: GraphTask) -> None:
    """Reject options that training with captured steps does not support.

    Raises:
        RunError: If an option is not supported; the message names it.
    """
    patience = [c.patience for c in callbacks_of(trainer) if isinstance(c, EarlyStopping)]
    clipping = str(getattr(trainer.gradient_clip_algorithm, "value", None) or "norm")
    rules = {
        "trainer.devices": (trainer.world_size, (1,)),
        "trainer.accumulate_grad_batches": (trainer.accumulate_grad_batches, (1,)),
        "trainer.precision": (trainer.precision, _PRECISIONS),
        "trainer.gradient_clip_algorithm": (clipping, ("norm",)),
        "trainer.max_steps": (trainer.max_steps, (-1,)),
        "trainer.val_check_interval": (trainer.val_check_interval, (1.0, None)),
        # Lightning sets these two after its constructor.
        "trainer.fast_dev_run": (bool(trainer.fast_dev_run), (False,)),  # type: ignore[attr-defined]
        "trainer.overfit_batches": (trainer.overfit_batches, (0.0,)),  # type: ignore[attr-defined]
        "early_stopping_patience": (patience[0] if patience else None, (None,)),
    }
    for name, (found, allowed) in rules.items():
        if found not in allowed:
            known = " or ".join("null" if each is None else str(each) for each in allowed)
            raise RunError(f"{name} must be {known} with captured steps, got {found}")
    if (trainer.max_epochs or 0) < 1:
        found = trainer.max_epochs
        raise RunError(f"trainer.max_epochs must be at least 1 with captured steps, got {found}")
    if not task.is_trained:
        raise RunError("model has no parameters to train: leave trainer.captured_steps out")


def check_loader(loader: GraphLoader, device: torch.device, limit: float | int) -> None:
    """Reject data on another device than the model, and epochs without batches.

    Raises:
        RunError: If an option has to change; the message names it.
    """
    if loader.store.device.type != device.type:
        raise RunError(
            "captured steps gather batches on the training device, but the data are in host "
            "memory: set dataset.loader.resident=device, or leave trainer.captured_steps out"
        )
    if limited(len(loader), limit) < 1:
        raise RunError(
            f"trainer.limit_train_batches={limit} leaves none of {len(loader)} training batches"
        )


def limited(length: int, limit: float | int) -> int:
    """The number of batches under a limit of Lightning (a count, or a fraction)."""
    return min(length, limit) if isinstance(limit, int) else int(length * limit)
