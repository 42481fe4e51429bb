"""Sums over edges of steerable features times harmonics and weights, in one kernel."""

from geozoo.ops.steerable.filtered import filtered_sum
from geozoo.ops.steerable.gate import GateActivation, Gating, gated
from geozoo.ops.steerable.harmonics import solid_harmonics
from geozoo.ops.steerable.paths import Path, SteerablePaths, coupling, plain_path
from geozoo.ops.steerable.product import (
    ProductPath,
    Rows,
    SteerableProduct,
    Target,
    steerable_product,
)
from geozoo.ops.steerable.sum import EdgeRows, steerable_sum

__all__ = [
    "EdgeRows",
    "GateActivation",
    "Gating",
    "Path",
    "ProductPath",
    "Rows",
    "SteerablePaths",
    "SteerableProduct",
    "Target",
    "coupling",
    "filtered_sum",
    "gated",
    "plain_path",
    "solid_harmonics",
    "steerable_product",
    "steerable_sum",
]
