"""Tensor-product convolution with spherical harmonics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geozoo.checks import check_edges, check_not_negative, check_positive, check_shape
from geozoo.nn.edges import GivenEdges, as_edge_rows
from geozoo.nn.steerable.block_map import BlockMap
from geozoo.nn.steerable.channels_last import (
    blocks_from_channels_last,
    blocks_to_channels_last,
    paths_of,
    sizes_of,
)
from geozoo.nn.steerable.depthwise_product import depthwise_product
from geozoo.nn.steerable.irreps import load_o3
from geozoo.nn.steerable.perceptron import perceptron
from geozoo.ops.steerable import EdgeRows, filtered_sum


class TensorProductConv(nn.Module):
    r"""Tensor products of neighbour features with spherical harmonics of the edge vectors.

    .. math:: y_i = \frac{1}{\sqrt{n}} L_2 \sum_{j \to i}
        w_{ij}\, (L_1 x_j) \otimes_{R(b_{ij})} Y(\hat r_{ij})

    Each path of the product is depthwise, with weights from a radial network R. L are linear maps.
    Exactly equivariant under rotations and reflections.

    Args:
        irreps_in: irreps of the features in e3nn notation: ``"8x0e+8x1o"``.
        irreps_out: irreps of the output.
        degree: maximum degree of the spherical harmonics.
        basis_channels: number K of radial basis functions.
        radial_channels: width of the hidden layers of R.
        num_neighbors: average number n of neighbours, for normalisation.
        parity: whether harmonics of odd degree are odd. If not, and the features are even as well,
            the layer is equivariant under rotations only.
        radial_layers: number of hidden layers of R.
        radial_bias: whether the hidden layers of R have biases.
        scalar_bias: whether L_1 and L_2 add biases to scalars.

    Raises:
        ImportError: If e3nn is not installed.
        ValueError: If a size is below 1, or ``irreps_out`` is not in the tensor product.

    Reference:
        S. Batzner et al., NequIP, Nat. Commun. 13, 2453 (2022), arXiv:2101.03164, eq. 7.
    """

    def __init__(
        self,
        irreps_in: str,
        irreps_out: str,
        *,
        degree: int,
        basis_channels: int,
        radial_channels: int = 64,
        num_neighbors: float = 1.0,
        parity: bool = True,
        radial_layers: int = 2,
        radial_bias: bool = True,
        scalar_bias: bool = False,
    ) -> None:
        super().__init__()
        check_not_negative(degree=degree)
        check_positive(
            basis_channels=basis_channels, radial_channels=radial_channels,
            radial_layers=radial_layers,
        )  # fmt: skip
        if not num_neighbors > 0:
            raise ValueError(f"num_neighbors must be positive, got {num_neighbors!r}")
        o3 = load_o3()
        before, after = o3.Irreps(irreps_in), o3.Irreps(irreps_out)
        self.harmonics = o3.Irreps.spherical_harmonics(degree, p=-1 if parity else 1)
        product = depthwise_product(before, self.harmonics, after)
        self.scale = num_neighbors**-0.5
        self.basis_channels = basis_channels
        self.linear_1 = o3.Linear(before, before, biases=scalar_bias)
        hidden = [radial_channels] * radial_layers
        self.radial = perceptron([basis_channels, *hidden, product.weight_numel], bias=radial_bias)
        self.linear_2 = o3.Linear(product.irreps_out.simplify(), after, biases=scalar_bias)
        self.paths = paths_of(product)
        self.map_1, self.map_2 = BlockMap(self.linear_1), BlockMap(self.linear_2)
        self._sizes, self._sizes_out = sizes_of(before), sizes_of(after)
        self._widths = before.dim, self.harmonics.dim
        self.register_load_state_dict_pre_hook(_drop_constants)

    def forward(
        self,
        x: Float[Tensor, "N in"],
        harmonics: Float[Tensor, "E S"],
        basis: Float[Tensor, "E K"],
        window: Float[Tensor, " E"] | None,
        edge_index: GivenEdges | EdgeRows,
    ) -> Float[Tensor, "N out"]:
        """Return the convolved features.

        Args:
            x: features, irreps concatenated.
            harmonics: spherical harmonics of each edge up to ``degree``.
            basis: radial basis values of each edge.
            window: cutoff function of each edge, 0 at the cutoff; None: ``basis`` contains it, for
                radial networks without biases.
            edge_index: senders and receivers, or edges of `geozoo.nn.edges`; or rows from
                `as_edge_rows`, where both directions of a pair share harmonics, basis and window.

        Raises:
            ValueError: If a tensor has the wrong shape.
        """
        check_shape("x", x, "N in", None, self._widths[0])
        blocks = blocks_to_channels_last(x, self._sizes)
        out = self.convolve(
            blocks, harmonics, basis, window, as_edge_rows(edge_index, x.shape[0])
        )  # fmt: skip
        return blocks_from_channels_last(out, self._sizes_out)

    def convolve(
        self,
        blocks: Sequence[Float[Tensor, "N B"]],
        harmonics: Float[Tensor, "E S"],
        basis: Float[Tensor, "E K"],
        window: Float[Tensor, " E"] | None,
        rows: EdgeRows,
        *,
        onto: Sequence[Float[Tensor, "N B"]] | None = None,
    ) -> list[Float[Tensor, "N B"]]:
        """Return the blocks of the convolved features, for features in blocks.

        Args:
            blocks: the features of each irrep, channels last.
            harmonics: see `forward`.
            basis: see `forward`.
            window: see `forward`.
            rows: the edges.
            onto: blocks that the result is added to.

        Raises:
            ValueError: If a tensor has the wrong shape.
        """
        if window is None:
            check_shape("basis", basis, "E K", rows.num_rows, self.basis_channels)
        else:
            check_edges(rows.num_rows, basis, self.basis_channels, window)
        check_shape("harmonics", harmonics, "E S", rows.num_rows, self._widths[1])
        features = torch.cat(self.map_1.of_layer(self.linear_1, blocks), 1)
        inputs = (basis,) if window is None else (basis, window)
        total = filtered_sum(
            features, harmonics, self._weights, inputs, rows, self.paths,
            weights=self.radial.parameters(),
        )  # fmt: skip
        parts = total.split(self.map_2.widths_in, 1)
        return self.map_2.of_layer(self.linear_2, parts, onto=onto, factor=self.scale)

    def _weights(self, basis: Tensor, window: Tensor | None = None) -> Tensor:
        # The last layer is linear, so its narrow input can be multiplied instead of its output.
        *layers, last = self.radial
        hidden = basis
        for layer in layers:
            hidden = layer(hidden)
        return last(hidden if window is None else hidden * window.unsqueeze(-1))


def _drop_constants(_: nn.Module, state: dict[str, Any], prefix: str, *__: Any) -> None:
    """Ignore the constants of e3nn's product in older states."""
    for key in [key for key in state if key.startswith(f"{prefix}product.")]:
        del state[key]
