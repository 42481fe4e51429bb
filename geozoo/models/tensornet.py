"""TensorNet: message passing with rank-two Cartesian tensors."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from geozoo.checks import check_positive
from geozoo.geometry import PART_SIZES, arrow_parts, tensor_part_norms, weigh_parts
from geozoo.models._point_network import PointNetwork
from geozoo.nn import CosineWindow, ExponentialBasis, PartwiseLinear, TensorConv
from geozoo.nn.edges import DirectedEdges, PairedEdges, as_edge_rows
from geozoo.ops import (
    EdgeRows,
    SteerablePaths,
    filtered_sum,
    in_row_blocks,
    length_and_direction,
    plain_path,
)


class TensorNet(PointNetwork):
    r"""A 3 x 3 matrix per node and channel, combined with messages by matrix products.

    The matrices are initialised as sums over neighbours of :math:`I`, :math:`[\hat r]_\times` and
    :math:`\hat r \hat r^T - I/3`, weighted by the distance and the features of the pair; vector
    inputs are added to the antisymmetric part. Scalar outputs are read out from the norms of the
    three parts, vector outputs from the antisymmetric part, gated by those scalars. Exactly
    equivariant under rotations and reflections; it does not distinguish mirror images.

    Args:
        in_channels: scalar features per node.
        out_channels: scalar outputs.
        in_vectors: vector features per node.
        out_vectors: vector outputs.
        dim: 3.
        level: ``"graph"``: outputs are summed over the nodes of each graph; ``"node"``: per node.
        hidden_channels: number of matrix channels.
        num_layers: number of interaction layers.
        num_basis: number of radial basis functions.
        radius: cutoff in the unit of the positions, with a cosine envelope.
        self_loops: every node is also its own neighbour, at distance 0 and without direction. Atoms
            without neighbours then depend on their features.
        window_on_basis: multiply the radial basis by the envelope, too, before the layers that
            weight messages; these have the envelope in any case.

    Raises:
        ValueError: If a size is invalid, or ``dim`` is not 3.

    Reference:
        G. Simeon, G. De Fabritiis, TensorNet: Cartesian Tensor Representations for Efficient
        Learning of Molecular Potentials, NeurIPS 2023, arXiv:2306.06482.

    >>> model = TensorNet(2, 1, out_vectors=1)
    >>> batch = torch.zeros(4, dtype=torch.long)
    >>> model(torch.randn(4, 3), torch.randn(4, 2), batch).vector.shape
    torch.Size([1, 1, 3])
    """

    #: Supported spatial dimensions.
    dims: ClassVar[tuple[int, ...]] = (3,)
    takes_pairs: ClassVar[bool] = True
    last_weights: ClassVar[tuple[str, ...]] = ("readout.2.*",)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        in_vectors: int = 0,
        out_vectors: int = 0,
        dim: int = 3,
        level: Literal["node", "graph"] = "graph",
        hidden_channels: int = 128,
        num_layers: int = 2,
        num_basis: int = 32,
        radius: float = 4.5,
        self_loops: bool = False,
        window_on_basis: bool = False,
    ) -> None:
        super().__init__(
            in_channels, out_channels, in_vectors=in_vectors, out_vectors=out_vectors, dim=dim,
            level=level, radius=radius,
        )  # fmt: skip
        if dim != 3:
            raise ValueError(f"dim must be 3 for the cross product, got {dim!r}")
        check_positive(hidden_channels=hidden_channels, num_layers=num_layers)
        width = self.hidden_channels = hidden_channels
        self.self_loops, self.window_on_basis = self_loops, window_on_basis
        self.basis, self.window = ExponentialBasis(num_basis, radius), CosineWindow(radius)
        self.embedding = nn.Linear(max(in_channels, 1), width, bias=False)
        self.pair = nn.Linear(2 * width, width)
        self.filter = nn.Linear(num_basis, 3 * width)
        self.first_paths = _first_paths(width)
        self.vectors = nn.Linear(in_vectors, width, bias=False) if in_vectors else None
        self.norm, self.mix = nn.LayerNorm(width), PartwiseLinear(width, width)
        self.weights = nn.Sequential(
            nn.Linear(width, 2 * width), nn.SiLU(), nn.Linear(2 * width, 3 * width), nn.SiLU()
        )
        self.layers = nn.ModuleList(TensorConv(width, num_basis) for _ in range(num_layers))
        self.last_norm = nn.LayerNorm(3 * width)
        self.lengths = nn.Sequential(nn.Linear(3 * width, width), nn.SiLU())
        half = max(1, width // 2)
        self.readout = self.gate = self.arrows = None
        if out_channels:
            self.readout = nn.Sequential(
                nn.Linear(width, half), nn.SiLU(), nn.Linear(half, out_channels)
            )
        if out_vectors:
            self.gate = nn.Linear(width, width)
            nn.init.ones_(self.gate.bias)  # gates start at 1, so that vectors do not vanish
            self.arrows = nn.Linear(width, out_vectors, bias=False)

    def evaluate(
        self, pos: Tensor, x: Tensor | None, vec: Tensor | None, edges: DirectedEdges | PairedEdges
    ) -> tuple[Tensor | None, Tensor | None]:
        """Return scalars and vectors; see `PointNetwork.evaluate`."""
        distance, direction = length_and_direction(edges.vectors(pos))
        basis, window = self.basis(distance), self.window(distance)
        if self.window_on_basis:
            basis = basis * window.unsqueeze(-1)
        # The envelope is 1 at distance 0.
        own = self.basis(pos.new_zeros(1)) if self.self_loops else None
        rows = as_edge_rows(edges, pos.shape[0])
        tensor = self._first(pos, x, vec, basis, window, direction, rows, own)
        for layer in self.layers:
            tensor = layer(tensor, basis, window, rows, own_basis=own)
        s = self.lengths(self.last_norm(in_row_blocks(tensor_part_norms, tensor).flatten(1)))
        scalar = None if self.readout is None else self.readout(s)
        if self.arrows is None or self.gate is None:
            return scalar, None
        arrows = tensor.split(PART_SIZES, 1)[1]
        return scalar, self.arrows(self.gate(s).unsqueeze(1) * arrows).transpose(1, 2)

    def _first(
        self, pos: Tensor, x: Tensor | None, vec: Tensor | None, basis: Tensor, window: Tensor,
        direction: Tensor, rows: EdgeRows, own: Tensor | None,
    ) -> Tensor:  # fmt: skip
        h = self.embedding(pos.new_ones(pos.shape[0], 1) if x is None else x)
        # W [h_i, h_j] + b of an edge is a sum of two parts: one is a factor of the sum over j.
        to_receiver, to_sender = self.pair.weight.chunk(2, 1)
        sent = h @ to_sender.T
        arrows = arrow_parts(direction) * window.unsqueeze(1)
        found = filtered_sum(
            torch.cat([sent, torch.ones_like(sent)], 1), arrows, self.filter, (basis,), rows,
            self.first_paths, weights=self.filter.parameters(),
        )  # fmt: skip
        of_sender, plain = found.unflatten(1, (2, sum(PART_SIZES), -1)).unbind(1)
        received = h @ to_receiver.T + self.pair.bias
        tensor = of_sender + received.unsqueeze(1) * plain
        scalar, vector, matrix = tensor.split(PART_SIZES, 1)
        if own is not None:  # without a direction, only the scalar part is left
            weight = self.filter(own).unflatten(-1, (3, -1))[:, :1]
            scalar = scalar + weight * self.pair(torch.cat([h, h], -1)).unsqueeze(1)
        if self.vectors is not None and vec is not None:
            vector = vector + self.vectors(vec.transpose(1, 2))
        if own is not None or self.vectors is not None:
            tensor = torch.cat([scalar, vector, matrix], 1)
        return in_row_blocks(self._mixed, tensor, weights=self.weights.parameters())

    def _mixed(self, tensor: Tensor) -> Tensor:
        norms = self.norm(tensor_part_norms(tensor).sum(1))
        return weigh_parts(self.weights(norms).unflatten(-1, (3, -1)), self.mix(tensor))


def _first_paths(channels: int) -> SteerablePaths:
    """The ten components of the edges' matrices times two features of the sender."""
    c, paths = channels, []
    for x in (0, c):
        out = 10 * x
        paths.append(plain_path((0, 0, 0), c, x=x, y=0, w=0, out=out))
        paths.append(plain_path((0, 1, 1), c, x=x, y=1, w=c, out=out + c))
        paths += [
            plain_path((0, 0, 0), c, x=x, y=k, w=2 * c, out=out + k * c) for k in range(4, 10)
        ]
    return SteerablePaths(tuple(paths), 2 * c, 10, 3 * c, 20 * c)
