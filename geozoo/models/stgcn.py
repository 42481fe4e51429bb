"""STGCN: temporal convolutions and Chebyshev graph convolutions."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from geozoo.checks import check_positive
from geozoo.geometry import scaled_laplacian, symmetrized
from geozoo.models._forecast_inputs import check_adjacency, check_windows
from geozoo.nn import ChebyshevConv, GatedTemporalConv


class STGCN(nn.Module):
    """Two blocks of gated temporal, graph and gated temporal convolution, and a linear readout.

    The published network forecasts one step and is applied recursively to its own forecasts; as in
    later comparisons, this one forecasts all steps at once.

    Args:
        road_adjacency: weighted road graph ``[N, N]``, symmetrised by the larger of both weights.
        in_channels: number F of input features per sensor and step.
        input_steps: lookback window T, in steps.
        horizon: forecast horizon H, in steps.
        hidden_channels: width of the temporal convolutions.
        bottleneck_channels: width of the graph convolution between them.
        kernel_size: kernel size of the temporal convolutions.
        order: number of Chebyshev polynomials of the graph convolution.
        dropout: dropout probability after a block.

    Raises:
        TypeError: If ``road_adjacency`` is not a floating-point tensor.
        ValueError: If ``road_adjacency`` is not square, finite and non-negative, a size is below 1,
            or the window is too short for the temporal convolutions.

    Reference:
        B. Yu, H. Yin, Z. Zhu, Spatio-Temporal Graph Convolutional Networks: A Deep Learning
        Framework for Traffic Forecasting, IJCAI 2018, arXiv:1709.04875.

    >>> model = STGCN(torch.ones(5, 5), 1, 12, 12)
    >>> model(torch.randn(2, 12, 5, 1)).shape
    torch.Size([2, 12, 5])
    """

    def __init__(
        self,
        road_adjacency: Float[Tensor, "N N"],
        in_channels: int,
        input_steps: int,
        horizon: int,
        *,
        hidden_channels: int = 64,
        bottleneck_channels: int = 16,
        kernel_size: int = 3,
        order: int = 3,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.num_nodes = check_adjacency("road_adjacency", road_adjacency)
        check_positive(
            in_channels=in_channels, horizon=horizon, kernel_size=kernel_size,
            hidden_channels=hidden_channels, bottleneck_channels=bottleneck_channels,
        )  # fmt: skip
        remaining = input_steps - 4 * (kernel_size - 1)
        if remaining < 1:
            raise ValueError(
                f"input_steps must be more than {4 * (kernel_size - 1)}, the steps that the "
                f"temporal convolutions remove, got {input_steps}"
            )
        self.in_channels, self.input_steps = in_channels, input_steps
        roads = symmetrized(road_adjacency.detach().double(), how="max")
        self.register_buffer("laplacian", scaled_laplacian(roads).to(torch.get_default_dtype()))
        self.blocks = nn.ModuleList(
            _Block(
                self.num_nodes, width, hidden_channels, bottleneck_channels, kernel_size, order,
                dropout,
            )
            for width in (in_channels, hidden_channels)
        )  # fmt: skip
        self.last = GatedTemporalConv(
            hidden_channels, hidden_channels, remaining, activation="linear"
        )
        self.readout = nn.Linear(hidden_channels, horizon)

    def forward(
        self, x: Float[Tensor, "B T N F"], *, time: Int[Tensor, "B T_plus_H 2"] | None = None
    ) -> Float[Tensor, "B H N"]:
        """Return the forecast.

        Args:
            x: normalised input windows.
            time: ignored.

        Raises:
            ValueError: If a tensor has the wrong shape.
        """
        check_windows(x, self.input_steps, self.num_nodes, self.in_channels)
        h = x.transpose(1, 2)
        for block in self.blocks:
            h = block(h, self.laplacian)
        return self.readout(self.last(h).squeeze(2)).transpose(1, 2)


class _Block(nn.Module):
    """Temporal, graph and temporal convolution, then layer norm and dropout."""

    def __init__(
        self, num_nodes: int, in_channels: int, channels: int, bottleneck: int, kernel_size: int,
        order: int, dropout: float,
    ) -> None:  # fmt: skip
        super().__init__()
        self.before = GatedTemporalConv(in_channels, channels, kernel_size, activation="linear")
        self.graph = ChebyshevConv(channels, bottleneck, order=order)
        self.after = GatedTemporalConv(bottleneck, channels, kernel_size, activation="linear")
        self.norm = nn.LayerNorm((num_nodes, channels))
        self.dropout = nn.Dropout(dropout)

    def forward(self, h: Tensor, laplacian: Tensor) -> Tensor:
        h = torch.relu(self.graph(self.before(h), laplacian))
        h = self.after(h).transpose(1, 2)
        return self.dropout(self.norm(h)).transpose(1, 2)
