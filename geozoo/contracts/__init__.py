"""What all packages agree on: what a model offers, and what a measure of its errors means.

A model is any ``torch.nn.Module`` whose ``forward`` is that of `GeometricModel` or `Forecaster`; no
base class, no registration. What else it has, the rest of geozoo asks for by ``isinstance`` of the
small protocols: `Fitted`, `Calibrated`, `Conditioned`, `Lagged`, `NeighborListed`.

`geozoo.testing.assert_contract` holds a model to all of it.

`Measure` says of an error measure its unit, its direction and whether short tables show it.
"""

from geozoo.contracts.families import Forecaster, GeometricModel, family_of
from geozoo.contracts.measures import MEASURES, Measure, direction_of, measure_of
from geozoo.contracts.optional import Calibrated, Conditioned, Fitted, Lagged, NeighborListed

__all__ = [
    "MEASURES",
    "Calibrated",
    "Conditioned",
    "Fitted",
    "Forecaster",
    "GeometricModel",
    "Lagged",
    "Measure",
    "NeighborListed",
    "direction_of",
    "family_of",
    "measure_of",
]
