"""Notices when the samples of a generative model fall apart while its loss looks healthy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from geozoo.tasks._sampled_scores import STABILITIES

#: A collapse is a fall to less than this fraction of the best stability of the run,
_FALL = 0.5
#: by more than this number of standard deviations of the difference of two samplings,
_DEVIATIONS = 3.0
#: while the loss is at most this multiple of the loss of the best epoch.
_LOSS_RISE = 1.1


class CollapseWatch:
    """Compares the stability of samples with the best one of the run.

    Diffusion models have been seen to reach 93 % stable molecules and then to fall to none within
    a hundred epochs, at a loss that did not rise. The rule, for the stability of atoms and for that
    of molecules: it is below half of its best value so far, the difference exceeds three standard
    deviations of sampling as many molecules twice, and the loss is at most 1.1 times that of the
    best epoch (otherwise the loss itself tells).

    Args:
        num_samples: molecules per sampling.

    Attributes:
        best: by score: best value, its epoch (from 1), and the loss then.
        fallen: the scores that have collapsed and not recovered.
    """

    def __init__(self, num_samples: int) -> None:
        self.num_samples = num_samples
        self.best: dict[str, tuple[float, int, float]] = {}
        self.fallen: set[str] = set()

    def validated(self, values: Mapping[str, float], epoch: int) -> list[str]:
        """Take note of a validation, and describe each collapse that begins with it.

        Args:
            values: the loss as ``"loss"`` and, if molecules were sampled, their stability in
                per cent.
            epoch: number of the epoch, from 1.
        """
        found = []
        for name in STABILITIES:
            value, loss = values.get(name), values["loss"]
            if value is None:
                continue
            if name not in self.best or value > self.best[name][0]:
                self.best[name] = (value, epoch, loss)
            is_low = self._is_low(name, value, loss)
            if is_low and name not in self.fallen:
                found.append(self._told(name, value, loss, epoch))
            self.fallen = self.fallen | {name} if is_low else self.fallen - {name}
        return found

    def state_dict(self) -> dict[str, Any]:
        """The best scores so far and the fallen ones, as plain data."""
        return {
            "best": {name: list(entry) for name, entry in self.best.items()},
            "fallen": sorted(self.fallen),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state."""
        self.best = {name: (v, int(e), loss) for name, (v, e, loss) in state["best"].items()}
        self.fallen = set(state["fallen"])

    def _is_low(self, name: str, value: float, loss: float) -> bool:
        best, _, loss_then = self.best[name]
        share = best / 100.0
        spread = 100.0 * math.sqrt(2 * share * (1 - share) / self.num_samples)
        falls = value < _FALL * best and best - value > _DEVIATIONS * spread
        return falls and loss <= _LOSS_RISE * loss_then

    def _told(self, name: str, value: float, loss: float, epoch: int) -> str:
        best, then, loss_then = self.best[name]
        return (
            f"collapse: val/{name} is {value:.3g} % in epoch {epoch}, after {best:.3g} % in epoch "
            f"{then}, while val/loss did not rise ({loss_then:.4g}, now {loss:.4g}). Averaged "
            "weights (ema_decay, ema_start), a lower learning rate or a smaller "
            "task.process.max_weight may prevent it; task.on_collapse=stop ends such a run"
        )
