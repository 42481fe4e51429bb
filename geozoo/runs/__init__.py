"""Runs: built from a config, trained, resumed, tested, recorded."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from geozoo.runs.trainer import Trainer

__all__ = ["Trainer"]


def __getattr__(name: str) -> object:
    """Import Lightning only when the trainer is accessed."""
    if name != "Trainer":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from geozoo.runs.trainer import Trainer

    return Trainer
