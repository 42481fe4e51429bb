"""Tensor-product convolution with spherical harmonics."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from geozoo.checks import check_edges, check_not_negative, check_positive, check_shape
from geozoo.nn.edges import GivenEdges, as_directed
from geozoo.nn.steerable.irreps import load_o3
from geozoo.ops import message_sum


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
        radial_channels: width of the two hidden layers of R.
        num_neighbors: average number n of neighbours, for normalisation.

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
    ) -> None:
        super().__init__()
        check_not_negative(degree=degree)
        check_positive(basis_channels=basis_channels, radial_channels=radial_channels)
        if not num_neighbors > 0:
            raise ValueError(f"num_neighbors must be positive, got {num_neighbors!r}")
        o3 = load_o3()
        before, after = o3.Irreps(irreps_in), o3.Irreps(irreps_out)
        self.harmonics = o3.Irreps.spherical_harmonics(degree)
        outputs: list[tuple[int, Any]] = []  # multiplicity and irrep
        paths: list[tuple[int, int, int, str, bool]] = []
        for i, (count, one) in enumerate(before):
            for j, (_, other) in enumerate(self.harmonics):
                for product in one * other:
                    if product in after:
                        paths.append((i, j, len(outputs), "uvu", True))
                        outputs.append((count, product))
        if not outputs:
            raise ValueError(
                f"irreps_out must share an irrep with the tensor product of irreps_in {irreps_in} "
                f"and spherical harmonics up to degree {degree}, got {irreps_out}"
            )
        middle, order, _ = o3.Irreps(outputs).sort()
        paths = [(i, j, order[k], mode, own) for i, j, k, mode, own in paths]
        self.scale = num_neighbors**-0.5
        self.basis_channels = basis_channels
        self.linear_1 = o3.Linear(before, before)
        self.product = o3.TensorProduct(
            before, self.harmonics, middle, paths, shared_weights=False, internal_weights=False
        )
        self.radial = nn.Sequential(
            nn.Linear(basis_channels, radial_channels), nn.SiLU(),
            nn.Linear(radial_channels, radial_channels), nn.SiLU(),
            nn.Linear(radial_channels, self.product.weight_numel, bias=False),
        )  # fmt: skip
        self.linear_2 = o3.Linear(middle.simplify(), after)

    def forward(
        self,
        x: Float[Tensor, "N in"],
        harmonics: Float[Tensor, "E S"],
        basis: Float[Tensor, "E K"],
        window: Float[Tensor, " E"],
        edge_index: GivenEdges,
    ) -> Float[Tensor, "N out"]:
        """Return the convolved features.

        Args:
            x: features, irreps concatenated.
            harmonics: spherical harmonics of each edge up to ``degree``.
            basis: radial basis values of each edge.
            window: cutoff function of each edge, 0 at the cutoff.
            edge_index: senders and receivers, or edges of `geozoo.nn.edges`.

        Raises:
            ValueError: If a tensor has the wrong shape.
        """
        check_shape("x", x, "N in", None, self.linear_1.irreps_in.dim)
        edges = as_directed(edge_index, x.shape[0])
        check_edges(edges.index.shape[1], basis, self.basis_channels, window)
        check_shape("harmonics", harmonics, "E S", edges.index.shape[1], self.harmonics.dim)
        (total,) = message_sum(
            self._message, (edges.sender, edges.receiver), len(x), senders=(self.linear_1(x),),
            rows=(harmonics, basis, window), weights=self.radial.parameters(),
        )  # fmt: skip
        return self.linear_2(self.scale * total)

    def _message(
        self, x: Tensor, harmonics: Tensor, basis: Tensor, window: Tensor
    ) -> tuple[Tensor]:
        return (self.product(x, harmonics, self.radial(basis) * window.unsqueeze(-1)),)
