"""PONITA: message passing on position-orientation space."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, cast

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from geozoo.checks import check_positive
from geozoo.geometry import NeighborPairs, check_lattice
from geozoo.models._block_steps import Step, forward_step, saving_step
from geozoo.models._inputs import (
    check_channels,
    check_condition,
    check_graphs,
    check_level,
    count_graphs,
)
from geozoo.models._kernel_network import KernelNetwork
from geozoo.models._neighborhoods import check_isolated, find_edges, neighborhood_geometry
from geozoo.models._outputs import GeometricOutput, graph_output
from geozoo.models._ponita_choices import (
    PonitaBlocks,
    PonitaKernel,
    PonitaOrientations,
    make_representation,
    resolve_backend,
)
from geozoo.models._ponita_resizing import (
    copy_weights,
    leading_weights,
    resized_arguments,
    same_kind,
)
from geozoo.nn.conv import ConvNeXtBlock
from geozoo.nn.edges import Edges, GivenEdges
from geozoo.options import grouped


class Ponita(KernelNetwork):
    r"""PONITA: SE(n) equivariant network with weight sharing in position-orientation space.

    A pair of points enters the convolutions only through invariants that characterise its
    equivalence class, so weights are shared over equivalent pairs. Scalar outputs are invariant
    under rotations, translations and (in R^3 x S^2 and R^n) reflections; vector outputs are
    equivariant. Exact for the representations ``"edges"`` and ``"position"``, up to the
    discretisation of the orientations for the bundles.

    Args:
        in_channels: scalar features per node.
        out_channels: scalar outputs.
        in_vectors: vector features per node.
        out_vectors: vector outputs.
        dim: dimension of the positions, 2 or 3.
        level: ``"graph"``: outputs are summed over the nodes of each graph; ``"node"``: per node.
        hidden_channels: width C of the features.
        num_layers: number of ConvNeXt blocks.
        representation: ``"bundle"``, ``"bundle_full"`` (joint kernel over space and fibre,
            expensive), ``"frames"`` (rotations instead of orientations: distinguishes mirror
            images), ``"edges"`` (lifted edges) or ``"position"`` (PNITA: scalars only).
        radius: cutoff in the unit of the positions; None: no window, complete graphs.
        lattice: points along each axis, if every graph is a lattice such as the pixels of an image,
            in row-major order; it may be rotated and stretched. None: arbitrary points.
        orientations: number, grid and invariants of the orientations.
        kernel: basis, degree, condition and evaluation backend of the kernels.
        blocks: ConvNeXt blocks and readouts.

    Raises:
        ValueError: If a size or an option is invalid.

    Reference:
        E. J. Bekkers, S. Vadgama, R. D. Hesselink, P. A. van der Linden, D. W. Romero, Fast,
        Expressive SE(n) Equivariant Networks through Weight-Sharing in Position-Orientation Space,
        ICLR 2024, arXiv:2310.02970.

    >>> model = Ponita(1, 1, hidden_channels=8, orientations={"num_orientations": 6})
    >>> pos, x, batch = torch.randn(5, 3), torch.randn(5, 1), torch.tensor([0, 0, 0, 1, 1])
    >>> model(pos, x, batch).scalar.shape
    torch.Size([2, 1])
    """

    @grouped("orientations", "kernel", "blocks")
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
        num_layers: int = 5,
        representation: Literal["bundle", "bundle_full", "frames", "edges", "position"] = "bundle",
        radius: float | None = None,
        lattice: Sequence[int] | None = None,
        orientations: PonitaOrientations = PonitaOrientations(),  # noqa: B008
        kernel: PonitaKernel = PonitaKernel(),  # noqa: B008
        blocks: PonitaBlocks = PonitaBlocks(),  # noqa: B008
    ) -> None:
        super().__init__()
        check_channels(in_channels, in_vectors, out_channels, out_vectors)
        check_level(level)
        check_positive(num_layers=num_layers)
        if representation == "position" and (in_vectors or out_vectors):
            raise ValueError(
                'representation "position" has no vectors: in_vectors and out_vectors must be 0, '
                f"got {in_vectors} and {out_vectors}"
            )
        self.in_channels, self.in_vectors = in_channels, in_vectors
        self.out_channels, self.out_vectors = out_channels, out_vectors
        self.dim, self.level, self.radius = dim, level, radius
        self.condition_channels = kernel.condition_channels
        self._arguments: dict[str, Any] = {
            "in_channels": in_channels, "out_channels": out_channels, "in_vectors": in_vectors,
            "out_vectors": out_vectors, "dim": dim, "level": level,
            "hidden_channels": hidden_channels, "num_layers": num_layers,
            "representation": representation, "radius": radius, "lattice": lattice,
            "orientations": orientations, "kernel": kernel, "blocks": blocks,
        }  # fmt: skip
        self.representation = make_representation(
            representation, dim, orientations, kernel, hidden_channels, radius
        )
        self.lattice = None if lattice is None else check_lattice(lattice, dim)
        self.backend = resolve_backend(kernel.backend, self.representation, self.lattice)
        width = self.representation.width
        self.embedding = nn.Linear(width(in_channels, in_vectors), hidden_channels, bias=False)
        self.blocks = nn.ModuleList(
            ConvNeXtBlock(
                self.representation.make_conv(hidden_channels, depthwise=kernel.depthwise),
                hidden_channels,
                hidden_channels,
                widening=blocks.widening,
                layer_scale=blocks.layer_scale,
            )
            for _ in range(num_layers)
        )
        self.readouts = nn.ModuleList(
            nn.Linear(hidden_channels, width(out_channels, out_vectors))
            for _ in range(num_layers if blocks.multiple_readouts else 1)
        )
        self.recompute = blocks.recompute

    def forward(
        self,
        pos: Float[Tensor, "N dim"],
        x: Float[Tensor, "N S"] | None,
        batch: Int[Tensor, " N"],
        edge_index: GivenEdges | None = None,
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
            edge_index: senders and receivers, used unchanged (self-loops are ordinary edges), or
                edges of `geozoo.nn.edges`, such as `neighbors` returns; None: all pairs of a graph,
                within ``radius`` if it is set, with self-loops.
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
        edge_index: GivenEdges | None = None,
        *,
        num_graphs: int | None = None,
        num_pairs: int | None = None,
        cell: Float[Tensor, "G dim dim"] | None = None,
        pbc: Bool[Tensor, "G dim"] | None = None,
        pairs: NeighborPairs | None = None,
    ) -> Edges | None:
        """Return the neighbour list that `forward` would construct, to pass as ``edge_index``.

        Call it outside a compiled region: the shape of the result depends on values. None for the
        lattice backend, whose edges are computed from the points in `forward`.

        Args:
            pos: positions.
            batch: graph of each node.
            edge_index: edges, or None.
            num_graphs: number of graphs.
            num_pairs: total number of pairs of different nodes in the same graph, if known.
                Complete graphs are then constructed without synchronising with the device.
            cell: lattice vectors of each graph, in rows; None: no graph is periodic.
            pbc: whether each graph is periodic along each lattice vector; required with ``cell``.
            pairs: the neighbour pairs (`geozoo.geometry.neighbor_pairs`), if known already.

        Raises:
            ValueError: If there are periodic graphs and the model has no ``radius``.
        """
        if edge_index is None and self.form.on_lattice:
            check_isolated(pbc, "lattice", "lattice to null")
            return None
        return find_edges(
            self.representation, self.form, pos.detach(), batch, edge_index,
            num_graphs=count_graphs(batch, num_graphs), radius=self.radius,
            conditioned=self.condition_channels > 0, num_pairs=num_pairs,
            cell=cell, pbc=pbc, pairs=pairs,
        )  # fmt: skip

    @property
    def orientations(self) -> Tensor | None:
        """The grid of a bundle, unit vectors ``[O, dim]``; None without one."""
        grid = getattr(self.representation, "orientations", None)
        return grid if isinstance(grid, Tensor) else None

    @property
    def size_arguments(self) -> dict[str, Any]:
        """The constructor arguments that `resized` changes."""
        size = {name: self._arguments[name] for name in ("hidden_channels", "num_layers")}
        grid = self.orientations
        return size if grid is None else {**size, "orientations": {"num_orientations": len(grid)}}

    def resized(
        self,
        *,
        orientations: int | Tensor | None = None,
        num_layers: int | None = None,
        width: float | None = None,
    ) -> Ponita:
        """Return a network of another size with the leading weights of this one.

        The kernels are functions of invariants and fit every grid; of each linear map the leading
        channels remain, of the blocks the leading ones with their readouts. Layer norms and means
        follow the size. How accurate the result is depends on the training, see
        `geozoo.tasks.ElasticTraining`.

        Args:
            orientations: number of orientations of the same kind of grid, or unit vectors
                ``[O, dim]``; None: the grid of this network.
            num_layers: number of blocks; None: all.
            width: fraction of ``hidden_channels``, in (0, 1]; basis functions all remain. None: 1.

        Raises:
            ValueError: If the network has no such part, or its representation no grid.
        """
        arguments = resized_arguments(
            self._arguments, self.representation, num_layers=num_layers, width=width,
            orientations=self.orientations if orientations is None else orientations,
        )  # fmt: skip
        part = Ponita(**arguments)
        part._arguments["orientations"] = same_kind(self._arguments["orientations"], orientations)
        copy_weights(self, part)
        part.calibrated.copy_(self.calibrated)
        return part.train(self.training)

    def shared_parameters(self, part: nn.Module) -> dict[str, Tensor]:
        """Return the parameters of a network made by `resized`, as differentiable parts of ours.

        Args:
            part: the smaller network.
        """
        return leading_weights(self, part)

    def _run(
        self,
        step: Step,
        pos: Tensor,
        x: Tensor | None,
        batch: Tensor,
        edge_index: GivenEdges | None,
        vec: Tensor | None,
        num_graphs: int | None,
        condition: Tensor | None,
    ) -> GeometricOutput:
        check_graphs(
            pos, x, batch, edge_index, vec,
            dim=self.dim, in_channels=self.in_channels, in_vectors=self.in_vectors,
        )  # fmt: skip
        num_graphs = count_graphs(batch, num_graphs)
        check_condition(condition, num_graphs, self.condition_channels)
        geometry = neighborhood_geometry(
            self.representation, self.form, pos, batch, edge_index, num_graphs=num_graphs,
            radius=self.radius, lattice=self.lattice, condition=condition,
        )  # fmt: skip
        lifted = self.representation.lift(
            x if self.in_channels else None, vec if self.in_vectors else None, geometry
        )
        features = self.embedding(lifted)
        neighborhood = geometry.neighborhood
        step = saving_step(step, self.recompute, neighborhood, self.blocks.parameters())
        readouts = [None] * (len(self.blocks) - len(self.readouts)) + list(self.readouts)
        total: Tensor | None = None
        blocks = cast("Iterable[ConvNeXtBlock]", self.blocks)
        for block, readout in zip(blocks, readouts, strict=True):
            features = step(block, features, neighborhood)
            if readout is not None:
                part = readout(features)
                total = part if total is None else total + part
        assert total is not None  # the last block is read out
        parts = self.representation.project(total / len(self.readouts), self.out_channels, geometry)
        return graph_output(parts, batch, num_graphs, self)
