"""Attention between sensors."""

from geozoo.nn.attention.sensor_attention import SensorAttention

__all__ = ["SensorAttention"]
