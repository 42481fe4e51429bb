"""Interfaces shared by all packages: protocols of models, and properties of error measures.

A model is any ``torch.nn.Module`` whose ``forward`` has the signature of `GeometricModel` or
`Forecaster`; there is no base class and no registration. Optional features are detected by
``isinstance`` checks against small protocols: `Fitted`, `Calibrated`, `Conditioned`, `Lagged`,
`NeighborListed`, `LinearlyRead`, `Resizable`.

`geozoo.testing.assert_contract` checks a model against these protocols.

`Measure` holds the unit and the direction of an error measure, and whether short tables show it.
"""

from geozoo.contracts.families import Forecaster, GeometricModel, family_of
from geozoo.contracts.measures import MEASURES, Measure, direction_of, measure_of
from geozoo.contracts.optional import (
    CELL_ARGUMENTS,
    Calibrated,
    Conditioned,
    Fitted,
    Lagged,
    LinearlyRead,
    NeighborListed,
    Resizable,
    last_weight_names,
    supports_cells,
)

__all__ = [
    "CELL_ARGUMENTS",
    "MEASURES",
    "Calibrated",
    "Conditioned",
    "Fitted",
    "Forecaster",
    "GeometricModel",
    "Lagged",
    "LinearlyRead",
    "Measure",
    "NeighborListed",
    "Resizable",
    "direction_of",
    "family_of",
    "last_weight_names",
    "measure_of",
    "supports_cells",
]
