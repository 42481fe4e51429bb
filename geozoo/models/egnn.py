"""E(n) equivariant graph networks."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from geozoo.checks import check_positive
from geozoo.models._point_network import PointNetwork
from geozoo.nn import EGNNConv, PolynomialWindow
from geozoo.nn.edges import DirectedEdges
from geozoo.ops import safe_norm


class EGNN(PointNetwork):
    r"""Features from distances; points that move along the lines to their neighbours.

    The nodes begin with their scalars and the norms of their vectors. An edge carries the products
    of the scalars at its two ends, as the published N-body model has those of the charges. A scalar
    output is a small network of the last features; the vector output is how far a point has moved,
    :math:`x_L - x_0`. Without a vector output, points stay.

    Args:
        in_channels: scalar features per node.
        out_channels: scalar outputs.
        in_vectors: vector features per node (velocities), which add to the displacement.
        out_vectors: 0 or 1.
        dim: dimension of space, any.
        level: ``"graph"``: outputs are summed over the nodes of a graph; ``"node"``.
        hidden_channels: width of features and messages.
        num_layers: layers.
        attention: weigh messages, as the published QM9 model does.
        products: whether edges carry the products of the scalars at their ends.
        radius: cut-off in the unit of the positions, with a smooth window; None: every pair.

    Raises:
        ValueError: for sizes that do not fit, or more than one vector output.

    Reference:
        V. G. Satorras, E. Hoogeboom, M. Welling, ICML 2021, arXiv:2102.09844.

    >>> model = EGNN(2, 1)
    >>> batch = torch.zeros(4, dtype=torch.long)
    >>> model(torch.randn(4, 3), torch.randn(4, 2), batch).scalar.shape
    torch.Size([1, 1])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        in_vectors: int = 0,
        out_vectors: int = 0,
        dim: int = 3,
        level: Literal["node", "graph"] = "graph",
        hidden_channels: int = 64,
        num_layers: int = 4,
        attention: bool = False,
        products: bool = True,
        radius: float | None = None,
    ) -> None:
        super().__init__(
            in_channels, out_channels, in_vectors=in_vectors, out_vectors=out_vectors, dim=dim,
            level=level, radius=radius,
        )  # fmt: skip
        check_positive(hidden_channels=hidden_channels, num_layers=num_layers)
        if out_vectors > 1:
            raise ValueError(f"out_vectors must be 0 or 1: points move once, got {out_vectors}")
        self.window = None if radius is None else PolynomialWindow(radius)
        self.products = products and in_channels > 0
        self.embedding = nn.Linear(in_channels + in_vectors, hidden_channels)
        self.layers = nn.ModuleList(
            EGNNConv(
                hidden_channels, edge_channels=in_channels if self.products else 0,
                num_vectors=in_vectors, attention=attention, moves=out_vectors > 0,
            )
            for _ in range(num_layers)
        )  # fmt: skip
        self.readout = None
        if out_channels:
            self.readout = nn.Sequential(
                nn.Linear(hidden_channels, hidden_channels), nn.SiLU(),
                nn.Linear(hidden_channels, out_channels),
            )  # fmt: skip

    def evaluate(
        self, pos: Tensor, x: Tensor | None, vec: Tensor | None, edges: DirectedEdges
    ) -> tuple[Tensor | None, Tensor | None]:
        """Return scalars and displacements; see `PointNetwork.evaluate`."""
        parts = [] if x is None else [x]
        if vec is not None:
            parts.append(safe_norm(vec))
        h, place = self.embedding(torch.cat(parts, -1)), pos
        products = None
        if self.products:
            products = x.index_select(0, edges.sender) * x.index_select(0, edges.receiver)
        weight = None
        if self.window is not None:
            weight = self.window(safe_norm(edges.vectors(pos)))
        for layer in self.layers:
            h, place = layer(h, place, edges, edge_attr=products, edge_weight=weight, vec=vec)
        scalar = None if self.readout is None else self.readout(h)
        return scalar, (place - pos).unsqueeze(1) if self.out_vectors else None
