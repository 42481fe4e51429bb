"""Early stopping that holds for the continuation of a run too."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping

from geozoo.contracts import direction_of

_LOG = logging.getLogger(__name__)


class RunStopping(EarlyStopping):
    """Lightning's early stopping; a run that it has ended stays ended when it is continued.

    Otherwise a continuation would train until the next validation, and be another run than the one
    whose command is recorded. A continuation with another ``trainer.max_epochs`` goes on.

    Args:
        monitor: metric of the validation.
        patience: validations without a better one before the end.
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
        """Remember how many epochs are planned, unless a checkpoint says how many were."""
        super().setup(trainer, pl_module, stage)
        self._planned = trainer.max_epochs

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave a run ended that was ended."""
        was_ended = 0 < self.stopped_epoch == trainer.current_epoch - 1
        if was_ended and self._planned == trainer.max_epochs:
            _LOG.info(
                "this run was finished: early stopping ended it after epoch %d, so nothing is "
                "trained; another trainer.max_epochs goes on", trainer.current_epoch,
            )  # fmt: skip
            trainer.should_stop = True
        self._planned = trainer.max_epochs

    def state_dict(self) -> dict[str, Any]:
        """As Lightning's, with the number of epochs that are planned."""
        return {**super().state_dict(), "planned": self._planned}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from a state; one of an older version does not say what was planned."""
        super().load_state_dict(dict(state_dict))
        self._planned = state_dict.get("planned")
