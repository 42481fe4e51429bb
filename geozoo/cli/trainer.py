"""The name that `geozoo.runs.Trainer` had in earlier versions, which their runs hold."""

from geozoo.runs import Trainer

__all__ = ["Trainer"]
