"""Tiny Ponita models of every representation, and batches for them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from geozoo.geometry import platonic_rotations
from geozoo.models import Ponita
from geozoo.options import in_groups

REPRESENTATIONS = ("bundle", "bundle_full", "edges", "position")
TINY = {"hidden_channels": 8, "basis_channels": 8, "num_layers": 2, "degree": 2, "widening": 2}


def build(representation: str = "bundle", *, dim: int = 3, seed: int = 0, **options: Any) -> Ponita:
    """A float64 model with scalars and, where there can be, vectors, in and out."""
    vectors = int(representation != "position")
    given = {
        "in_channels": 2, "out_channels": 2, "in_vectors": vectors, "out_vectors": vectors,
        "num_orientations": 4, "layer_scale": 0.5, **TINY, **options,
    }  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Ponita(dim=dim, representation=representation, **in_groups(Ponita, given)).double()
        for parameter in model.parameters():
            if parameter.dim() < 2:  # biases and layer scales start at a constant
                nn.init.normal_(parameter)
    return model


def random(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def batch_of(sizes: list[int], *, model: Ponita, seed: int = 0) -> dict[str, Any]:
    """Inputs of graphs of these sizes, some of which may be 0."""
    batch = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    num = len(batch)
    inputs = {
        "pos": random(num, model.dim, seed=seed),
        "x": random(num, model.in_channels, seed=seed + 1),
        "batch": batch,
        "num_graphs": len(sizes),
    }
    if model.in_vectors:
        inputs["vec"] = random(num, model.in_vectors, model.dim, seed=seed + 2)
    return inputs


def grid_options(representation: str, dim: int) -> dict[str, Any]:
    """A regular grid, for bundles."""
    if not representation.startswith("bundle"):
        return {}
    return {"grid": "platonic", "num_orientations": 20 if dim == 3 else 6}


def grid_rotations(dim: int) -> Tensor:
    """A few rotations that map the grid of `grid_options` to itself, the group's generators too."""
    if dim == 3:
        return platonic_rotations(20)[1::8]
    angle = 2 * torch.pi * torch.arange(1, 6, dtype=torch.float64) / 6
    entries = [angle.cos(), -angle.sin(), angle.sin(), angle.cos()]
    return torch.stack(entries, -1).view(-1, 2, 2)
