"""Stopping a training whose loss is no number any more."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

#: Losses that may wait on an accelerator; looking at each one would stop its queue every step.
_MAX_WAITING = 32
_MAX_SHOWN = 8


class NonFiniteLossError(RuntimeError):
    """The training loss is NaN or infinite; names step, batch and graphs."""


class _Watched(NamedTuple):
    loss: Tensor
    epoch: int
    step: int
    batch_idx: int
    graphs: Tensor


class FiniteLossGuard:
    """Looks at every training loss: at once on the CPU, in small groups elsewhere."""

    def __init__(self) -> None:
        self._waiting: list[_Watched] = []

    def watch(self, loss: Tensor, graphs: Tensor, *, epoch: int, step: int, batch_idx: int) -> None:
        """Remember a loss, and look at it when it is time.

        Raises:
            NonFiniteLossError: if it, or one before it that waited, is not finite.
        """
        self._waiting.append(_Watched(loss.detach(), epoch, step, batch_idx, graphs))
        if loss.device.type == "cpu" or len(self._waiting) >= _MAX_WAITING:
            self.flush()

    def flush(self) -> None:
        """Look at all losses that wait; before a validation or a checkpoint.

        Raises:
            NonFiniteLossError: for the first that is not finite.
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
        f"batch {watched.batch_idx} of it, graphs {shown} of the data set). "
        "Common causes: a learning rate that is too high, a faulty frame in the data, "
        "or 16-mixed precision. trainer.detect_anomaly=true names the operation."
    )
