"""Training tasks: LightningModules with the loss, metrics and predictions of a model."""

from geozoo.tasks._continued_energies import continue_energies
from geozoo.tasks._description import Outcome
from geozoo.tasks._finite import NonFiniteLossError
from geozoo.tasks._posterior import LastLayerPosterior
from geozoo.tasks._quantity import Quantity
from geozoo.tasks._sampling import MAX_SAMPLES, SampledMolecules
from geozoo.tasks._terms import Terms
from geozoo.tasks._usage import Usage
from geozoo.tasks.base import GraphTask
from geozoo.tasks.classification import Classification
from geozoo.tasks.dynamics import Dynamics
from geozoo.tasks.elastic import ElasticTraining
from geozoo.tasks.forecasting import Forecasting
from geozoo.tasks.generation import Generation
from geozoo.tasks.geometric import GeometricTask
from geozoo.tasks.low_rank import LowRankUpdate
from geozoo.tasks.multi_label import MultiLabel
from geozoo.tasks.parameter_groups import parameter_groups
from geozoo.tasks.potential import Potential
from geozoo.tasks.properties import Properties
from geozoo.tasks.quantile_forecasting import QuantileForecasting
from geozoo.tasks.regression import Regression
from geozoo.tasks.schedules import constant, cosine_warmup, multistep
from geozoo.tasks.sizes import ElasticSizes, Size

__all__ = [
    "LastLayerPosterior",
    "LowRankUpdate",
    "MAX_SAMPLES",
    "SampledMolecules",
    "Classification",
    "Dynamics",
    "ElasticSizes",
    "ElasticTraining",
    "Forecasting",
    "Generation",
    "GeometricTask",
    "GraphTask",
    "NonFiniteLossError",
    "Outcome",
    "Potential",
    "MultiLabel",
    "Properties",
    "Quantity",
    "QuantileForecasting",
    "Regression",
    "Size",
    "Terms",
    "Usage",
    "constant",
    "continue_energies",
    "cosine_warmup",
    "multistep",
    "parameter_groups",
]
