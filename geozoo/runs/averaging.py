"""Exponential moving average of the weights, without loss of precision."""

from __future__ import annotations

import itertools
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import EMAWeightAveraging, WeightAveraging
from torch import Tensor, nn


class WeightsAveraged(WeightAveraging):
    """An exponential moving average in Lightning's manner, for every training precision.

    Lightning creates the average before it changes the precision of the model, and swaps average
    and model for validation: float64 weights would be rounded to float32, and the average of
    half-precision weights to half precision. Here the average of float64 weights is float64, that
    of half-precision weights is float32, and validation changes neither average nor weights.

    Args:
        decay: weight of the previous average in each step.
        start: optimizer steps before averaging begins: after each of them the average is a copy
            of the weights, so that those of the first steps are forgotten at once.
    """

    def __init__(self, decay: float, start: int = 0) -> None:
        # Buffers are statistics and grids: they are copied, not averaged.
        super().__init__(use_buffers=False, avg_fn=self._averaged)
        self.decay, self.start = decay, start
        self._step = 0
        self._kept: list[Tensor] | None = None

    @property
    def state_key(self) -> str:
        """The key of Lightning's own class, so that its checkpoints can be resumed."""
        return EMAWeightAveraging.__qualname__

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Create the average."""
        super().setup(trainer, pl_module, stage)
        if self._average_model is None:
            return
        _drop_constants_of_copy(self._average_model.module, pl_module)
        if trainer.precision == "64-true":
            self._average_model.module.to(torch.float64)

    def on_train_batch_end(self, trainer: Trainer, *args: Any, **options: Any) -> None:
        """Update the average after an optimizer step."""
        self._step = trainer.global_step
        super().on_train_batch_end(trainer, *args, **options)

    def _averaged(self, average: Tensor, value: Tensor, updates: Tensor | int) -> Tensor:
        """The average after an update; the first update, by torch, is a copy in any case."""
        if 0 < self.start and self._step <= self.start:
            return value
        return self.decay * average + (1 - self.decay) * value

    def _swap_models(self, pl_module: LightningModule) -> None:
        """Give the model the averaged weights, or its own weights back."""
        if self._kept is None:
            self._kept = [value.detach().clone() for value in _values(pl_module)]
            self._copy_average_to_current(pl_module)
            return
        for value, kept in zip(_values(pl_module), self._kept, strict=True):
            value.data.copy_(kept)
        self._kept = None


def _drop_constants_of_copy(copy: nn.Module, module: nn.Module) -> None:
    """Remove buffers that only the copy has.

    Copies of traced modules (tensor products of e3nn) have constants as extra buffers, while the
    average is compared with the model buffer by buffer. The copy is never called.
    """
    known = {name for name, _ in module.named_buffers()}
    for name in [name for name, _ in copy.named_buffers() if name not in known]:
        owner, _, key = name.rpartition(".")
        delattr(copy.get_submodule(owner), key)


def _values(module: LightningModule) -> Any:
    return itertools.chain(module.parameters(), module.buffers())
