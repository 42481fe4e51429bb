"""Tensor operations that every room may use: scatter reductions and ragged ranges."""

from geozoo.ops.ragged import offsets, ragged_arange
from geozoo.ops.safe_norm import safe_norm
from geozoo.ops.scatter import scatter

__all__ = ["offsets", "ragged_arange", "safe_norm", "scatter"]
