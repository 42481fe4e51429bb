"""MACE: messages of high body order from symmetric products of the density of neighbours."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from geozoo.checks import check_not_negative, check_positive, check_radius
from geozoo.models._mace_layers import GatedReadout, LinearReadout, MACELayer, Widths
from geozoo.models._mace_options import MACEBlocks
from geozoo.models._point_network import PointNetwork
from geozoo.models._steerable import check_space, edge_harmonics
from geozoo.nn import BesselBasis, PolynomialWindow
from geozoo.nn.edges import DirectedEdges, PairedEdges
from geozoo.nn.steerable import DegreewiseLinear, as_edge_rows, load_o3
from geozoo.options import grouped


class MACE(PointNetwork):
    r"""Few layers of equivariant messages that contain products of many neighbours.

    Each layer sums its neighbours' features times radial functions and spherical harmonics to an
    atomic basis A, forms all equivariant polynomials of A up to an order, the correlation, weighted
    by species, and mixes channels:
    ``h <- W contract(A, a) + W_a h`` with the scalar inputs a of the node, which are one-hot
    species in the paper. Outputs are read from the features of every layer and added: by linear
    maps, and by a network with one hidden layer after the last.

    Args:
        in_channels: scalar features per node.
        out_channels: scalar outputs.
        in_vectors: vector features per node.
        out_vectors: vector outputs.
        dim: 3.
        level: ``"graph"``: outputs are summed over the nodes of each graph; ``"node"``: per node.
        hidden_channels: channels of each degree.
        hidden_degree: maximum degree of the features between layers.
        degree: maximum degree of the spherical harmonics and of the atomic basis.
        correlation: maximum number of factors A in a message; its body order minus one.
        num_layers: number of layers.
        num_neighbors: average number of neighbours, for normalisation.
        radius: cutoff in the unit of the positions.
        blocks: radial functions, residuals and readouts, see `MACEBlocks`.

    Raises:
        ValueError: If a size is invalid, ``hidden_degree`` exceeds ``degree``, or ``dim`` is not 3.
        ImportError: If e3nn is not installed.

    Reference:
        I. Batatia, D. P. Kovacs, G. N. C. Simm, C. Ortner, G. Csanyi, MACE: Higher Order
        Equivariant Message Passing Neural Networks for Fast and Accurate Force Fields,
        NeurIPS 2022, arXiv:2206.07697.

    >>> model = MACE(2, 1, hidden_channels=4, degree=2, correlation=2)
    >>> batch = torch.zeros(4, dtype=torch.long)
    >>> model(torch.randn(4, 3), torch.randn(4, 2), batch).scalar.shape
    torch.Size([1, 1])
    """

    #: Supported spatial dimensions.
    dims: ClassVar[tuple[int, ...]] = (3,)
    takes_pairs: ClassVar[bool] = True
    last_weights: ClassVar[tuple[str, ...]] = ("readouts.*.scalar.*",)

    @grouped("blocks")
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        in_vectors: int = 0,
        out_vectors: int = 0,
        dim: int = 3,
        level: Literal["node", "graph"] = "graph",
        hidden_channels: int = 32,
        hidden_degree: int = 1,
        degree: int = 3,
        correlation: int = 3,
        num_layers: int = 2,
        num_neighbors: float = 10.0,
        radius: float = 4.0,
        blocks: MACEBlocks = MACEBlocks(),  # noqa: B008
    ) -> None:
        super().__init__(
            in_channels, out_channels, in_vectors=in_vectors, out_vectors=out_vectors, dim=dim,
            level=level, radius=radius,
        )  # fmt: skip
        check_space(dim)
        check_radius(radius)
        check_positive(
            hidden_channels=hidden_channels, num_layers=num_layers, degree=degree,
            correlation=correlation,
        )  # fmt: skip
        check_not_negative(hidden_degree=hidden_degree)
        if hidden_degree > degree:
            raise ValueError(
                f"hidden_degree must be at most degree = {degree}, got {hidden_degree}"
            )
        load_o3()
        self.degree = degree
        self.basis = BesselBasis(blocks.num_basis, radius)
        self.window = PolynomialWindow(radius, blocks.power)
        species, before = max(in_channels, 1), int(in_vectors > 0)
        self.embedding = DegreewiseLinear(1, hidden_channels, 0, attributes=species)
        self.vector_embedding = (
            nn.Linear(in_vectors, hidden_channels, bias=False) if in_vectors else None
        )
        self.layers, self.readouts = nn.ModuleList(), nn.ModuleList()
        for step in range(num_layers):
            is_last = step + 1 == num_layers
            after = int(out_vectors > 0) if is_last else hidden_degree
            skips = blocks.residual == "all" or (blocks.residual == "later" and step > 0)
            self.layers.append(
                MACELayer(
                    Widths(hidden_channels, species, before, degree, after), correlation,
                    num_neighbors, blocks, skips=skips,
                )
            )  # fmt: skip
            self.readouts.append(
                GatedReadout(hidden_channels, blocks.readout_channels, out_channels, out_vectors)
                if is_last
                else LinearReadout(hidden_channels, out_channels, out_vectors * (after > 0))
            )
            before = after

    def evaluate(
        self,
        pos: Tensor,
        x: Tensor | None,
        vec: Tensor | None,
        edges: DirectedEdges | PairedEdges,
    ) -> tuple[Tensor | None, Tensor | None]:
        """Return scalars and vectors; see `PointNetwork.evaluate`."""
        distance, harmonics = edge_harmonics(pos, edges, self.degree)
        radial = self.basis(distance), self.window(distance)
        rows = as_edge_rows(edges, pos.shape[0])
        attribute = pos.new_ones(pos.shape[0], 1) if x is None else x
        h = self.embedding(pos.new_ones(pos.shape[0], 1, 1), attribute)
        if self.vector_embedding is not None and vec is not None:
            h = torch.cat([h, self.vector_embedding(vec.transpose(1, 2))], 1)
        # Leaves one-hot species unchanged, and bounds other inputs, which enter in every layer.
        # Each by itself: a new input with zero weights changes nothing.
        attribute = attribute / (0.5 + 0.5 * attribute.square()).sqrt()
        scalars: list[Tensor] = []
        vectors: list[Tensor] = []
        for layer, readout in zip(self.layers, self.readouts, strict=True):
            h = layer(h, harmonics, *radial, rows, attribute)
            scalar, vector = readout(h)
            scalars += [scalar] if self.out_channels else []
            vectors += [] if vector is None else [vector]
        return (
            torch.stack(scalars).sum(0) if scalars else None,
            torch.stack(vectors).sum(0) if vectors else None,
        )
