"""E(n) equivariant graph neural networks."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from geozoo.checks import check_positive
from geozoo.models._point_network import PointNetwork
from geozoo.nn import EGNNConv, PolynomialWindow
from geozoo.nn.edges import DirectedEdges
from geozoo.ops import safe_norm


class EGNN(PointNetwork):
    r"""EGNN: messages from distances update node features and positions.

    Node features are initialised from the scalars and the norms of the vectors. Edge features are
    the products of the scalars of both nodes, as for the charges in the published N-body model. A
    scalar output is an MLP of the last features; the vector output is the displacement,
    :math:`x_L - x_0`. Without a vector output, positions are fixed.

    Args:
        in_channels: scalar features per node.
        out_channels: scalar outputs.
        in_vectors: vector features per node (velocities), which contribute to the displacement.
        out_vectors: 0 or 1.
        dim: spatial dimension, arbitrary.
        level: ``"graph"``: outputs are summed over the nodes of each graph; ``"node"``: per node.
        hidden_channels: width of features and messages.
        num_layers: number of layers.
        attention: weight messages by an attention gate, as the published QM9 model does.
        products: use the products of the scalars of both nodes as edge features.
        radius: cutoff in the unit of the positions, with a smooth window; None: complete graphs.

    Raises:
        ValueError: If a size is invalid, or there is more than one vector output.

    Reference:
        V. G. Satorras, E. Hoogeboom, M. Welling, ICML 2021, arXiv:2102.09844.

    >>> model = EGNN(2, 1)
    >>> batch = torch.zeros(4, dtype=torch.long)
    >>> model(torch.randn(4, 3), torch.randn(4, 2), batch).scalar.shape
    torch.Size([1, 1])
    """

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
            raise ValueError(f"out_vectors must be 0 or 1 (the displacement), got {out_vectors}")
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
        h, moved = self.embedding(torch.cat(parts, -1)), pos
        products = None
        if self.products:
            assert x is not None
            products = x.index_select(0, edges.sender) * x.index_select(0, edges.receiver)
        weight = None
        if self.window is not None:
            weight = self.window(safe_norm(edges.vectors(pos)))
        for layer in self.layers:
            h, moved = layer(h, moved, edges, edge_attr=products, edge_weight=weight, vec=vec)
        scalar = None if self.readout is None else self.readout(h)
        return scalar, (moved - pos).unsqueeze(1) if self.out_vectors else None
