"""Continuous-filter convolution: a small network generates the filter from the distance."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from geozoo.checks import check_edges, check_positive, check_shape
from geozoo.nn.edges import GivenEdges, as_edge_rows
from geozoo.ops import EdgeRows, SteerablePaths, filtered_sum, plain_path

#: ln 2: shifts the softplus so that it vanishes at 0.
_SHIFT = 0.6931471805599453


def shifted_softplus(x: Tensor) -> Tensor:
    r"""Return :math:`\ln(\tfrac12 e^x + \tfrac12)`, SchNet's activation."""
    return functional.softplus(x) - _SHIFT


class ContinuousFilterConv(nn.Module):
    r"""Sum of neighbour features, each multiplied by a filter that depends on the distance.

    .. math:: y_i = \sum_{j \to i} x_j \odot \bigl(W_2\, \mathrm{ssp}(W_1 b_{ij} + c_1) + c_2\bigr)
        \, w_{ij}

    Args:
        channels: channels C of the features and of the filter.
        basis_channels: number K of radial basis functions.

    Raises:
        ValueError: If a size is below 1.

    Reference:
        K. T. Schuett et al., SchNet, NeurIPS 2017, arXiv:1706.08566, section 4.1.
    """

    def __init__(self, channels: int, basis_channels: int) -> None:
        super().__init__()
        check_positive(channels=channels, basis_channels=basis_channels)
        self.channels = channels
        self.linear_1 = nn.Linear(basis_channels, channels)
        self.linear_2 = nn.Linear(channels, channels)
        path = plain_path((0, 0, 0), channels, x=0, w=0, out=0)
        self.paths = SteerablePaths((path,), channels, 0, channels, channels)

    def forward(
        self,
        x: Float[Tensor, "N C"],
        basis: Float[Tensor, "E K"],
        window: Float[Tensor, " E"],
        edge_index: GivenEdges | EdgeRows,
    ) -> Float[Tensor, "N C"]:
        """Return the convolved features.

        Args:
            x: features.
            basis: radial basis values of each edge.
            window: cutoff function of each edge, 0 at the cutoff.
            edge_index: senders and receivers, or edges of `geozoo.nn.edges`; pairs and rows of
                `as_edge_rows` have one row of basis and window for both directions.

        Raises:
            ValueError: If a tensor has the wrong shape.
        """
        check_shape("x", x, "N C", None, self.channels)
        rows = as_edge_rows(edge_index, x.shape[0])
        check_edges(rows.num_rows, basis, self.linear_1.in_features, window)
        nothing = basis.new_empty(rows.num_rows, 0)
        return filtered_sum(
            x, nothing, self._kernel, (basis, window), rows, self.paths, weights=self.parameters()
        )

    def _kernel(self, basis: Tensor, window: Tensor) -> Tensor:
        filtered = self.linear_2(shifted_softplus(self.linear_1(basis)))
        return filtered * window.unsqueeze(-1)
