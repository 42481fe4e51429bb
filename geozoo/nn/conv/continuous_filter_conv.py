"""Continuous-filter convolution: a small network generates the filter from the distance."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from geozoo.checks import check_edges, check_positive, check_shape
from geozoo.nn.edges import GivenEdges, as_directed
from geozoo.ops import message_sum, saves_memory, weighted_sum

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

    def forward(
        self,
        x: Float[Tensor, "N C"],
        basis: Float[Tensor, "E K"],
        window: Float[Tensor, " E"],
        edge_index: GivenEdges,
    ) -> Float[Tensor, "N C"]:
        """Return the convolved features.

        Args:
            x: features.
            basis: radial basis values of each edge.
            window: cutoff function of each edge, 0 at the cutoff.
            edge_index: senders and receivers, or edges of `geozoo.nn.edges`.

        Raises:
            ValueError: If a tensor has the wrong shape.
        """
        check_shape("x", x, "N C", None, self.channels)
        edges = as_directed(edge_index, x.shape[0])
        check_edges(edges.index.shape[1], basis, self.linear_1.in_features, window)
        if saves_memory(basis, lambda: len(basis) * self.channels, self.parameters()):
            (out,) = message_sum(
                lambda x, basis, window: (self._kernel(basis, window) * x,),
                (edges.sender, edges.receiver), len(x), senders=(x,), rows=(basis, window),
            )  # fmt: skip
            return out
        kernel = self._kernel(basis, window)
        return weighted_sum(kernel, x, [(edges.sender, edges.receiver)], x.shape[0])

    def _kernel(self, basis: Tensor, window: Tensor) -> Tensor:
        filtered = self.linear_2(shifted_softplus(self.linear_1(basis)))
        return filtered * window.unsqueeze(-1)
