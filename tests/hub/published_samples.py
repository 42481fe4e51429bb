"""Small inputs for every published model, and what it returns for them.

    python tests/hub/published_samples.py NAME ...   # writes tests/stored/published/NAME.npz

Run it for a new model only: the stored outputs are what later versions must reproduce.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import geozoo
from geozoo.data import ForecastSpec, GeometricSpec
from geozoo.hub import TrainedModel

STORED = Path(__file__).resolve().parents[1] / "stored" / "published"
#: Numbers of nodes of the graphs.
SIZES = (5, 7)
#: Windows of a forecaster.
WINDOWS = 2


def inputs_of(model: TrainedModel) -> dict[str, np.ndarray]:
    """Inputs of the network by name, drawn with a fixed seed."""
    random, spec = np.random.default_rng(0), model.spec
    if isinstance(spec, ForecastSpec):
        shape = (WINDOWS, spec.input_steps, spec.num_nodes, spec.in_channels)
        time = np.arange(spec.input_steps + spec.horizon)[None] + np.array([[3], [290]])
        day = spec.steps_per_day
        return {
            "x": random.standard_normal(shape).astype(np.float32),
            "time": np.stack([time % day, time // day], -1),
        }
    assert isinstance(spec, GeometricSpec)
    count = sum(SIZES)
    # About as dense as a molecule, without atoms on top of each other.
    grid = np.stack(np.meshgrid(*[np.arange(3)] * spec.dim), -1).reshape(-1, spec.dim)
    pos = np.concatenate([grid[random.permutation(len(grid))[:size]] for size in SIZES]) * 1.2
    elements = np.flatnonzero(spec.elements) if spec.elements else np.arange(spec.in_channels)
    found = {
        "pos": pos + random.uniform(-0.15, 0.15, pos.shape),
        "x": np.eye(spec.in_channels)[elements[random.integers(len(elements), size=count)]],
        "batch": np.repeat(np.arange(len(SIZES)), SIZES),
    }
    if spec.in_vectors:
        found["vec"] = random.standard_normal((count, spec.in_vectors, spec.dim))
    if channels := getattr(model.model, "condition_channels", 0):
        found["condition"] = random.uniform(0, 1, (len(SIZES), channels))
    return {
        name: value if value.dtype.kind == "i" else value.astype(np.float32)
        for name, value in found.items()
    }


def outputs_of(model: TrainedModel, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What the network returns for them, by name; numbers if there are no names."""
    given: dict[str, Any] = {name: torch.from_numpy(value) for name, value in inputs.items()}
    if "batch" in given:
        given["num_graphs"] = len(SIZES)
    with torch.no_grad():
        found = model.model(**given)
    parts = [found] if isinstance(found, Tensor) else found
    named = parts.items() if isinstance(parts, dict) else enumerate(parts)
    return {f"output_{name}": v.numpy() for name, v in named if v is not None and v.numel()}


if __name__ == "__main__":
    for name in sys.argv[1:]:
        loaded = geozoo.load(name)
        assert isinstance(loaded, TrainedModel)
        drawn = inputs_of(loaded)
        STORED.mkdir(exist_ok=True)
        np.savez_compressed(STORED / f"{name}.npz", **drawn, **outputs_of(loaded, drawn))
