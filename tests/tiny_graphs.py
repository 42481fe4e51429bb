"""A data set and an equivariant model that take no time, for tests of tasks and command lines."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from geozoo.data import GeometricSpec, GraphDataModule, GraphStore, LoadedData, LoaderOptions
from geozoo.data.scalers import energy_force_statistics

NUM_NODES = 4


class Output(NamedTuple):
    """Outputs of a geometric model."""

    scalar: Tensor | None
    vector: Tensor | None


class TinyModel(nn.Module):
    """Exactly equivariant: scalars from distances to the centre, vectors along them.

    Args:
        in_channels: scalar inputs.
        out_channels: scalar outputs.
        in_vectors: vector inputs; the first is added to the vector output.
        out_vectors: vector outputs.
        dim: dimension of space.
        level: ``"graph"`` or ``"node"``.
        width: hidden width.
        lattice: what data of images would tell.
    """

    calibrated: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        in_vectors: int = 0,
        out_vectors: int = 0,
        dim: int = 3,
        level: Literal["graph", "node"] = "graph",
        width: int = 8,
        lattice: None = None,
    ) -> None:
        super().__init__()
        self.level, self.out_channels, self.out_vectors = level, out_channels, out_vectors
        self.first = nn.Linear(in_channels + 1, width)
        self.norm = nn.LayerNorm(width)
        self.second = nn.Linear(width, out_channels + out_vectors)
        self.register_buffer("calibrated", torch.tensor(False))

    def forward(
        self,
        pos: Tensor,
        x: Tensor,
        batch: Tensor,
        edge_index: Tensor | None = None,
        *,
        vec: Tensor | None = None,
        num_graphs: int | None = None,
    ) -> Output:
        """Scalars and vectors, summed over each graph at graph level."""
        count = num_graphs or int(batch[-1]) + 1
        arm = pos - _sums(pos, batch, count)[batch] / torch.bincount(batch)[batch, None]
        distance = arm.square().sum(-1, keepdim=True)
        hidden = self.norm(torch.tanh(self.first(torch.cat([distance, x], -1))))
        out = self.second(hidden)
        scalar, weight = out.split([self.out_channels, self.out_vectors], -1)
        vector = weight[:, :, None] * arm[:, None]
        if vec is not None and self.out_vectors:
            vector = vector + vec[:, :1]
        if self.level == "graph":
            scalar, vector = _sums(scalar, batch, count), _sums(vector, batch, count)
        return Output(scalar if self.out_channels else None, vector if self.out_vectors else None)

    @torch.no_grad()
    def calibrate(self, *args: object, **inputs: object) -> None:
        """Double the last weights, so that a test can see it."""
        self.second.weight.mul_(2.0)
        self.calibrated.fill_(True)


class SkewedModel(TinyModel):
    """Not equivariant: its scalars and vectors also depend on the first coordinate."""

    def forward(self, pos: Tensor, *args: object, **inputs: object) -> Output:
        """The output of `TinyModel`, weighted with a coordinate."""
        scalar, vector = super().forward(pos, *args, **inputs)
        count = inputs["num_graphs"]
        first = pos[:, 0].sin() + 2.0
        if self.level == "graph":
            first = _sums(first, args[1] if len(args) > 1 else inputs["batch"], count)
        return Output(
            None if scalar is None else scalar * first[:, None],
            None if vector is None else vector * first[:, None, None],
        )


class TinyData(GraphDataModule):
    """Clusters of four nodes: an energy with its exact forces, or positions a moment later.

    Args:
        loader: batch sizes and order.
        kind: ``"potential"`` or ``"dynamics"``.
        num_graphs: graphs in all three parts together.
        broken: whether a target of the training part is so large that its loss overflows.
        seed: seed of the graphs.
    """

    def __init__(
        self,
        *,
        loader: LoaderOptions,
        kind: Literal["potential", "dynamics"] = "dynamics",
        num_graphs: int = 40,
        broken: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__(loader)
        self.kind, self.num_graphs, self.broken, self.seed = kind, num_graphs, broken, seed

    def load(self) -> LoadedData:
        """Make the graphs."""
        generator = torch.Generator().manual_seed(self.seed)
        count = self.num_graphs
        pos = torch.randn(count * NUM_NODES, 3, generator=generator)
        x = torch.randint(0, 2, (count * NUM_NODES, 1), generator=generator).float()
        sizes = torch.full((count,), NUM_NODES)
        half, rest = count // 2, count // 4
        splits = {
            "train": torch.arange(half),
            "val": torch.arange(half, half + rest),
            "test": torch.arange(half + rest, count),
        }
        make = self._potential if self.kind == "potential" else self._dynamics
        node, graph, spec = make(pos, x, half)
        protocol = {"dataset": "tiny", "variant": self.kind, "split": "in order"}
        spec = GeometricSpec.from_dict({**spec.to_dict(), "protocol": protocol})
        return LoadedData(GraphStore(sizes, node=node, graph=graph), splits, spec)

    def _potential(self, pos: Tensor, x: Tensor, num_train: int) -> tuple:
        """Springs to the centre: E = sum of r^2 around -1e7, where float32 would lose digits."""
        arm = (
            pos.view(-1, NUM_NODES, 3) - pos.view(-1, NUM_NODES, 3).mean(1, keepdim=True)
        ).double()
        energy = -1.0e7 + arm.square().sum((1, 2))
        forces = (-2.0 * arm).reshape(-1, 3).float()
        if self.broken:
            energy[0] = 1.0e60
        known = energy[1:num_train], forces[: num_train * NUM_NODES]
        spec = GeometricSpec(
            level="graph", dim=3, in_channels=1, out_channels=1,
            vector_fields=("pos", "forces"), target="energy",
            units={"energy": "meV", "forces": "meV/angstrom"},
            statistics=energy_force_statistics(*known),
        )  # fmt: skip
        return {"pos": pos, "x": x, "forces": forces}, {"energy": energy}, spec

    def _dynamics(self, pos: Tensor, x: Tensor, num_train: int) -> tuple:
        y = pos - 0.5 * pos.view(-1, NUM_NODES, 3).mean(1).repeat_interleave(NUM_NODES, 0)
        if self.broken:
            y = y.clone()
            y[0, 0] = 1.0e30
        spec = GeometricSpec(
            level="node", dim=3, in_channels=1, in_vectors=1, out_vectors=1,
            vector_fields=("pos", "vec", "y"),
            units={"y": "length"},
        )  # fmt: skip
        return {"pos": pos, "x": x, "vec": 0.1 * pos[:, None], "y": y}, {}, spec


def tiny_data(kind: str = "dynamics", *, batch_size: int = 5, **options: object) -> TinyData:
    """A `TinyData` with its loader options."""
    return TinyData(loader=LoaderOptions(batch_size=batch_size), kind=kind, **options)


def _sums(values: Tensor, batch: Tensor, count: int) -> Tensor:
    return values.new_zeros(count, *values.shape[1:]).index_add(0, batch, values)
