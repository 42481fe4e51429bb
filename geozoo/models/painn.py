"""PaiNN: polarisable atom interaction neural network."""

from __future__ import annotations

from typing import ClassVar, Literal

from torch import Tensor, nn

from geozoo.checks import check_positive
from geozoo.models._point_network import PointNetwork
from geozoo.nn import BesselBasis, CosineWindow, GatedVectors, PaiNNConv
from geozoo.nn.edges import DirectedEdges, PairedEdges, as_edge_rows
from geozoo.ops import length_and_direction


class PaiNN(PointNetwork):
    """Equivariant message passing with scalars and vectors, without tensor products.

    Vectors are initialised by a linear map of the vector inputs (zero without any). A scalar output
    is an MLP of the last scalars; vector outputs come from two gated equivariant blocks.

    Args:
        in_channels: scalar features per node.
        out_channels: scalar outputs.
        in_vectors: vector features per node.
        out_vectors: vector outputs.
        dim: spatial dimension, arbitrary.
        level: ``"graph"``: outputs are summed over the nodes of each graph; ``"node"``: per node.
        hidden_channels: number of scalar and of vector channels.
        num_layers: number of interaction layers.
        num_basis: number of radial Bessel functions.
        radius: cutoff in the unit of the positions, with a cosine envelope.

    Raises:
        ValueError: If a size is invalid.

    Reference:
        K. T. Schuett, O. T. Unke, M. Gastegger, Equivariant Message Passing for the Prediction of
        Tensorial Properties and Molecular Spectra, ICML 2021, arXiv:2102.03150.

    >>> import torch
    >>> model = PaiNN(2, 1, out_vectors=1)
    >>> batch = torch.zeros(4, dtype=torch.long)
    >>> model(torch.randn(4, 3), torch.randn(4, 2), batch).vector.shape
    torch.Size([1, 1, 3])
    """

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
        num_layers: int = 3,
        num_basis: int = 20,
        radius: float = 5.0,
    ) -> None:
        super().__init__(
            in_channels, out_channels, in_vectors=in_vectors, out_vectors=out_vectors, dim=dim,
            level=level, radius=radius,
        )  # fmt: skip
        check_positive(hidden_channels=hidden_channels, num_layers=num_layers)
        self.hidden_channels = hidden_channels
        self.embedding = nn.Linear(max(in_channels, 1), hidden_channels, bias=False)
        self.vectors = nn.Linear(in_vectors, hidden_channels, bias=False) if in_vectors else None
        self.basis, self.window = BesselBasis(num_basis, radius), CosineWindow(radius)
        self.layers = nn.ModuleList(
            PaiNNConv(hidden_channels, num_basis) for _ in range(num_layers)
        )
        half = max(1, hidden_channels // 2)
        self.readout = self.gates = None
        if out_channels:
            self.readout = nn.Sequential(
                nn.Linear(hidden_channels, half), nn.SiLU(), nn.Linear(half, out_channels)
            )
        if out_vectors:
            self.gates = nn.ModuleList(
                [GatedVectors(hidden_channels, half, half), GatedVectors(half, 0, out_vectors)]
            )

    def evaluate(
        self, pos: Tensor, x: Tensor | None, vec: Tensor | None, edges: DirectedEdges | PairedEdges
    ) -> tuple[Tensor | None, Tensor | None]:
        """Return scalars and vectors; see `PointNetwork.evaluate`."""
        distance, direction = length_and_direction(edges.vectors(pos))
        basis, window = self.basis(distance), self.window(distance)
        s = self.embedding(pos.new_ones(pos.shape[0], 1) if x is None else x)
        v = pos.new_zeros(*pos.shape, self.hidden_channels)
        if self.vectors is not None:
            assert vec is not None
            v = self.vectors(vec.transpose(1, 2))
        rows = as_edge_rows(edges, pos.shape[0])
        for layer in self.layers:
            s, v = layer(s, v, basis, window, direction, rows)
        scalar = None if self.readout is None else self.readout(s)
        return scalar, self._vectors(s, v)

    def _vectors(self, s: Tensor, v: Tensor) -> Tensor | None:
        if self.gates is None:
            return None
        first, last = self.gates
        s, v = first(s, v)
        return last(nn.functional.silu(s), v)[1].transpose(1, 2)
