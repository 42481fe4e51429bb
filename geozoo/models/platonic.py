"""Platonic transformer: attention that is equivariant under a finite group of rotations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Literal, cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from geozoo.checks import check_not_negative, check_positive
from geozoo.geometry import FiniteGroup, NeighborPairs
from geozoo.models._inputs import (
    check_channels,
    check_condition,
    check_graphs,
    check_level,
    count_graphs,
)
from geozoo.models._neighborhoods import check_isolated, paired_neighbors
from geozoo.models._outputs import GeometricOutput, graph_output
from geozoo.models._platonic_options import PlatonicAttention, PlatonicSymmetry
from geozoo.nn import (
    GroupFourier,
    GroupLinear,
    RotaryAttention,
    lift_to_frames,
    project_from_frames,
)
from geozoo.nn.attention import PointBlocks, point_blocks
from geozoo.nn.edges import GivenEdges, as_edges
from geozoo.ops import centred
from geozoo.options import grouped


class PlatonicBlock(nn.Module):
    """Pre-norm transformer block; all maps commute with the group."""

    def __init__(
        self, channels: int, group: FiniteGroup, attention: PlatonicAttention, widening: int
    ) -> None:
        super().__init__()
        # Normalised on each element, with the same scale and bias on all of them.
        self.norm_1, self.norm_2 = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.attention = RotaryAttention(
            channels, attention.heads, group, form=attention.form, sigma=attention.rope_sigma,
            start=attention.frequencies, turn_values=attention.turn_values,
        )  # fmt: skip
        self.linear_1 = GroupLinear(channels, widening * channels, group)
        self.linear_2 = GroupLinear(widening * channels, channels, group)

    def forward(self, x: Tensor, pos: Tensor, blocks: PointBlocks) -> Tensor:
        """Return the new features ``[N, G, C]``."""
        x = x + self.attention(self.norm_1(x), pos, blocks)
        return x + self.linear_2(nn.functional.gelu(self.linear_1(self.norm_2(x))))


class Platonic(nn.Module):
    r"""Transformer on points, with features on a finite group G of rotations.

    Every point carries features f(g) for each g in G. Scalars are copied to all elements, vectors
    lifted as :math:`g^{-1} v`; linear maps are group convolutions; attention has rotary embeddings
    whose frequencies turn with the group; outputs are means over G, of vectors turned back. Exactly
    equivariant under translations and under the rotations (and reflections, if any) of G, and only
    approximately, as far as learnt, under other rotations. All points of a graph interact.

    Args:
        in_channels: scalar features per node.
        out_channels: scalar outputs.
        in_vectors: vector features per node.
        out_vectors: vector outputs.
        dim: dimension of the positions, 2 or 3.
        level: ``"graph"``: outputs are summed over the nodes of each graph; ``"node"``: per node.
        hidden_channels: width C on each element of the group.
        num_layers: number of transformer blocks.
        widening: hidden width of a block's MLP relative to C.
        condition_channels: conditioning features per graph, such as the noise level of a diffusion
            model, passed to `forward` as ``condition``; further scalars of every node.
        symmetry: the group.
        attention: heads, form and embeddings of the attention.

    Raises:
        ValueError: If a size or an option is invalid.

    Reference:
        Platonic Transformers: A Solid Choice for Equivariance, arXiv:2510.03511.

    >>> model = Platonic(1, 1, hidden_channels=8, num_layers=2)
    >>> pos, x, batch = torch.randn(5, 3), torch.randn(5, 1), torch.tensor([0, 0, 0, 1, 1])
    >>> model(pos, x, batch).scalar.shape
    torch.Size([2, 1])
    """

    elements: Tensor
    #: Supported spatial dimensions.
    dims: ClassVar[tuple[int, ...]] = (2, 3)
    last_weights: ClassVar[tuple[str, ...]] = ("readout.2.*",)

    @grouped("symmetry", "attention")
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
        num_layers: int = 4,
        widening: int = 4,
        condition_channels: int = 0,
        symmetry: PlatonicSymmetry = PlatonicSymmetry(),  # noqa: B008
        attention: PlatonicAttention = PlatonicAttention(),  # noqa: B008
    ) -> None:
        super().__init__()
        check_channels(in_channels, in_vectors, out_channels, out_vectors)
        check_level(level)
        check_positive(hidden_channels=hidden_channels, num_layers=num_layers, widening=widening)
        check_not_negative(condition_channels=condition_channels)
        self.in_channels, self.in_vectors = in_channels, in_vectors
        self.out_channels, self.out_vectors = out_channels, out_vectors
        self.dim, self.level, self.condition_channels = dim, level, condition_channels
        group = symmetry.elements(dim)
        self.register_buffer("elements", group.elements.clone(), persistent=False)
        width = in_channels + condition_channels + dim * in_vectors
        self.absolute = None
        if attention.absolute_sigma is not None:
            half = max(1, hidden_channels // 2)
            self.absolute = GroupFourier(half, group, sigma=attention.absolute_sigma)
            width += 2 * half
        self.embedding = GroupLinear(width, hidden_channels, group)
        self.blocks = nn.ModuleList(
            PlatonicBlock(hidden_channels, group, attention, widening) for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(hidden_channels)
        self.readout = nn.Sequential(
            GroupLinear(hidden_channels, hidden_channels, group),
            nn.GELU(),
            # Outputs are means over the group, to which a group convolution would add nothing.
            nn.Linear(hidden_channels, out_channels + dim * out_vectors),
        )

    def forward(
        self,
        pos: Float[Tensor, "N dim"],
        x: Float[Tensor, "N S"] | None,
        batch: Int[Tensor, " N"],
        edge_index: GivenEdges | PointBlocks | None = None,
        *,
        vec: Float[Tensor, "N V dim"] | None = None,
        num_graphs: int | None = None,
        condition: Float[Tensor, "G condition"] | None = None,
    ) -> GeometricOutput:
        """Return scalar and vector outputs.

        Args:
            pos: positions.
            x: scalar features, or None if ``in_channels`` is 0.
            batch: graph of each node, sorted.
            edge_index: senders and receivers, or edges of `geozoo.nn.edges`: every node attends to
                the senders of its edges and to itself; or the result of `neighbors`; None: to all
                nodes of its graph.
            vec: vector features, or None if ``in_vectors`` is 0.
            num_graphs: number of graphs; None: inferred from the last entry of ``batch``.
            condition: conditioning features of each graph.

        Raises:
            ValueError: If a tensor has the wrong shape, or an edge joins two graphs.
            IndexError: If ``edge_index`` contains an invalid node index.
        """
        found = edge_index if isinstance(edge_index, PointBlocks) else None
        given = None if isinstance(edge_index, PointBlocks) else edge_index
        check_graphs(
            pos, x, batch, given, vec,
            dim=self.dim, in_channels=self.in_channels, in_vectors=self.in_vectors,
        )  # fmt: skip
        num_graphs = count_graphs(batch, num_graphs)
        check_condition(condition, num_graphs, self.condition_channels)
        blocks = found or self.neighbors(pos, batch, given, num_graphs=num_graphs)
        # Angles of large coordinates would be rounded. Attention is invariant to this translation,
        # the absolute embedding needs it.
        pos = centred(pos, batch, num_graphs)
        features = self._lifted(pos, x, vec, None if condition is None else condition[batch])
        for block in cast("Iterable[PlatonicBlock]", self.blocks):
            features = block(features, pos, blocks)
        out = self.readout(self.norm(features))
        parts = project_from_frames(out, self.elements.to(out.dtype), self.out_channels)
        return graph_output(parts, batch, num_graphs, self)

    def neighbors(
        self,
        pos: Float[Tensor, "N dim"],
        batch: Int[Tensor, " N"],
        edge_index: GivenEdges | PointBlocks | None = None,
        *,
        num_graphs: int | None = None,
        num_pairs: int | None = None,
        cell: Float[Tensor, "G dim dim"] | None = None,
        pbc: Bool[Tensor, "G dim"] | None = None,
        pairs: NeighborPairs | None = None,
    ) -> PointBlocks:
        """Return the dense blocks that `forward` uses, to pass as ``edge_index``.

        Call it outside a compiled region: their sizes depend on values.

        Args:
            pos: positions.
            batch: graph of each node, sorted.
            edge_index: edges, or None; see `forward`.
            num_graphs: number of graphs.
            num_pairs: unused; part of `geozoo.contracts.NeighborListed`.
            cell: lattice vectors of each graph; they are not used.
            pbc: whether each graph is periodic along each lattice vector.
            pairs: pairs of nodes that attend to each other, if they are given; None: all.

        Raises:
            ValueError: If a graph is periodic, or an edge joins two graphs.
        """
        check_isolated(pbc, "attention between all points", "model to one with a cutoff")
        if isinstance(edge_index, PointBlocks):
            return edge_index
        num_graphs = count_graphs(batch, num_graphs)
        edges: Tensor | None = None
        if edge_index is not None:
            edges = as_edges(edge_index).directed(pos.shape[0]).index
        elif pairs is not None:
            found = paired_neighbors(pos, batch, None, num_graphs=num_graphs, pairs=pairs)
            edges = found.both_directions().index
        return point_blocks(batch, num_graphs, edges)

    def _lifted(
        self, pos: Tensor, x: Tensor | None, vec: Tensor | None, condition: Tensor | None
    ) -> Tensor:
        """Features ``[N, G, C]`` of the inputs."""
        scalars = [x] if self.in_channels and x is not None else []
        if condition is not None:
            scalars.append(condition.to(pos.dtype))
        lifted = lift_to_frames(
            torch.cat(scalars, -1) if scalars else None, vec if self.in_vectors else None,
            self.elements.to(pos.dtype),
        )  # fmt: skip
        if self.absolute is not None:
            lifted = torch.cat([lifted, self.absolute(pos)], -1)
        return self.embedding(lifted)
