"""Error measures whose states are sums and counts, in physical units."""

from geozoo.metrics.errors import MEASURES, ErrorMeasures, ErrorMetrics
from geozoo.metrics.forecast import ForecastErrors
from geozoo.metrics.means import WeightedMeans
from geozoo.metrics.molecules import (
    VALENCES,
    MoleculeBonds,
    generation_scores,
    molecule_bonds,
    molecule_smiles,
    rdkit_molecules,
)

__all__ = [
    "MEASURES",
    "VALENCES",
    "ErrorMeasures",
    "ErrorMetrics",
    "ForecastErrors",
    "MoleculeBonds",
    "WeightedMeans",
    "generation_scores",
    "molecule_bonds",
    "molecule_smiles",
    "rdkit_molecules",
]
