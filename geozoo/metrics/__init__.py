"""Error measures in physical units, accumulated as sums and counts."""

from geozoo.metrics.classes import ClassMeans, LabelScores
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
from geozoo.metrics.plausibility import (
    PLAUSIBILITY_CHECKS,
    can_check_plausibility,
    plausible_molecules,
)
from geozoo.metrics.quantiles import QUANTILES, QuantileErrors, pinball

__all__ = [
    "MEASURES",
    "PLAUSIBILITY_CHECKS",
    "QUANTILES",
    "VALENCES",
    "ClassMeans",
    "ErrorMeasures",
    "ErrorMetrics",
    "ForecastErrors",
    "LabelScores",
    "MoleculeBonds",
    "QuantileErrors",
    "WeightedMeans",
    "can_check_plausibility",
    "generation_scores",
    "molecule_bonds",
    "molecule_smiles",
    "pinball",
    "plausible_molecules",
    "rdkit_molecules",
]
