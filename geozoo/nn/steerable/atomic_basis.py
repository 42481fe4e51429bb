"""Density of neighbours projected on radial functions and harmonics: the atomic basis."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from geozoo.checks import check_edges, check_not_negative, check_positive, check_shape
from geozoo.nn.edges import GivenEdges, as_edge_rows
from geozoo.nn.steerable.degreewise import DegreewiseLinear
from geozoo.nn.steerable.irreps import load_o3
from geozoo.ops.steerable import EdgeRows, Path, SteerablePaths, filtered_sum

#: Root mean square of SiLU and of the sigmoid for a standard normal input.
SILU_RMS = 0.5964692111227132
SIGMOID_RMS = 0.5416447506051295


class AtomicBasis(nn.Module):
    r"""Sum over neighbours of features times radial functions times harmonics.

    .. math:: A_{i u l_3 m_3} = \frac{1}{n} \sum_{v p} W_{l_3, p v, u} \sum_{j \to i}
        R_{p v}(b_{ij}\, w_{ij}) \sum_{m_1 m_2} C^{l_3 m_3}_{l_1 m_1, l_2 m_2}
        Y_{l_2 m_2}(\hat r_{ij}) \sum_t W_{l_1, t v}\, x_{j t l_1 m_1}

    with the paths :math:`p = (l_1, l_2)` to :math:`l_3`, and radial networks R without biases, so
    that they vanish with the window w. All degrees have the parity of the harmonics. Exactly
    equivariant under rotations and reflections. Zero for nodes without neighbours.

    Args:
        channels: channels of each degree.
        degree_in: maximum degree of the features.
        degree: maximum degree of the harmonics and of A.
        basis_channels: number K of radial basis functions.
        radial_channels: widths of the hidden layers of R.
        num_neighbors: average number n of neighbours, for normalisation.

    Raises:
        ValueError: If a size is invalid.
        ImportError: If e3nn is not installed.

    Reference:
        I. Batatia et al., MACE, NeurIPS 2022, arXiv:2206.07697.
    """

    def __init__(
        self,
        channels: int,
        degree_in: int,
        degree: int,
        *,
        basis_channels: int,
        radial_channels: Sequence[int] = (64, 64, 64),
        num_neighbors: float = 1.0,
    ) -> None:
        super().__init__()
        check_positive(channels=channels, basis_channels=basis_channels)
        check_not_negative(degree_in=degree_in, degree=degree)
        for width in radial_channels:
            check_positive(radial_channels=width)
        if not num_neighbors > 0:
            raise ValueError(f"num_neighbors must be positive, got {num_neighbors!r}")
        load_o3()
        self.channels, self.degree_in, self.degree = channels, degree_in, degree
        self.basis_channels, self.num_neighbors = basis_channels, float(num_neighbors)
        #: Degrees of features and harmonics of the paths to each degree of A.
        self.sources = [
            [
                (first, second)
                for first in range(degree_in + 1)
                for second in range(abs(third - first), min(third + first, degree) + 1)
                if (first + second + third) % 2 == 0
            ]
            for third in range(degree + 1)
        ]
        self.paths = self._paths()
        self.linear_in = DegreewiseLinear(channels, channels, degree_in)
        widths = [basis_channels, *radial_channels, self.paths.w_width]
        self.radial = nn.ParameterList(
            torch.randn(before, after) for before, after in zip(widths, widths[1:], strict=False)
        )
        self.linear_out = nn.ParameterList(
            torch.randn(len(sources) * channels, channels) for sources in self.sources
        )

    def _paths(self) -> SteerablePaths:
        """Blocks of the sum: for each degree of A, channels of all its paths side by side."""
        paths, weights, start = [], 0, 0
        for third, sources in enumerate(self.sources):
            stride = len(sources) * self.channels
            for number, (first, second) in enumerate(sources):
                paths.append(
                    Path(
                        (first, second, third), x=first**2 * self.channels, y=second**2, w=weights,
                        out=start + number * self.channels, channels=self.channels,
                        x_stride=self.channels, out_stride=stride, scale=(2 * third + 1) ** 0.5,
                    )
                )  # fmt: skip
                weights += self.channels
            start += (2 * third + 1) * stride
        width = (self.degree_in + 1) ** 2 * self.channels
        return SteerablePaths(tuple(paths), width, (self.degree + 1) ** 2, weights, start)

    def forward(
        self,
        x: Float[Tensor, "N D C"],
        harmonics: Float[Tensor, "E S"],
        basis: Float[Tensor, "E K"],
        window: Float[Tensor, " E"],
        edge_index: GivenEdges | EdgeRows,
    ) -> Float[Tensor, "N D_out C"]:
        """Return the atomic basis of every node.

        Args:
            x: features, component m of degree l at ``l * l + m``.
            harmonics: spherical harmonics of each edge up to ``degree``.
            basis: radial basis values of each edge.
            window: cutoff function of each edge, 0 at the cutoff.
            edge_index: senders and receivers, or edges of `geozoo.nn.edges`; or rows from
                `geozoo.nn.steerable.as_edge_rows`.

        Raises:
            ValueError: If a tensor has the wrong shape.
        """
        check_shape("x", x, "N D C", None, (self.degree_in + 1) ** 2, self.channels)
        rows = as_edge_rows(edge_index, x.shape[0])
        check_edges(rows.num_rows, basis, self.basis_channels, window)
        check_shape("harmonics", harmonics, "E S", rows.num_rows, self.paths.y_width)
        total = filtered_sum(
            self.linear_in(x).flatten(1), harmonics, self._radial_weights,
            (basis * window.unsqueeze(-1),), rows, self.paths, weights=self.parameters(),
        )  # fmt: skip
        widths = [(2 * n + 1) * len(weight) for n, weight in enumerate(self.linear_out)]
        parts = [
            part.unflatten(1, (-1, len(weight))) @ (weight * len(weight) ** -0.5)
            for part, weight in zip(total.split(widths, 1), self.linear_out, strict=True)
        ]
        return torch.cat(parts, 1) / self.num_neighbors

    def _radial_weights(self, h: Tensor) -> Tensor:
        """The radial networks; the activations have unit mean square for normal inputs."""
        for number, weight in enumerate(self.radial):
            if number:
                h = functional.silu(h) / SILU_RMS
            h = h @ (weight * len(weight) ** -0.5)
        return h

    def extra_repr(self) -> str:
        """Return the sizes for ``repr``."""
        return (
            f"{self.channels}, degree_in={self.degree_in}, degree={self.degree}, "
            f"num_neighbors={self.num_neighbors}"
        )
