"""SchNet: continuous-filter convolutional network."""

from __future__ import annotations

from typing import ClassVar, Literal

from torch import Tensor, nn

from geozoo.checks import check_positive
from geozoo.models._point_network import PointNetwork
from geozoo.nn import ContinuousFilterConv, CosineWindow, GaussianBasis
from geozoo.nn.conv.continuous_filter_conv import shifted_softplus
from geozoo.nn.edges import DirectedEdges, PairedEdges, as_edge_rows
from geozoo.ops import EdgeRows, safe_norm


class SchNet(PointNetwork):
    """Continuous-filter convolutions of atom features; scalars only.

    Args:
        in_channels: scalar features per node, such as the one-hot element.
        out_channels: scalar outputs.
        dim: spatial dimension, arbitrary: only distances are used.
        level: ``"graph"``: outputs are summed over the nodes of each graph; ``"node"``: per node.
        hidden_channels: width of features and filters.
        num_layers: number of interaction layers.
        num_basis: number of Gaussian radial basis functions.
        radius: cutoff in the unit of the positions, with a cosine envelope.

    Raises:
        ValueError: If a size is invalid.

    Reference:
        K. T. Schuett et al., SchNet, NeurIPS 2017, arXiv:1706.08566.

    >>> model = SchNet(2, 1)
    >>> batch = torch.zeros(4, dtype=torch.long)
    >>> model(torch.randn(4, 3), torch.randn(4, 2), batch).scalar.shape
    torch.Size([1, 1])
    """

    takes_pairs: ClassVar[bool] = True
    last_weights: ClassVar[tuple[str, ...]] = ("readout_2.*",)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        dim: int = 3,
        level: Literal["node", "graph"] = "graph",
        hidden_channels: int = 128,
        num_layers: int = 6,
        num_basis: int = 50,
        radius: float = 10.0,
    ) -> None:
        super().__init__(
            in_channels, out_channels, in_vectors=0, out_vectors=0, dim=dim, level=level,
            radius=radius,
        )  # fmt: skip
        check_positive(hidden_channels=hidden_channels, num_layers=num_layers)
        self.embedding = nn.Linear(in_channels, hidden_channels, bias=False)
        self.basis = GaussianBasis(num_basis, radius)
        self.window = CosineWindow(radius)
        self.blocks = nn.ModuleList(
            _Interaction(hidden_channels, num_basis) for _ in range(num_layers)
        )
        half = max(1, hidden_channels // 2)
        self.readout_1 = nn.Linear(hidden_channels, half)
        self.readout_2 = nn.Linear(half, out_channels)

    def evaluate(
        self, pos: Tensor, x: Tensor | None, vec: Tensor | None, edges: DirectedEdges | PairedEdges
    ) -> tuple[Tensor | None, Tensor | None]:
        """Return scalars; see `PointNetwork.evaluate`."""
        distance = safe_norm(edges.vectors(pos))
        basis, window = self.basis(distance), self.window(distance)
        rows, h = as_edge_rows(edges, pos.shape[0]), self.embedding(x)
        for block in self.blocks:
            h = h + block(h, basis, window, rows)
        return self.readout_2(shifted_softplus(self.readout_1(h))), None


class _Interaction(nn.Module):
    """SchNet interaction: linear map, continuous-filter convolution, and a two-layer MLP."""

    def __init__(self, channels: int, num_basis: int) -> None:
        super().__init__()
        self.linear_1 = nn.Linear(channels, channels, bias=False)
        self.conv = ContinuousFilterConv(channels, num_basis)
        self.linear_2 = nn.Linear(channels, channels)
        self.linear_3 = nn.Linear(channels, channels)

    def forward(self, h: Tensor, basis: Tensor, window: Tensor, edges: EdgeRows) -> Tensor:
        out = self.conv(self.linear_1(h), basis, window, edges)
        return self.linear_3(shifted_softplus(self.linear_2(out)))
