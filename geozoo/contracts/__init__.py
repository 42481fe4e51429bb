"""What a model offers to tasks, data modules and exports, as protocols.

A model is any ``torch.nn.Module`` whose ``forward`` is that of `GeometricModel` or `Forecaster`; no
base class, no registration. What else it has, the rest of geozoo asks for by ``isinstance`` of the
small protocols: `Fitted`, `Calibrated`, `Conditioned`, `Lagged`, `NeighborListed`.

`geozoo.testing.assert_contract` holds a model to all of it.
"""

from geozoo.contracts.families import Forecaster, GeometricModel, family_of
from geozoo.contracts.optional import Calibrated, Conditioned, Fitted, Lagged, NeighborListed

__all__ = [
    "Calibrated",
    "Conditioned",
    "Fitted",
    "Forecaster",
    "GeometricModel",
    "Lagged",
    "NeighborListed",
    "family_of",
]
