"""Sums over edges of steerable features times harmonics and weights, in one kernel."""

from geozoo.ops.steerable.paths import Path, SteerablePaths, coupling
from geozoo.ops.steerable.sum import EdgeRows, steerable_sum

__all__ = ["EdgeRows", "Path", "SteerablePaths", "coupling", "steerable_sum"]
