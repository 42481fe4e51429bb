"""Classifiers of clouds under rotations: exact, up to the grid, or not invariant."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from geozoo.data import GraphBatch, LoaderOptions, Solids, rotate_batch
from geozoo.geometry import random_rotations
from geozoo.models import Ponita, Rapidash

SOLIDS = {"num_points": 32, "num_train": 15, "num_eval": 6, "num_neighbors": 6, "normals": True}
SIZES: dict[str, Any] = {"hidden_channels": 16, "kernel": {"basis_channels": 16}}


def scores(model: torch.nn.Module, batch: GraphBatch) -> Tensor:
    with torch.no_grad():
        inputs = {"vec": batch.vec.double(), "num_graphs": batch.num_graphs}
        found: Tensor = model(
            batch.pos.double(), batch.x.double(), batch.batch, batch.edge_index, **inputs
        ).scalar
    return found


def change(kind: type[torch.nn.Module], **options: Any) -> float:
    """Change of the scores under rotations, relative to their spread over clouds."""
    torch.manual_seed(0)
    data = Solids(loader=LoaderOptions(batch_size=15), **SOLIDS)
    model = kind(**data.spec.model_arguments(kind), **SIZES, **options).double()
    batch = data.store.gather(data.splits["train"])
    batch = batch.replace(pos=batch.pos.double(), vec=batch.vec.double())
    turns = random_rotations(15, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    before, after = scores(model, batch), scores(model, rotate_batch(batch, turns, ["pos", "vec"]))
    return float((after - before).square().mean().sqrt() / before.std(0).mean())


@pytest.mark.parametrize("orientations", [20, 6])
def test_ponita_is_invariant_up_to_its_grid(orientations: int) -> None:
    error = change(Ponita, num_layers=2, orientations={"num_orientations": orientations})
    assert 1e-9 < error < (0.05 if orientations == 20 else 0.3)


def test_distances_are_invariant_exactly() -> None:
    data = Solids(loader=LoaderOptions(batch_size=15), **{**SOLIDS, "normals": False})
    torch.manual_seed(0)
    arguments = data.spec.model_arguments(Ponita)
    model = Ponita(**arguments, **SIZES, num_layers=2, representation="position").double()
    batch = data.store.gather(data.splits["train"])
    batch = batch.replace(pos=batch.pos.double())
    turns = random_rotations(15, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    rows = [batch, rotate_batch(batch, turns, ["pos"])]
    with torch.no_grad():
        before, after = (
            model(each.pos, each.x.double(), each.batch, each.edge_index, num_graphs=15).scalar
            for each in rows
        )
    assert torch.allclose(before, after, rtol=1e-10, atol=1e-10)


def test_rapidash_is_invariant_unless_coordinates_break_the_symmetry() -> None:
    options = {"scales": {"layers": [0, 1]}, "orientations": {"num_orientations": 20}}
    kept = change(Rapidash, **options)
    broken = change(Rapidash, coordinates="symmetry_breaking", **options)
    assert kept < 0.1 and broken > 3 * kept
