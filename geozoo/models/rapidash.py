"""Rapidash: PONITA with attention on its messages and several scales."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, cast

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from geozoo.checks import check_positive
from geozoo.geometry import NeighborPairs
from geozoo.models._block_steps import Step, forward_step, saving_step
from geozoo.models._centres import with_coordinates
from geozoo.models._inputs import (
    check_channels,
    check_condition,
    check_graphs,
    check_level,
    count_graphs,
)
from geozoo.models._kernel_network import KernelNetwork
from geozoo.models._neighborhoods import check_isolated, find_edges
from geozoo.models._outputs import GeometricOutput, graph_output
from geozoo.models._point_scales import PointScales, Scale, point_scales
from geozoo.models._ponita_choices import (
    PonitaKernel,
    PonitaOrientations,
    make_representation,
)
from geozoo.models._rapidash_options import (
    Coordinates,
    RapidashBlocks,
    RapidashScales,
    check_combination,
    choose_backend,
)
from geozoo.models._rapidash_places import Place, places_of
from geozoo.nn.conv import AttentiveConv, ConvNeXtBlock
from geozoo.nn.conv._kernel import KernelConv
from geozoo.nn.edges import Edges, GivenEdges
from geozoo.nn.representation._base import Representation
from geozoo.options import grouped


class Rapidash(KernelNetwork):
    r"""Rapidash: convolutions in position-orientation space with attention, at several scales.

    The representations, kernels and blocks of `Ponita`; without attention, at one scale, it is
    `Ponita`. Messages are multiplied by attention weights
    (`geozoo.nn.AttentiveConv`). Each further scale keeps some of the points
    (`geozoo.geometry.farthest_points`); a convolution along the edges from each point to the kept
    point nearest to it pools features, one along the reversed edges brings them back. Scalar
    outputs are invariant and vector outputs equivariant, as those of `Ponita`, unless
    ``coordinates="symmetry_breaking"``.

    Args:
        in_channels: scalar features per node.
        out_channels: scalar outputs.
        in_vectors: vector features per node.
        out_vectors: vector outputs.
        dim: dimension of the positions, 2 or 3.
        level: ``"graph"``: outputs are summed over the points of the coarsest scale of each graph;
            ``"node"``: features are brought back to all points, outputs are per node.
        hidden_channels: width C of the features at all scales.
        representation: see `Ponita`; ``"edges"`` and ``"bundle_full"`` have one scale, and
            ``"bundle_full"`` no attention.
        radius: cutoff in the unit of the positions; None: no window. Needs a single scale.
        coordinates: positions relative to the mean position of their graph as further inputs:
            ``"none"``, as vectors (``"equivariant"``), or their components as scalars
            (``"symmetry_breaking"``: outputs are then not equivariant under rotations).
        scales: number of blocks of each scale, points kept, edges.
        orientations: number, grid and invariants of the orientations.
        kernel: basis, degree, condition and evaluation backend of the kernels; with attention the
            backend is ``"fused"`` or ``"textbook"``.
        blocks: attention and ConvNeXt blocks.

    Raises:
        ValueError: If a size or an option is invalid, or options do not go together.

    Note:
        With several scales or nearest neighbours the choice of points and edges jumps when points
        move, so energies of a potential are not continuous.

    Reference:
        Probing Equivariance and Symmetry Breaking in Convolutional Networks, NeurIPS 2025,
        arXiv:2501.01999.

    >>> model = Rapidash(1, 1, hidden_channels=8, scales={"layers": [1, 1]})
    >>> pos, x, batch = torch.randn(5, 3), torch.randn(5, 1), torch.tensor([0, 0, 0, 1, 1])
    >>> model(pos, x, batch).scalar.shape
    torch.Size([2, 1])
    """

    @grouped("scales", "orientations", "kernel", "blocks")
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
        representation: Literal["bundle", "bundle_full", "frames", "edges", "position"] = "bundle",
        radius: float | None = None,
        coordinates: Coordinates = "none",
        scales: RapidashScales = RapidashScales(),  # noqa: B008
        orientations: PonitaOrientations = PonitaOrientations(),  # noqa: B008
        kernel: PonitaKernel = PonitaKernel(),  # noqa: B008
        blocks: RapidashBlocks = RapidashBlocks(),  # noqa: B008
    ) -> None:
        super().__init__()
        check_channels(in_channels, in_vectors, out_channels, out_vectors)
        check_level(level)
        check_positive(hidden_channels=hidden_channels)
        check_combination(
            representation, radius, coordinates, scales, blocks, vectors=(in_vectors, out_vectors)
        )
        self.in_channels, self.in_vectors = in_channels, in_vectors
        self.out_channels, self.out_vectors = out_channels, out_vectors
        self.dim, self.level, self.radius = dim, level, radius
        self.condition_channels = kernel.condition_channels
        self.coordinates, self.scales = coordinates, scales
        self.attends, self.recompute = blocks.attention, blocks.recompute
        layers = scales.layers
        self.representations = nn.ModuleList(
            make_representation(representation, dim, orientations, kernel, hidden_channels, radius)
            for _ in layers[: 1 if scales.share_basis else None]
        )
        base = self._at(0)
        self.backend = choose_backend(kernel.backend, base, attention=blocks.attention)
        scalars = in_channels + (dim if coordinates == "symmetry_breaking" else 0)
        vectors = in_vectors + (1 if coordinates == "equivariant" else 0)
        self.embedding = nn.Linear(base.width(scalars, vectors), hidden_channels, bias=False)

        def make_conv() -> KernelConv:
            return base.make_conv(hidden_channels, depthwise=kernel.depthwise)

        def make_block() -> ConvNeXtBlock:
            conv: KernelConv | AttentiveConv = make_conv()
            if isinstance(conv, KernelConv) and blocks.attention:
                conv = AttentiveConv(conv, hidden_channels, blocks.attention_channels)
            return ConvNeXtBlock(
                conv, hidden_channels, hidden_channels,
                widening=blocks.widening, layer_scale=blocks.layer_scale,
            )  # fmt: skip

        back = layers[:-1] if level == "node" else ()
        self.blocks = nn.ModuleList(_layers(make_block, count) for count in layers)
        self.blocks_back = nn.ModuleList(_layers(make_block, count) for count in back)
        self.pooling, self.unpooling = (
            _layers(make_conv, count) for count in (len(layers) - 1, len(back))
        )
        read = layers[0 if level == "node" else -1] if blocks.multiple_readouts else 1
        width = base.width(out_channels, out_vectors)
        self.readouts = _layers(lambda: nn.Linear(hidden_channels, width), max(read, 1))

    @property
    def has_fixed_neighbors(self) -> bool:
        """Whether the result of `neighbors` does not depend on positions."""
        return self.radius is None and self.scales.has_fixed_edges

    def forward(
        self,
        pos: Float[Tensor, "N dim"],
        x: Float[Tensor, "N S"] | None,
        batch: Int[Tensor, " N"],
        edge_index: GivenEdges | PointScales | None = None,
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
            edge_index: edges of the first scale, used unchanged (self-loops are ordinary edges); or
                the result of `neighbors`; None: those that `neighbors` finds.
            vec: vector features, or None if ``in_vectors`` is 0.
            num_graphs: number of graphs; None: inferred from the last entry of ``batch``.
            condition: conditioning features of each graph, on which all kernels depend.

        Raises:
            ValueError: If a tensor has the wrong shape.
            IndexError: If ``edge_index`` contains an invalid node index.
        """
        return self._in_form(forward_step, pos, x, batch, edge_index, vec, num_graphs, condition)

    def neighbors(
        self,
        pos: Float[Tensor, "N dim"],
        batch: Int[Tensor, " N"],
        edge_index: GivenEdges | PointScales | None = None,
        *,
        num_graphs: int | None = None,
        num_pairs: int | None = None,
        cell: Float[Tensor, "G dim dim"] | None = None,
        pbc: Bool[Tensor, "G dim"] | None = None,
        pairs: NeighborPairs | None = None,
    ) -> Edges | PointScales:
        """Return the points kept and the edges of all scales, to pass as ``edge_index``.

        Call it outside a compiled region: the shape of the result depends on values. With a single
        scale whose points are all joined, these are the edges that `Ponita.neighbors` returns.
        Otherwise each point has edges from itself and from its nearest points, in the first scale
        unless edges are given; the coarsest scale is complete by default.

        Args:
            pos: positions.
            batch: graph of each node.
            edge_index: edges of the first scale, or None.
            num_graphs: number of graphs.
            num_pairs: total number of pairs of different nodes in the same graph, if known.
            cell: lattice vectors of each graph, in rows; None: no graph is periodic.
            pbc: whether each graph is periodic along each lattice vector; required with ``cell``.
            pairs: the neighbour pairs (`geozoo.geometry.neighbor_pairs`), if known already.

        Raises:
            ValueError: If there are periodic graphs, and the model has no ``radius``; or pairs are
                given to a model that chooses its own.
        """
        if isinstance(edge_index, PointScales):
            return edge_index
        num_graphs = count_graphs(batch, num_graphs)
        found: dict[str, Any] = {"num_graphs": num_graphs, "radius": self.radius}
        found["conditioned"] = self.condition_channels > 0
        if self.scales.has_fixed_edges:
            return find_edges(
                self._at(0), self.form, pos.detach(), batch, edge_index,
                num_pairs=num_pairs, cell=cell, pbc=pbc, pairs=pairs, **found,
            )  # fmt: skip
        check_isolated(pbc, "scales", 'scales.layers to one scale, scales.coarsest to "complete"')
        if pairs is not None:
            raise ValueError(
                "pairs must be None for a model with several scales or nearest neighbours, which "
                "finds its own"
            )

        def edges_at(
            number: int, pos: Tensor, batch: Tensor, given: GivenEdges | None
        ) -> Edges | None:
            if not self.scales.layers[number]:
                return None
            return find_edges(self._at(number), self.form, pos, batch, given, **found)

        return point_scales(
            pos, batch, edge_index, num_graphs=num_graphs, options=self.scales, edges_at=edges_at
        )

    def _at(self, scale: int) -> Representation:
        """The representation of a scale; all share one if they share the kernel basis."""
        return cast(
            "Representation", self.representations[min(scale, len(self.representations) - 1)]
        )

    def _run(
        self,
        step: Step,
        pos: Tensor,
        x: Tensor | None,
        batch: Tensor,
        edge_index: GivenEdges | PointScales | None,
        vec: Tensor | None,
        num_graphs: int | None,
        condition: Tensor | None,
    ) -> GeometricOutput:
        given = None if isinstance(edge_index, PointScales) else edge_index
        check_graphs(
            pos, x, batch, given, vec,
            dim=self.dim, in_channels=self.in_channels, in_vectors=self.in_vectors,
        )  # fmt: skip
        num_graphs = count_graphs(batch, num_graphs)
        check_condition(condition, num_graphs, self.condition_channels)
        found = self.neighbors(pos, batch, edge_index, num_graphs=num_graphs)
        scales = found.scales if isinstance(found, PointScales) else (Scale(found, None, None),)
        if len(scales) != len(self.blocks):
            raise ValueError(
                f"edge_index must have {len(self.blocks)} scales, as the model, got {len(scales)}"
            )
        places = places_of(pos, batch, condition, scales, self._at)
        features = self.embedding(self._lifted(x, vec, places[0], num_graphs))
        skipped = []
        for number, place in enumerate(places):
            found_at = self._through(step, self.blocks[number], features, place)
            features = found_at[-1]
            if place.kept is None or place.down is None:
                break
            skipped.append(features)
            pooled = step(self.pooling[number], features, place.between(place.down))
            features = features.index_select(0, place.kept) + pooled
        for number in reversed(range(len(self.unpooling))):
            place = places[number]
            assert place.down is not None  # it is not the coarsest
            around = place.between(place.down.reversed())
            features = skipped[number] + step(self.unpooling[number], found_at[-1], around)
            found_at = self._through(step, self.blocks_back[number], features, place)
        place = places[0 if self.level == "node" else -1]
        parts = place.representation.project(
            self._read(found_at), self.out_channels, place.geometry
        )
        return graph_output(parts, place.batch, num_graphs, self)

    def _lifted(
        self, x: Tensor | None, vec: Tensor | None, place: Place, num_graphs: int
    ) -> Tensor:
        """Input features, with coordinates if they are inputs."""
        x, vec = x if self.in_channels else None, vec if self.in_vectors else None
        x, vec = with_coordinates(
            x, vec, place.pos, place.batch, num_graphs, as_input=self.coordinates
        )
        return place.representation.lift(x, vec, place.geometry)

    def _read(self, found: list[Tensor]) -> Tensor:
        """The mean of the readouts of the last features."""
        last = found[-len(self.readouts) :]
        parts = [readout(each) for readout, each in zip(self.readouts, last, strict=True)]
        return sum(parts[1:], start=parts[0]) / len(parts)

    def _through(
        self, step: Step, blocks: nn.Module, features: Tensor, place: Place
    ) -> list[Tensor]:
        """Features after each block of a scale; those given, if there is none."""
        layers = list(cast("nn.ModuleList", blocks))
        if not layers:
            return [features]
        neighborhood = dict(place.geometry.neighborhood)
        if self.attends:
            neighborhood["window"] = place.window()
        step = saving_step(step, self.recompute, neighborhood, blocks.parameters())
        found = []
        for block in layers:
            features = step(block, features, neighborhood)
            found.append(features)
        return found


def _layers(make: Callable[[], nn.Module], count: int) -> nn.ModuleList:
    return nn.ModuleList(make() for _ in range(count))
