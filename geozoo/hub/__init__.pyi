from .description import Description, ModelFileError
from .ensemble import Ensemble
from .index import find_model, shipped_models
from .loading import TrainedModel, load
from .publishing import write_model
from .rebuilding import rebuild_task

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
