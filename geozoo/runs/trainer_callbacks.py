"""The callbacks of a Lightning Trainer."""

from __future__ import annotations

from lightning import Callback, Trainer


def callbacks_of(trainer: Trainer) -> list[Callback]:
    """The callbacks of a trainer, as the list that it uses."""
    found: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]  # set by a connector
    return found
