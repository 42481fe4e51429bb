"""The average of the weights of a training, in a precision that loses nothing of them."""

from __future__ import annotations

import itertools
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import EMAWeightAveraging
from torch import Tensor


class WeightsAveraged(EMAWeightAveraging):
    """Lightning's exponential average, for every precision of a training.

    Lightning makes the average before it changes the precision of the model, and lets average and
    model change places for a validation: a training in float64 would be rounded to float32 there,
    and an average of a 'true' half to that half. Here an average of float64 weights is float64, one
    of halves float32, and a validation changes neither average nor weights.

    Args:
        decay: share of the average that stays with each step.
    """

    def __init__(self, decay: float) -> None:
        # Buffers are statistics and grids: they are copied, not averaged.
        super().__init__(decay=decay, use_buffers=False)
        self.decay = decay
        self._kept: list[Tensor] | None = None

    @property
    def state_key(self) -> str:
        """As Lightning's own class, whose checkpoints are continued."""
        return EMAWeightAveraging.__qualname__

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Make the average."""
        super().setup(trainer, pl_module, stage)
        if self._average_model is not None and trainer.precision == "64-true":
            self._average_model.module.to(torch.float64)

    def _swap_models(self, pl_module: LightningModule) -> None:
        """Let the model have the average, or its own weights again."""
        if self._kept is None:
            self._kept = [value.detach().clone() for value in _values(pl_module)]
            self._copy_average_to_current(pl_module)
            return
        for value, kept in zip(_values(pl_module), self._kept, strict=True):
            value.data.copy_(kept)
        self._kept = None


def _values(module: LightningModule) -> Any:
    return itertools.chain(module.parameters(), module.buffers())
