"""Argument checks: one function per kind, so that all packages word their errors alike."""

from geozoo.checks.shapes import check_edges, check_last_axis, check_lifted, check_shape
from geozoo.checks.values import (
    check_choice,
    check_not_negative,
    check_positive,
    check_radius,
    check_seed,
    check_whole,
    checked_times,
)

__all__ = [
    "check_choice",
    "check_edges",
    "check_last_axis",
    "check_lifted",
    "check_not_negative",
    "check_positive",
    "check_radius",
    "check_seed",
    "check_shape",
    "check_whole",
    "checked_times",
]
