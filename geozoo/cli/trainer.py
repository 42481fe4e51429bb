"""Former name of `geozoo.runs.Trainer`, which configs of earlier runs refer to."""

from geozoo.runs import Trainer

__all__ = ["Trainer"]
