"""Tensor operations shared by all packages: reductions over edges, ragged ranges, norms."""

from geozoo.ops._blockwise import saves_memory
from geozoo.ops._textbook import is_textbook, recomputed, textbook
from geozoo.ops._tracing import is_traced
from geozoo.ops.centring import centred
from geozoo.ops.channelwise import channelwise_product
from geozoo.ops.coupled_product import Coupling, Term, coupled_product
from geozoo.ops.gelu import gelu, gelu_linear
from geozoo.ops.kernel_sum import kernel_sum
from geozoo.ops.message_sum import message_sum
from geozoo.ops.ragged import offsets, ragged_arange
from geozoo.ops.row_blocks import in_row_blocks
from geozoo.ops.rowwise import rowwise
from geozoo.ops.safe_norm import length_and_direction, safe_norm, smooth_norm
from geozoo.ops.scatter import scatter
from geozoo.ops.smooth_sinc import smooth_sinc
from geozoo.ops.sorted_edges import SortedEdges, sort_edges
from geozoo.ops.steerable import (
    EdgeRows,
    Path,
    SteerablePaths,
    filtered_sum,
    plain_path,
    steerable_sum,
)
from geozoo.ops.weighted_sum import weighted_sum

__all__ = [
    "Coupling",
    "EdgeRows",
    "Path",
    "SortedEdges",
    "SteerablePaths",
    "Term",
    "centred",
    "channelwise_product",
    "coupled_product",
    "filtered_sum",
    "gelu",
    "gelu_linear",
    "in_row_blocks",
    "is_textbook",
    "is_traced",
    "kernel_sum",
    "length_and_direction",
    "message_sum",
    "offsets",
    "plain_path",
    "ragged_arange",
    "recomputed",
    "rowwise",
    "safe_norm",
    "saves_memory",
    "scatter",
    "smooth_norm",
    "smooth_sinc",
    "sort_edges",
    "steerable_sum",
    "textbook",
    "weighted_sum",
]
