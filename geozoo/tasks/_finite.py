"""Stopping a training run whose loss is NaN or infinite."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

#: Number of losses checked together on an accelerator; each check synchronises with it.
_MAX_WAITING = 32
_MAX_SHOWN = 8


class NonFiniteLossError(RuntimeError):
    """The training loss is NaN or infinite; the message gives step, batch and graphs."""


class _Watched(NamedTuple):
    loss: Tensor
    epoch: int
    step: int
    batch_idx: int
    graphs: Tensor


class FiniteLossGuard:
    """Checks every training loss: immediately on the CPU, in groups on an accelerator."""

    def __init__(self) -> None:
        self._waiting: list[_Watched] = []

    def watch(self, loss: Tensor, graphs: Tensor, *, epoch: int, step: int, batch_idx: int) -> None:
        """Queue a loss and check the queue when it is due.

        Raises:
            NonFiniteLossError: If this loss or an earlier one in the queue is not finite.
        """
        self._waiting.append(_Watched(loss.detach(), epoch, step, batch_idx, graphs))
        if loss.device.type == "cpu" or len(self._waiting) >= _MAX_WAITING:
            self.flush()

    def flush(self) -> None:
        """Check all pending losses; called before a validation or a checkpoint.

        Raises:
            NonFiniteLossError: For the first loss that is not finite.
        """
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        losses = torch.stack([watched.loss for watched in waiting]).cpu()
        bad = (~torch.isfinite(losses)).nonzero().flatten().tolist()
        if bad:
            raise NonFiniteLossError(_describe(waiting[bad[0]], float(losses[bad[0]])))


def _describe(watched: _Watched, loss: float) -> str:
    graphs = watched.graphs.tolist()
    shown = ", ".join(map(str, graphs[:_MAX_SHOWN])) + (", ..." if len(graphs) > _MAX_SHOWN else "")
    return (
        f"the training loss is {loss} at step {watched.step} (epoch {watched.epoch + 1}, "
        f"batch {watched.batch_idx} of the epoch, graphs {shown} of the dataset). "
        "Common causes: a learning rate that is too high, an invalid sample in the dataset, "
        "or 16-mixed precision. trainer.detect_anomaly=true reports the operation."
    )
