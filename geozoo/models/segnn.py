"""SEGNN: steerable E(3) equivariant graph neural networks."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any, ClassVar, Literal, cast

import torch
from torch import Tensor, nn

from geozoo.checks import check_positive
from geozoo.models._point_network import PointNetwork
from geozoo.models._steerable import (
    check_space,
    edge_harmonics,
    harmonics_of,
    join_irreps,
)
from geozoo.nn import PolynomialWindow
from geozoo.nn.edges import DirectedEdges
from geozoo.nn.steerable import SteerableLinear, load_o3, natural_irreps
from geozoo.ops import message_sum, safe_norm, scatter
from geozoo.ops.steerable import Rows, Target

_Layers = Iterable[SteerableLinear]


class SEGNN(PointNetwork):
    r"""Steerable features, with messages and updates conditioned on spherical harmonics.

    With the edge attributes :math:`a_{ij} = Y(x_j - x_i)`, and node attributes :math:`a_i`, their
    mean over the neighbours plus the harmonics of the node's vectors:

    .. math:: m_{ij} = \phi^m_{a_{ij}}(h_i, h_j, \|x_j - x_i\|^2), \qquad
        h_i \leftarrow h_i + \phi^h_{a_i}\bigl(h_i, \textstyle\sum_j m_{ij}\bigr)

    Messages also depend on the products of the scalars of both nodes, as for the charges in the
    published N-body model. Node features are initialised from the scalars, the vectors and their
    norms.

    Args:
        in_channels: scalar features per node.
        out_channels: scalar outputs.
        in_vectors: vector features per node.
        out_vectors: vector outputs.
        dim: 3.
        level: ``"graph"``: outputs are summed over the nodes of each graph; ``"node"``: per node.
        hidden_channels: channels of each degree.
        degree: maximum degree of the features.
        attribute_degree: maximum degree of the attributes.
        num_layers: number of layers.
        radius: cutoff in the unit of the positions, with a smooth window; None: complete graphs.

    Raises:
        ValueError: If a size is invalid, or ``dim`` is not 3.
        ImportError: If e3nn is not installed.

    Reference:
        J. Brandstetter, R. Hesselink, E. van der Pol, E. J. Bekkers, M. Welling, Geometric and
        Physical Quantities Improve E(3) Equivariant Message Passing, ICLR 2022, arXiv:2110.02905.

    >>> model = SEGNN(2, 1, hidden_channels=4, num_layers=2)
    >>> batch = torch.zeros(4, dtype=torch.long)
    >>> model(torch.randn(4, 3), torch.randn(4, 2), batch).scalar.shape
    torch.Size([1, 1])
    """

    #: Supported spatial dimensions.
    dims: ClassVar[tuple[int, ...]] = (3,)
    last_weights: ClassVar[tuple[str, ...]] = ("readout.1.*",)

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
        degree: int = 1,
        attribute_degree: int = 1,
        num_layers: int = 4,
        radius: float | None = None,
    ) -> None:
        super().__init__(
            in_channels, out_channels, in_vectors=in_vectors, out_vectors=out_vectors, dim=dim,
            level=level, radius=radius,
        )  # fmt: skip
        check_space(dim)
        check_positive(
            hidden_channels=hidden_channels, num_layers=num_layers, degree=degree,
            attribute_degree=attribute_degree,
        )  # fmt: skip
        self.attribute_degree = attribute_degree
        self.window = PolynomialWindow(radius)
        attribute = str(load_o3().Irreps.spherical_harmonics(attribute_degree))
        hidden = natural_irreps(hidden_channels, degree)
        inputs = join_irreps(max(in_channels + in_vectors, 1), in_vectors)
        self.embedding = SteerableLinear(inputs, attribute, hidden, gated=False)
        pair = f"{hidden}+{hidden}+{1 + in_channels}x0e"
        self.messages = nn.ModuleList(
            nn.ModuleList(SteerableLinear(each, attribute, hidden) for each in (pair, hidden))
            for _ in range(num_layers)
        )
        kinds = len(load_o3().Irreps(hidden))
        for first, last in cast("Iterable[_Layers]", self.messages):  # a compiler cannot plan
            first.plan((*(True,) * 2 * kinds, False), has_unit=True)
            last.plan((False,) * kinds, has_unit=True)
        self.updates = nn.ModuleList(
            nn.ModuleList(
                [
                    SteerableLinear(f"{hidden}+{hidden}", attribute, hidden),
                    # A small gain, so that features do not grow from layer to layer.
                    SteerableLinear(hidden, attribute, hidden, gated=False, gain=0.1),
                ]
            )
            for _ in range(num_layers)
        )
        self.readout = nn.ModuleList(
            [
                SteerableLinear(hidden, attribute, hidden),
                SteerableLinear(
                    hidden, attribute, join_irreps(out_channels, out_vectors), gated=False
                ),
            ]
        )

    def evaluate(
        self, pos: Tensor, x: Tensor | None, vec: Tensor | None, edges: DirectedEdges
    ) -> tuple[Tensor | None, Tensor | None]:
        """Return scalars and vectors; see `PointNetwork.evaluate`."""
        sender, receiver = edges.sender, edges.receiver
        distance, edge = edge_harmonics(pos, edges, self.attribute_degree)
        weight = self.window(distance).unsqueeze(-1)
        node = self._node_attributes(edge, weight, receiver, pos.shape[0])
        if vec is not None:
            node = node + harmonics_of(vec, self.attribute_degree).sum(1)
        pair = distance.square().unsqueeze(-1)
        if x is not None:
            products = x.index_select(0, sender) * x.index_select(0, receiver)
            pair = torch.cat([pair, products], -1)
        h = self.embedding.steer(self._inputs(pos, x, vec), node)
        layers = zip(self.messages, self.updates, strict=True)
        for message, update in cast("Iterable[tuple[nn.ModuleList, nn.ModuleList]]", layers):
            total = message_sum(
                partial(_message_sums, message), (sender, receiver), pos.shape[0], senders=tuple(h),
                receivers=tuple(h), rows=(pair, edge, weight), weights=message.parameters(),
            )  # fmt: skip
            new = _steered(update, [*h, *total], node)
            h = [before + change for before, change in zip(h, new, strict=True)]
        return self._outputs(_steered(self.readout, h, node))

    def _inputs(self, pos: Tensor, x: Tensor | None, vec: Tensor | None) -> list[Rows]:
        """Scalars, and vectors with their channels last."""
        scalars = [] if x is None else [x]
        if vec is not None:
            scalars.append(safe_norm(vec))
        first = torch.cat(scalars, -1) if scalars else pos.new_ones(pos.shape[0], 1)
        return [Rows(first), *([] if vec is None else [Rows(vec.transpose(1, 2).flatten(1))])]

    def _outputs(self, blocks: list[Tensor]) -> tuple[Tensor | None, Tensor | None]:
        scalar = blocks[0] if self.out_channels else None
        if not self.out_vectors:
            return scalar, None
        return scalar, blocks[-1].unflatten(1, (3, self.out_vectors)).transpose(1, 2)

    @staticmethod
    def _node_attributes(edge: Tensor, weight: Tensor, receiver: Tensor, count: int) -> Tensor:
        """Return the mean harmonics over the neighbours, (1, 0, 0, ...) for isolated nodes."""
        # The mean is weighted by the window, so that it is smooth at the cutoff. Each node also has
        # a self-loop with a small weight, which matters only for isolated nodes.
        itself = 1e-3 * torch.eye(1, edge.shape[1], dtype=edge.dtype, device=edge.device)
        total = scatter(edge * weight, receiver, count) + itself
        return total / (scatter(weight, receiver, count) + 1e-3)


def _steered(layers: nn.ModuleList, blocks: list[Tensor], attribute: Tensor) -> list[Tensor]:
    """Apply steerable layers one after the other."""
    for layer in cast("_Layers", layers):
        blocks = layer.steer([Rows(block) for block in blocks], attribute)
    return blocks


def _message_sums(layers: nn.ModuleList, *given: Any, target: Target) -> tuple[Tensor, ...]:
    """Sums of messages; the arguments are those of `geozoo.ops.message_sum`."""
    *ends, pair, edge, weight = given
    kinds = len(ends) // 2
    first, last = cast("_Layers", layers)
    blocks = [*ends[kinds:], *ends[:kinds], Rows(pair)]  # receivers, senders
    m = [Rows(block) for block in first.steer(blocks, edge, has_unit=True)]
    return tuple(last.steer(m, edge, has_unit=True, window=weight, target=target))
