"""Layers on features of the elements of a finite group."""

from geozoo.nn.group.group_linear import GroupLinear

__all__ = ["GroupLinear"]
