"""Temporal layers on features ``[B, N, T, C]``."""

from geozoo.nn.temporal.gated_conv import GatedTemporalConv
from geozoo.nn.temporal.temporal_attention import TemporalAttention
from geozoo.nn.temporal.temporal_conv import TemporalConv

__all__ = ["GatedTemporalConv", "TemporalAttention", "TemporalConv"]
