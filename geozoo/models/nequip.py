"""NequIP: steerable features and tensor products with spherical harmonics."""

from __future__ import annotations

from typing import ClassVar, Literal

from torch import Tensor, nn

from geozoo.checks import check_positive
from geozoo.models._point_network import PointNetwork
from geozoo.models._steerable import (
    check_space,
    edge_harmonics,
    join_features,
    join_irreps,
    split_outputs,
)
from geozoo.nn import BesselBasis, PolynomialWindow
from geozoo.nn.edges import DirectedEdges, PairedEdges
from geozoo.nn.steerable import (
    TensorProductConv,
    as_edge_rows,
    every_irrep,
    load_o3,
    make_gate,
    reachable,
)


class NequIP(PointNetwork):
    """E(3) equivariant interatomic potential with features of all degrees and parities.

    A layer is a tensor-product convolution plus a self-connection, through a gate:
    ``x <- gate(conv(x) + sum_s W_s x a_s)`` with the scalar inputs a of the node, which are one-hot
    species in the paper. The output is a linear map of the last features.

    Args:
        in_channels: scalar features per node.
        out_channels: scalar outputs.
        in_vectors: vector features per node.
        out_vectors: vector outputs.
        dim: 3.
        level: ``"graph"``: outputs are summed over the nodes of each graph; ``"node"``: per node.
        hidden_channels: channels of each degree and parity.
        degree: maximum degree of features and spherical harmonics.
        num_layers: number of layers.
        num_basis: number of radial Bessel functions.
        radial_channels: width of the radial networks.
        num_neighbors: average number of neighbours, for normalisation.
        radius: cutoff in the unit of the positions, with a polynomial envelope.

    Raises:
        ValueError: If a size is invalid, or ``dim`` is not 3.
        ImportError: If e3nn is not installed.

    Reference:
        S. Batzner et al., E(3)-equivariant graph neural networks for data-efficient and accurate
        interatomic potentials, Nat. Commun. 13, 2453 (2022), arXiv:2101.03164.

    >>> import torch
    >>> model = NequIP(2, 1, hidden_channels=4, degree=1, num_layers=2)
    >>> batch = torch.zeros(4, dtype=torch.long)
    >>> model(torch.randn(4, 3), torch.randn(4, 2), batch).scalar.shape
    torch.Size([1, 1])
    """

    #: Supported spatial dimensions.
    dims: ClassVar[tuple[int, ...]] = (3,)
    takes_pairs: ClassVar[bool] = True

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
        degree: int = 2,
        num_layers: int = 4,
        num_basis: int = 8,
        radial_channels: int = 64,
        num_neighbors: float = 10.0,
        radius: float = 4.0,
    ) -> None:
        super().__init__(
            in_channels, out_channels, in_vectors=in_vectors, out_vectors=out_vectors, dim=dim,
            level=level, radius=radius,
        )  # fmt: skip
        check_space(dim)
        check_positive(hidden_channels=hidden_channels, num_layers=num_layers, degree=degree)
        o3 = load_o3()
        self.degree = degree
        self.basis, self.window = BesselBasis(num_basis, radius), PolynomialWindow(radius)
        self.attributes = o3.Irreps([(max(in_channels, 1), "0e")])
        outputs = join_irreps(out_channels, out_vectors)
        hidden = o3.Irreps(every_irrep(hidden_channels, degree))
        last = o3.Irreps([(hidden_channels, ir) for _, ir in o3.Irreps(outputs)])
        current = o3.Irreps(join_irreps(hidden_channels, hidden_channels * (in_vectors > 0)))
        self.embedding = o3.Linear(join_irreps(max(in_channels, 1), in_vectors), current)
        self.convolutions, self.connections = nn.ModuleList(), nn.ModuleList()
        self.gates = nn.ModuleList()
        for step in range(num_layers):
            wanted = hidden if step + 1 < num_layers else last
            gate = make_gate(wanted, reachable(current, o3.Irreps.spherical_harmonics(degree)))
            self.convolutions.append(
                TensorProductConv(
                    current, gate.irreps_in, degree=degree, basis_channels=num_basis,
                    radial_channels=radial_channels, num_neighbors=num_neighbors,
                )
            )  # fmt: skip
            self.connections.append(
                o3.FullyConnectedTensorProduct(current, self.attributes, gate.irreps_in)
            )
            self.gates.append(gate)
            current = gate.irreps_out
        self.readout = o3.Linear(current, outputs)

    def evaluate(
        self,
        pos: Tensor,
        x: Tensor | None,
        vec: Tensor | None,
        edges: DirectedEdges | PairedEdges,
    ) -> tuple[Tensor | None, Tensor | None]:
        """Return scalars and vectors; see `PointNetwork.evaluate`."""
        distance, harmonics = edge_harmonics(pos, edges, self.degree)
        basis, window = self.basis(distance), self.window(distance)
        rows = as_edge_rows(edges, len(pos))
        attribute = pos.new_ones(len(pos), 1) if x is None else x
        h = self.embedding(join_features(attribute, vec))
        # Leaves one-hot species unchanged, and bounds other inputs, which enter in every layer.
        attribute = attribute / (0.5 + 0.5 * attribute.square().sum(-1, keepdim=True)).sqrt()
        for conv, connect, gate in zip(
            self.convolutions, self.connections, self.gates, strict=True
        ):
            h = gate(conv(h, harmonics, basis, window, rows) + connect(h, attribute))
        return split_outputs(self.readout(h), self.out_channels, self.out_vectors)
