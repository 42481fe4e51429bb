"""NequIP: steerable features and tensor products with spherical harmonics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from geozoo.checks import check_positive
from geozoo.models._element_scaling import ElementScaling
from geozoo.models._nequip_options import NequIPOptions
from geozoo.models._point_network import PointNetwork
from geozoo.models._steerable import (
    check_space,
    edge_harmonics,
    join_features,
    join_irreps,
    split_outputs,
)
from geozoo.nn import BesselBasis
from geozoo.nn.edges import DirectedEdges, PairedEdges
from geozoo.nn.steerable import (
    BlockGate,
    BlockMap,
    TensorProductConv,
    as_edge_rows,
    blocks_from_channels_last,
    blocks_to_channels_last,
    load_o3,
    make_gate,
    reachable,
)
from geozoo.options import grouped

if TYPE_CHECKING:
    from e3nn import o3

_DEFAULT = NequIPOptions()


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
        hidden_channels: channels of each degree and parity; unused with ``options.irreps``.
        degree: maximum degree of features and spherical harmonics.
        num_layers: number of layers.
        num_basis: number of radial Bessel functions.
        radial_channels: width of the radial networks.
        num_neighbors: average number of neighbours, for normalisation.
        radius: cutoff in the unit of the positions.
        options: variants of the equations: those of nequip 0.19 and of SevenNet-0, for example.

    Raises:
        ValueError: If a size or an option is invalid, or ``dim`` is not 3.
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
    last_weights: ClassVar[tuple[str, ...]] = ("readout.*",)

    @grouped("options")
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
        options: NequIPOptions = _DEFAULT,
    ) -> None:
        super().__init__(
            in_channels, out_channels, in_vectors=in_vectors, out_vectors=out_vectors, dim=dim,
            level=level, radius=radius,
        )  # fmt: skip
        check_space(dim)
        check_positive(hidden_channels=hidden_channels, num_layers=num_layers, degree=degree)
        o3 = load_o3()
        self.degree, self.options = degree, options
        self.basis = BesselBasis(num_basis, radius, trainable=options.trainable_basis)
        self.window = options.make_window(radius)
        if options.denominator is not None:
            num_neighbors = options.denominator**2
        radial: dict[str, Any] = {
            "degree": degree, "basis_channels": num_basis, "radial_channels": radial_channels,
            "radial_layers": options.radial_layers, "radial_bias": options.radial_bias,
            "num_neighbors": num_neighbors, "parity": options.parity,
            "scalar_bias": options.scalar_bias,
        }  # fmt: skip
        hidden = o3.Irreps(options.feature_irreps(hidden_channels, degree))
        outputs = o3.Irreps(join_irreps(out_channels, out_vectors, options.vector_kind))
        current, last = self._ends(hidden, outputs)
        self.embedding = o3.Linear(
            join_irreps(max(in_channels, 1), in_vectors, options.vector_kind), current
        )
        self.attributes = o3.Irreps([(max(in_channels, 1), "0e")])
        if options.self_connection == "embedding":
            self.attributes = current[:1]
        harmonics = o3.Irreps.spherical_harmonics(degree, p=-1 if options.parity else 1)
        self.convolutions, self.connections = nn.ModuleList(), nn.ModuleList()
        self.gates = nn.ModuleList()
        for step in range(num_layers):
            gate = make_gate(
                hidden if step + 1 < num_layers else last, reachable(current, harmonics),
                functional.silu if options.gate == "silu" else torch.sigmoid,
            )  # fmt: skip
            self.convolutions.append(TensorProductConv(current, gate.irreps_in, **radial))
            self.connections.append(self._connection(step, current, gate.irreps_in))
            self.gates.append(gate)
            current = gate.irreps_out
        self.readout = o3.Linear(current, outputs, biases=options.scalar_bias)
        self._plan()
        self.scaling = (
            ElementScaling(max(in_channels, 1), out_channels) if options.element_scaling else None
        )

    def _ends(self, hidden: o3.Irreps, outputs: o3.Irreps) -> tuple[o3.Irreps, o3.Irreps]:
        """Return the irreps of the embedding and of the last layer."""
        counts = {kind: count for count, kind in hidden}
        vector = load_o3().Irrep(self.options.vector_kind)
        lacking = [str(kind) for _, kind in outputs if kind not in counts]
        if lacking:
            raise ValueError(
                f"options.irreps must have the irreps of the outputs, {lacking[0]} among them, got "
                f"{self.options.irreps!r}"
            )
        scalars = self.options.embedding_channels or counts[load_o3().Irrep("0e")]
        vectors = counts.get(vector, scalars) if self.in_vectors else 0
        first = load_o3().Irreps(join_irreps(scalars, vectors, self.options.vector_kind))
        return first, load_o3().Irreps([(counts[kind], kind) for _, kind in outputs])

    def _connection(self, step: int, before: o3.Irreps, after: o3.Irreps) -> nn.Module:
        """Return the self-connection of a layer; `torch.nn.Identity` stands for none."""
        if step == 0 and not self.options.first_self_connection:
            return nn.Identity()
        if self.options.self_connection == "linear":
            return load_o3().Linear(before, after)
        return load_o3().FullyConnectedTensorProduct(before, self.attributes, after)

    def _plan(self) -> None:
        """How the layers of e3nn are evaluated."""
        self._embed, self._read = BlockMap(self.embedding), BlockMap(self.readout)
        self._connect = [
            None if isinstance(layer, nn.Identity) else BlockMap(layer)
            for layer in self.connections
        ]
        self._gating = [BlockGate(gate) for gate in self.gates]

    def evaluate(
        self,
        pos: Tensor,
        x: Tensor | None,
        vec: Tensor | None,
        edges: DirectedEdges | PairedEdges,
    ) -> tuple[Tensor | None, Tensor | None]:
        """Return scalars and vectors; see `PointNetwork.evaluate`."""
        distance, harmonics = edge_harmonics(
            pos, edges, self.degree, solid=self.options.solid_harmonics
        )
        basis, window = self.basis(distance), self.window(distance)
        if self.options.window_place == "basis":
            basis, window = basis * window.unsqueeze(-1), None
        rows = as_edge_rows(edges, pos.shape[0])
        given = pos.new_ones(pos.shape[0], 1) if x is None else x
        inputs = blocks_to_channels_last(join_features(given, vec), self._embed.sizes_in)
        h = self._embed.of_layer(self.embedding, inputs)
        attribute = None
        if self.options.self_connection == "embedding":
            attribute = h[0]
        elif self.options.self_connection == "inputs":
            # Leaves one-hot species unchanged, and bounds other inputs, which enter in every layer.
            attribute = given / (0.5 + 0.5 * given.square().sum(-1, keepdim=True)).sqrt()
        for conv, connection, connect, gate, gating in zip(
            self.convolutions, self.connections, self._connect, self.gates, self._gating,
            strict=True,
        ):  # fmt: skip
            assert isinstance(conv, TensorProductConv)
            kept = None if connect is None else connect.of_layer(connection, h, attribute)
            h = gating.apply(conv.convolve(h, harmonics, basis, window, rows, onto=kept), gate)
        out = blocks_from_channels_last(self._read.of_layer(self.readout, h), self._read.sizes_out)
        scalar, vector = split_outputs(out, self.out_channels, self.out_vectors)
        if scalar is not None and self.scaling is not None:
            scalar = self.scaling(scalar, given)
        return scalar, vector
