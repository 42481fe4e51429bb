"""Attention between sensors, and between points."""

from geozoo.nn.attention.point_blocks import PointBlocks, point_blocks
from geozoo.nn.attention.rotary_attention import RotaryAttention
from geozoo.nn.attention.sensor_attention import SensorAttention

__all__ = ["PointBlocks", "RotaryAttention", "SensorAttention", "point_blocks"]
