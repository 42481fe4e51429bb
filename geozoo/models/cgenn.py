"""CGENN: Clifford group equivariant neural networks."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from geozoo.checks import check_positive
from geozoo.geometry import CLIFFORD_DIMS, clifford_algebra, embed_grade
from geozoo.models._point_network import PointNetwork
from geozoo.nn import MultivectorBlock, MultivectorConv, PolynomialWindow
from geozoo.nn.edges import DirectedEdges
from geozoo.ops import safe_norm


class CGENN(PointNetwork):
    r"""Message passing with multivectors of the Clifford algebra, multiplied on edges and nodes.

    Features are multivectors: scalars, vectors, bivectors and, in three dimensions, pseudoscalars.
    They are initialised from the scalars, the vectors and their norms. Messages depend on the
    features at both ends, on the edge vector, its squared length, and the products of the scalars
    of both nodes (`geozoo.nn.MultivectorConv`). A scalar output is an MLP of the last scalars,
    vector outputs are linear maps of the last vectors. Exactly equivariant under rotations and
    reflections; it does not distinguish mirror images.

    Args:
        in_channels: scalar features per node.
        out_channels: scalar outputs.
        in_vectors: vector features per node.
        out_vectors: vector outputs.
        dim: spatial dimension, 2 or 3.
        level: ``"graph"``: outputs are summed over the nodes of each graph; ``"node"``: per node.
        hidden_channels: channels of the multivectors.
        num_layers: number of layers.
        radius: cutoff in the unit of the positions, with a smooth window; edge vectors are then
            divided by it. None: complete graphs.

    Raises:
        ValueError: If a size is invalid, or ``dim`` is not 2 or 3.

    Reference:
        D. Ruhe, J. Brandstetter, P. Forre, Clifford Group Equivariant Neural Networks, NeurIPS
        2023, arXiv:2305.11141.

    >>> model = CGENN(2, 1, out_vectors=1)
    >>> batch = torch.zeros(4, dtype=torch.long)
    >>> model(torch.randn(4, 3), torch.randn(4, 2), batch).vector.shape
    torch.Size([1, 1, 3])
    """

    #: Supported spatial dimensions.
    dims: ClassVar[tuple[int, ...]] = CLIFFORD_DIMS
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
        hidden_channels: int = 16,
        num_layers: int = 3,
        radius: float | None = None,
    ) -> None:
        super().__init__(
            in_channels, out_channels, in_vectors=in_vectors, out_vectors=out_vectors, dim=dim,
            level=level, radius=radius,
        )  # fmt: skip
        check_positive(hidden_channels=hidden_channels, num_layers=num_layers)
        self.algebra = clifford_algebra(dim)
        self.window = PolynomialWindow(radius)
        width = hidden_channels
        self.scalars = nn.Linear(in_channels + in_vectors, width)
        self.vectors = nn.Linear(in_vectors, width, bias=False) if in_vectors else None
        self.layers = nn.ModuleList(
            MultivectorConv(width, 1 + in_channels, dim) for _ in range(num_layers)
        )
        self.block = MultivectorBlock(width, width, dim)
        self.readout = self.arrows = None
        if out_channels:
            self.readout = nn.Sequential(
                nn.Linear(width, width), nn.SiLU(), nn.Linear(width, out_channels)
            )
        if out_vectors:
            self.arrows = nn.Linear(width, out_vectors, bias=False)

    def evaluate(
        self, pos: Tensor, x: Tensor | None, vec: Tensor | None, edges: DirectedEdges
    ) -> tuple[Tensor | None, Tensor | None]:
        """Return scalars and vectors; see `PointNetwork.evaluate`."""
        arrow = edges.vectors(pos)
        window = self.window(safe_norm(arrow))
        arrow = arrow if self.radius is None else arrow / self.radius
        attributes = [arrow.square().sum(-1, keepdim=True)]
        if x is not None:
            attributes.append(x.index_select(0, edges.sender) * x.index_select(0, edges.receiver))
        edge_attr = torch.cat(attributes, -1)
        h = self._inputs(x, vec)
        for layer in self.layers:
            h = layer(h, edge_attr, arrow, window, edges)
        scalar, vector, *_ = self.block(h).split(self.algebra.grade_sizes, 1)
        return (
            None if self.readout is None else self.readout(scalar.squeeze(1)),
            None if self.arrows is None else self.arrows(vector).transpose(1, 2),
        )

    def _inputs(self, x: Tensor | None, vec: Tensor | None) -> Tensor:
        """Scalars, norms of the vectors, and the vectors, as multivectors."""
        given = [] if x is None else [x]
        if vec is not None:
            given.append(safe_norm(vec))
        first = self.scalars(torch.cat(given, -1))
        h = embed_grade(first.unsqueeze(1), 0, self.algebra)
        if self.vectors is None or vec is None:
            return h
        return h + embed_grade(self.vectors(vec.transpose(1, 2)), 1, self.algebra)
