"""Tensor products of features of pairs with the environment of a node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geozoo.checks import check_choice, check_not_negative, check_positive, check_shape
from geozoo.nn.edges import GivenEdges, as_edge_rows
from geozoo.nn.steerable.irreps import load_o3
from geozoo.ops.steerable import EdgeRows, Path, SteerablePaths, coupling, steerable_sum

Mixing = Literal["full", "channelwise"]


class _Product(NamedTuple):
    """All paths of one pair of irreps.

    Attributes:
        first: components of the features.
        second: components of the environment.
        paths: number of each path and place of its output.
        dims: components of the output of each path.
    """

    first: slice
    second: slice
    paths: tuple[tuple[int, int], ...]
    dims: tuple[int, ...]


class PairProduct(nn.Module):
    r"""Tensor products of features of pairs with the weighted harmonics around the receiver.

    .. math:: V'_{ij} = W \Bigl( V_{ij} \otimes \frac{1}{\sqrt{n}} \sum_{k \to i}
        w_{ik}\, Y(\hat r_{ik}) \Bigr)

    Every path is a product channel by channel. Features have their channels last,
    ``[2 l + 1, C]`` for each irrep.

    Args:
        kinds_in: irreps of the features, each with C channels: ``["0e", "1o"]``.
        kinds_out: irreps of the output; those that no product reaches are zero.
        channels: number C of channels.
        degree: maximum degree of the harmonics.
        mixing: W; ``"full"``: a linear map of all paths and channels of an irrep;
            ``"channelwise"``: one weight per path and channel.
        num_neighbors: average number n of neighbours, for normalisation.

    Raises:
        ImportError: If e3nn is not installed.
        ValueError: If a size is invalid, or no product reaches an irrep of ``kinds_out``.

    Reference:
        A. Musaelian et al., Learning local equivariant representations for large-scale atomistic
        dynamics, Nat. Commun. 14, 579 (2023), arXiv:2204.05249.
    """

    def __init__(
        self,
        kinds_in: Sequence[str],
        kinds_out: Sequence[str],
        *,
        channels: int,
        degree: int,
        mixing: Mixing = "full",
        num_neighbors: float = 1.0,
    ) -> None:
        super().__init__()
        check_positive(channels=channels)
        check_not_negative(degree=degree)
        check_choice("mixing", mixing, get_args(Mixing))
        if not num_neighbors > 0:
            raise ValueError(f"num_neighbors must be positive, got {num_neighbors!r}")
        self.channels, self.mixing, self.degree = channels, mixing, degree
        self.kinds_in, self.kinds_out = tuple(kinds_in), tuple(kinds_out)
        self.environment = _environment(channels, degree, num_neighbors**-0.5)
        self._make_paths()
        if not self.triples:
            raise ValueError(
                f"kinds_out must share an irrep with the product of kinds_in {self.kinds_in} and "
                f"harmonics up to degree {degree}, got {self.kinds_out}"
            )
        self.weights = nn.ParameterList()
        for count in self.counts:
            shape = (count * channels, channels) if mixing == "full" else (count, channels)
            limit = (3.0 / shape[0] if count else 0.0) ** 0.5
            self.weights.append(nn.Parameter(torch.empty(shape).uniform_(-limit, limit)))

    def _make_paths(self) -> None:
        """List the paths: their degrees and outputs, by pairs of irreps."""
        before = [load_o3().Irrep(kind) for kind in self.kinds_in]
        after = [load_o3().Irrep(kind) for kind in self.kinds_out]
        around = [kind for _, kind in load_o3().Irreps.spherical_harmonics(self.degree)]
        self.dims_in, self.dims_out = [k.dim for k in before], [k.dim for k in after]
        #: Numbers of input, harmonics and output of each path.
        self.triples: list[tuple[int, int, int]] = []
        #: Number of paths to each output.
        self.counts = [0] * len(after)
        self.products: list[_Product] = []
        start = 0
        for i, one in enumerate(before):
            for j, other in enumerate(around):
                reached = [(o, kind) for o, kind in enumerate(after) if kind in one * other]
                paths = []
                for o, _ in reached:
                    paths.append((o, self.counts[o]))
                    self.triples.append((i, j, o))
                    self.counts[o] += 1
                if reached:
                    sizes = tuple(kind.dim for _, kind in reached)
                    parts = [
                        kind.dim**0.5 * coupling((one.l, other.l, kind.l)).flatten(0, 1)
                        for _, kind in reached
                    ]
                    first = slice(start, start + one.dim)
                    second = slice(other.l**2, (other.l + 1) ** 2)
                    name = f"coupling_{len(self.products)}"
                    self.register_buffer(name, torch.cat(parts, 1), persistent=False)
                    self.products.append(_Product(first, second, tuple(paths), sizes))
            start += one.dim

    def forward(
        self,
        x: Float[Tensor, "E in"],
        harmonics: Float[Tensor, "E S"],
        weight: Float[Tensor, "E W"],
        edge_index: GivenEdges | EdgeRows,
        num_nodes: int,
    ) -> Float[Tensor, "E out"]:
        """Return the features of pairs after the product.

        Args:
            x: features of each edge, channels last.
            harmonics: spherical harmonics of each edge up to ``degree``.
            weight: weights of the harmonics in the environment of the receiver, C of each degree.
            edge_index: senders and receivers, or edges of `geozoo.nn.edges`; or rows from
                `as_edge_rows` of directed edges.
            num_nodes: number of nodes.

        Raises:
            ValueError: If a tensor has the wrong shape.
        """
        rows = as_edge_rows(edge_index, num_nodes)
        edges = rows.receiver.shape[0]
        check_shape("x", x, "E in", edges, sum(self.dims_in) * self.channels)
        check_shape("harmonics", harmonics, "E S", edges, self.environment.y_width)
        check_shape("weight", weight, "E W", edges, self.environment.w_width)
        ones = x.new_ones(num_nodes, self.channels)
        around = steerable_sum(ones, harmonics, weight, rows, self.environment)
        around = around.index_select(0, rows.receiver).unflatten(1, (-1, self.channels))
        features = x.unflatten(1, (-1, self.channels))
        found: list[list[Tensor]] = [[] for _ in self.kinds_out]
        for number, product in enumerate(self.products):
            table = self.get_buffer(f"coupling_{number}").to(x.dtype)
            one, other = features[:, product.first], around[:, product.second]
            pairs = (one.unsqueeze(2) * other.unsqueeze(1)).flatten(1, 2)
            parts = (table.T @ pairs).split(product.dims, 1)
            for (output, path), part in zip(product.paths, parts, strict=True):
                if self.mixing == "channelwise":
                    part = part * self.weights[output][path]
                found[output].append(part)
        return torch.cat([self._mixed(o, parts, x) for o, parts in enumerate(found)], 1)

    def _mixed(self, output: int, parts: list[Tensor], x: Tensor) -> Tensor:
        """Sum the paths to an output."""
        if not parts:
            return x.new_zeros(x.shape[0], self.dims_out[output] * self.channels)
        if self.mixing == "full":
            return (torch.cat(parts, -1) @ self.weights[output]).flatten(1)
        return torch.stack(parts).sum(0).flatten(1)


def weighted_harmonics(
    harmonics: Float[Tensor, "E S"], weight: Float[Tensor, "E W"], degree: int
) -> Float[Tensor, "E F"]:
    """Multiply the harmonics of each degree by weights, channels last.

    Args:
        harmonics: spherical harmonics up to ``degree``.
        weight: C weights of each degree.
        degree: maximum degree.
    """
    by_degree = weight.unflatten(1, (degree + 1, -1))
    parts = [
        harmonics[:, each**2 : (each + 1) ** 2].unsqueeze(2) * by_degree[:, each].unsqueeze(1)
        for each in range(degree + 1)
    ]
    return torch.cat(parts, 1).flatten(1)


def _environment(channels: int, degree: int, scale: float) -> SteerablePaths:
    """The paths of a sum of weighted harmonics, as products with a scalar that is 1."""
    paths = tuple(
        Path(
            (0, each, each), x=0, y=each**2, w=each * channels, out=each**2 * channels,
            channels=channels, x_stride=channels, out_stride=channels,
            scale=scale * (2 * each + 1) ** 0.5,
        )
        for each in range(degree + 1)
    )  # fmt: skip
    width = (degree + 1) ** 2
    return SteerablePaths(paths, channels, width, (degree + 1) * channels, width * channels)
