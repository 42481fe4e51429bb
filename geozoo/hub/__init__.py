"""Trained models as files: publishing and loading."""

from geozoo.hub.description import Description, ModelFileError
from geozoo.hub.ensemble import Ensemble
from geozoo.hub.index import find_model, shipped_models
from geozoo.hub.loading import TrainedModel, load
from geozoo.hub.publishing import write_model
from geozoo.hub.rebuilding import rebuild_task

__all__ = [
    "Description",
    "Ensemble",
    "ModelFileError",
    "TrainedModel",
    "find_model",
    "load",
    "rebuild_task",
    "shipped_models",
    "write_model",
]
