"""Variants run alternately, A B A B ..., on the same input and with the same weights."""

from __future__ import annotations

import statistics
from typing import Any

import torch

from benchmarks._case import Built, Case
from benchmarks._counts import counted
from benchmarks._gradients import parameter_gradient, relative_difference
from benchmarks._machine import seconds_of


def time_case(
    case: Case, variants: list[str], device: torch.device, rounds: int
) -> dict[str, dict[str, Any]]:
    """Measurements of each variant: seconds, pairwise ratio to the first, differences, counts."""
    built = {name: case.variants[name](device) for name in variants}
    rows = _compared(built, device)
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(rounds):
        for name, variant in built.items():
            seconds[name].append(seconds_of(variant.step, device))
    first = seconds[variants[0]]
    for name, values in seconds.items():
        ratios = [a / b for a, b in zip(first, values, strict=True)]
        rows[name] |= {
            "seconds": statistics.median(values),
            "seconds_range": [min(values), max(values)],
            "times_faster": statistics.median(ratios),
            "times_faster_range": [min(ratios), max(ratios)],
            "items_per_s": case.items / statistics.median(values),
        }
    return rows


def _compared(built: dict[str, Built], device: torch.device) -> dict[str, dict[str, Any]]:
    """First step of each variant, also its warm-up, compared with that of the first variant."""
    rows: dict[str, dict[str, Any]] = {}
    values, gradients = {}, {}
    for name, variant in built.items():
        values[name] = float(variant.step())
        rows[name] = {}
        if variant.model is not None:
            gradients[name] = parameter_gradient(variant.model)
    first = next(iter(built))
    for name in built:
        if values[first]:
            rows[name]["loss_difference"] = abs(values[name] / values[first] - 1)
        if name in gradients and first in gradients:
            difference = relative_difference(gradients[name], gradients[first])
            rows[name]["gradient_difference"] = difference
        rows[name] |= counted(built[name].step)
    return rows
