"""A custom network built from geozoo layers, with a test that it is equivariant.

    python examples/model_from_layers.py

It predicts a scalar and a vector per particle. Rotating the input rotates the vectors and leaves
the scalars unchanged: this is not imposed on the outputs, but follows from the invariants that
the convolutions take as input.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from geozoo.geometry import (
    complete_graph,
    orientation_invariants,
    platonic_rotations,
    r3s2_invariants,
    sphere_grid,
)
from geozoo.nn import ConvNeXtBlock, FiberBundleConv, KernelBasis
from geozoo.testing import assert_equivariant


class Output(NamedTuple):
    """A scalar ``[N]`` and a vector ``[N, 3]`` per particle."""

    scalar: Tensor
    vector: Tensor


class MyModel(nn.Module):
    """Two blocks on a grid of orientations at every point."""

    def __init__(self, channels: int = 16, basis: int = 32) -> None:
        super().__init__()
        # The vertices of an icosahedron: exactly equivariant under its rotational symmetries.
        self.register_buffer("grid", sphere_grid(12, "platonic"))
        self.spatial_basis = KernelBasis(2, channels, basis, degree=2)
        self.fiber_basis = KernelBasis(1, channels, basis, degree=2)
        self.embed = nn.Linear(1, channels)
        self.blocks = nn.ModuleList(
            ConvNeXtBlock(FiberBundleConv(channels, channels, basis), channels, channels)
            for _ in range(2)
        )
        self.readout = nn.Linear(channels, 2)

    def forward(self, pos: Tensor, x: Tensor, batch: Tensor) -> Output:
        """Map positions ``[N, 3]``, features ``[N, 1]`` and graph indices ``[N]`` to outputs."""
        grid, edge_index = self.grid.to(pos.dtype), complete_graph(batch)
        step = (pos[edge_index[0]] - pos[edge_index[1]]).unsqueeze(1)
        # Only invariants that identify the equivalence class of a pair:
        neighborhood = {
            "basis": self.spatial_basis(r3s2_invariants(step, grid)),
            "fiber_basis": self.fiber_basis(orientation_invariants(grid.unsqueeze(1), grid)),
            "edge_index": edge_index,
        }
        hidden = self.embed(x).unsqueeze(1).expand(-1, len(grid), -1)
        for block in self.blocks:
            hidden = block(hidden, **neighborhood)
        out = self.readout(hidden)  # a scalar and a magnitude per orientation and point
        return Output(out[..., 0].mean(1), out[..., 1] @ grid / len(grid))


def main() -> None:
    """Run the model and test its equivariance."""
    torch.manual_seed(0)
    model = MyModel().double()
    inputs = {
        "pos": torch.randn(7, 3, dtype=torch.float64),
        "x": torch.randn(7, 1, dtype=torch.float64),
        "batch": torch.tensor([0, 0, 0, 0, 1, 1, 1]),
    }
    found = model(**inputs)
    print("scalars", tuple(found.scalar.shape), "vectors", tuple(found.vector.shape))
    assert_equivariant(model, inputs, rotations=platonic_rotations(12))
    print("turning the input by the 60 rotations of the icosahedron turns the vectors with it")


if __name__ == "__main__":
    main()
