"""Public test suite for layers and models: the properties that every model of the zoo must have.

Each check takes a module (or function) and its inputs by name, runs it, and raises an
AssertionError with a readable message if the property does not hold. No test framework is needed.
`check_model` and `check_dataset` run all checks that apply to a class and yield their verdicts.

>>> assert_equivariant(lambda pos: pos.norm(dim=-1), {"pos": torch.randn(4, 3)}, translate=False)
"""

from geozoo.testing.batching import assert_batch_independent
from geozoo.testing.compiling import assert_compiles
from geozoo.testing.contract import assert_contract
from geozoo.testing.datasets import check_dataset
from geozoo.testing.equivariance import assert_equivariant
from geozoo.testing.forecasting import (
    assert_causal,
    assert_ignores,
    assert_sensors_permute,
    assert_windows_independent,
)
from geozoo.testing.gradients import assert_finite_derivatives, assert_gradients
from geozoo.testing.models import check_model
from geozoo.testing.periodicity import assert_periodic
from geozoo.testing.permutation import assert_permutation_equivariant
from geozoo.testing.precision import assert_dtype_kept
from geozoo.testing.saving import assert_survives_saving
from geozoo.testing.tolerances import TOLERANCES, Tolerance

__all__ = [
    "TOLERANCES",
    "Tolerance",
    "assert_batch_independent",
    "assert_causal",
    "assert_compiles",
    "assert_contract",
    "assert_dtype_kept",
    "assert_equivariant",
    "assert_finite_derivatives",
    "assert_gradients",
    "assert_ignores",
    "assert_periodic",
    "assert_permutation_equivariant",
    "assert_sensors_permute",
    "assert_survives_saving",
    "assert_windows_independent",
    "check_dataset",
    "check_model",
]
