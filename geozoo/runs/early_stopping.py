"""Early stopping that also applies to resumed runs."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping

from geozoo.contracts import direction_of

_LOG = logging.getLogger(__name__)


class RunStopping(EarlyStopping):
    """Lightning's early stopping; a run that was stopped early does not train when it is resumed.

    Otherwise a resumed run would train until the next validation, and differ from the run whose
    command is recorded. A resumed run with a different ``trainer.max_epochs`` does train.

    Args:
        monitor: validation metric.
        patience: validations without improvement before training stops.
    """

    def __init__(self, monitor: str, patience: int) -> None:
        super().__init__(monitor, patience=patience, mode=direction_of(monitor))
        self._planned: int | None = None

    @property
    def state_key(self) -> str:
        """The key of the state in a checkpoint, that of Lightning's own class."""
        return self._generate_state_key(monitor=self.monitor, mode=self.mode).replace(
            type(self).__qualname__, EarlyStopping.__qualname__, 1
        )

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Keep the planned number of epochs, unless a checkpoint provides it."""
        super().setup(trainer, pl_module, stage)
        self._planned = trainer.max_epochs

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop at once if the run was stopped early before."""
        was_ended = 0 < self.stopped_epoch == trainer.current_epoch - 1
        if was_ended and self._planned == trainer.max_epochs:
            _LOG.info(
                "this run is already finished: early stopping ended it after epoch %d, so nothing "
                "is trained; set another trainer.max_epochs to continue", trainer.current_epoch,
            )  # fmt: skip
            trainer.should_stop = True
        self._planned = trainer.max_epochs

    def state_dict(self) -> dict[str, Any]:
        """The state of Lightning's class, with the planned number of epochs."""
        return {**super().state_dict(), "planned": self._planned}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore a state; states of older versions lack the planned number of epochs."""
        super().load_state_dict(dict(state_dict))
        self._planned = state_dict.get("planned")
