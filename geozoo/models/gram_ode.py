"""GRAM-ODE: graph-based multi-ODE network for traffic forecasting."""

from __future__ import annotations

from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geozoo.models._sizes import check_sizes
from geozoo.nn import MultiODEBlock, SensorAttention, SpatioTemporalBlock, TemporalConv
from geozoo.ode import Integrator


class GramODE(nn.Module):
    r"""Forecast sensor series by neural ODEs on a road graph and on a graph of similar days.

    Several branches on each of the two graphs, with separate weights, of spatio-temporal blocks in
    sequence; attention of the sensors to each other turns all their outputs into the forecast.
    At ``hidden_channels`` 64 all widths are the published ones: local attention with queries of
    8 C and values of C for every 3 steps, readout with C/2 channels a head for queries and keys.

    Args:
        spatial_adjacency: normalised road graph ``[N, N]``, in the paper
            :math:`0.4\,(I + D^{-1/2} A D^{-1/2})`; kept as a buffer.
        semantic_adjacency: the same of the graph of similar sensors.
        in_channels: features F of each sensor and step.
        input_steps: steps T of a window, a multiple of 3.
        horizon: steps H of the forecast.
        hidden_channels: width C of the features.
        bottleneck_channels: width of the middle level of the temporal convolutions.
        num_branches: branches on each graph.
        num_blocks: blocks of a branch.
        dropout: probability of dropping an activation in the temporal convolutions.
        local_heads: heads of the local modules' attention; divides 8 C and C T/3.
        readout_heads: heads of the readout, a divisor of the horizon; None: one a step.
        variant: ``"paper"``, or ``"released"`` for the function of the published code, in which
            moreover a temporal convolution with equally wide ends is only a ReLU (and has no
            parameters here). See `geozoo.nn.MultiODEBlock` for the other differences.
        solver: solver of all modules, see `geozoo.ode.odeint`; published: one unit step of
            ``"euler"`` for the global and edge modules, three for the local ones.
        adjoint: gradients by the adjoint equation.
        rtol: relative tolerance of adaptive solvers.
        atol: absolute tolerance of adaptive solvers.
        detach_initial: hold the initial state of the equations constant in the backward pass; None:
            as the variant says (``"paper"``: no, ``"released"``: yes).
        edge_form: ``"factorised"`` (no tensor of pairs; Euler only), ``"general"`` or ``"auto"``;
            equal results.
        use_edge: with the edge module; this and the following are the paper's ablations.
        use_global: with the global module.
        use_local: with the local modules.
        use_filter: with the message filter (where there are global and local modules).
        use_shared_weights: modules of a block share spatial and temporal weights.
        use_update_gate: with the gate of the block's input in its update.
        aggregation: ``"gated"`` or ``"sum"``.
        use_local_attention: with attention in the local modules.
        checkpoint_blocks: in training, compute each block again in the backward pass instead of
            keeping its states; same values and gradients.

    Raises:
        ValueError: for adjacencies that are not square, finite and of one size, for sizes that do
            not divide as said, unknown names, or switches that leave nothing to do.

    Reference:
        Z. Liu, P. Shojaee, C. K. Reddy, Graph-based Multi-ODE Neural Networks for Spatio-Temporal
        Traffic Forecasting, TMLR 2023, arXiv:2305.18687.

    >>> graph = 0.4 * torch.eye(5)
    >>> model = GramODE(graph, graph, in_channels=3, hidden_channels=8, local_heads=4)
    >>> model(torch.randn(2, 12, 5, 3)).shape
    torch.Size([2, 12, 5])
    """

    spatial_adjacency: Tensor
    semantic_adjacency: Tensor

    def __init__(
        self,
        spatial_adjacency: Float[Tensor, "N N"],
        semantic_adjacency: Float[Tensor, "N N"],
        *,
        in_channels: int,
        input_steps: int = 12,
        horizon: int = 12,
        hidden_channels: int = 64,
        bottleneck_channels: int = 32,
        num_branches: int = 3,
        num_blocks: int = 2,
        dropout: float = 0.2,
        local_heads: int = 32,
        readout_heads: int | None = None,
        variant: Literal["paper", "released"] = "paper",
        solver: str = "euler",
        adjoint: bool = False,
        rtol: float = 1e-6,
        atol: float = 1e-6,
        detach_initial: bool | None = None,
        edge_form: Literal["auto", "factorised", "general"] = "auto",
        use_edge: bool = True,
        use_global: bool = True,
        use_local: bool = True,
        use_filter: bool = True,
        use_shared_weights: bool = True,
        use_update_gate: bool = True,
        aggregation: Literal["gated", "sum"] = "gated",
        use_local_attention: bool = True,
        checkpoint_blocks: bool = False,
    ) -> None:
        super().__init__()
        readout_heads = horizon if readout_heads is None else readout_heads
        self.num_nodes = _check_graphs(spatial_adjacency, semantic_adjacency)
        check_sizes(
            in_channels=in_channels, input_steps=input_steps, horizon=horizon,
            num_branches=num_branches, num_blocks=num_blocks, readout_heads=readout_heads,
        )  # fmt: skip
        _check_widths(input_steps, horizon, hidden_channels, readout_heads)
        self.in_channels, self.input_steps, self.horizon = in_channels, input_steps, horizon
        dtype = torch.get_default_dtype()
        self.register_buffer("spatial_adjacency", spatial_adjacency.detach().to(dtype, copy=True))
        self.register_buffer("semantic_adjacency", semantic_adjacency.detach().to(dtype, copy=True))
        dynamics: dict[str, Any] = {
            "num_nodes": self.num_nodes, "channels": hidden_channels, "steps": input_steps,
            "variant": variant, "local_heads": local_heads,
            "integrator": Integrator(solver, adjoint, rtol, atol),
            "detach_initial": detach_initial, "edge_form": edge_form, "use_edge": use_edge,
            "use_global": use_global, "use_local": use_local, "use_filter": use_filter,
            "use_shared_weights": use_shared_weights, "use_update_gate": use_update_gate,
            "aggregation": aggregation, "use_local_attention": use_local_attention,
        }  # fmt: skip
        levels = (hidden_channels, bottleneck_channels, hidden_channels)
        convolution: dict[str, Any] = {
            "channels": levels, "dropout": dropout, "skip_when_equal_width": variant == "released",
        }  # fmt: skip

        def branch() -> nn.ModuleList:
            return nn.ModuleList(
                SpatioTemporalBlock(
                    TemporalConv(hidden_channels if block else in_channels, **convolution),
                    MultiODEBlock(**dynamics),
                    TemporalConv(hidden_channels, **convolution),
                    recompute=checkpoint_blocks,
                )
                for block in range(num_blocks)
            )

        self.spatial_branches = nn.ModuleList(branch() for _ in range(num_branches))
        self.semantic_branches = nn.ModuleList(branch() for _ in range(num_branches))
        self.readout = SensorAttention(
            input_steps * hidden_channels * 2 * num_branches,
            readout_heads * (hidden_channels // 2),
            horizon,
            readout_heads,
        )

    def forward(
        self, x: Float[Tensor, "B T N F"], *, time: Tensor | None = None
    ) -> Float[Tensor, "B H N"]:
        """Return the forecast.

        Args:
            x: features of each window, step and sensor, normalised.
            time: not used; other forecasting models read the time of the steps.

        Raises:
            ValueError: for another shape.
        """
        if x.dim() != 4 or x.shape[1:] != (self.input_steps, self.num_nodes, self.in_channels):
            raise ValueError(
                f"x must have shape (B, T={self.input_steps}, N={self.num_nodes}, "
                f"F={self.in_channels}), got {tuple(x.shape)}"
            )
        start = x.transpose(1, 2)
        outputs = []
        for adjacency, branches in (
            (self.spatial_adjacency, self.spatial_branches),
            (self.semantic_adjacency, self.semantic_branches),
        ):
            for branch in branches:
                features = start
                for block in branch:  # type: ignore[attr-defined]
                    features = block(features, adjacency)
                outputs.append(features)
        # The published order of the readout's inputs: step, channel, and the branch fastest.
        return self.readout(torch.stack(outputs, -1).flatten(2)).transpose(1, 2)


def _check_graphs(spatial: Tensor, semantic: Tensor) -> int:
    """Check both adjacencies and return the number of sensors."""
    for name, adjacency in (("spatial_adjacency", spatial), ("semantic_adjacency", semantic)):
        if not isinstance(adjacency, Tensor) or not adjacency.is_floating_point():
            got = adjacency.dtype if isinstance(adjacency, Tensor) else type(adjacency).__name__
            raise TypeError(f"{name} must be a tensor of floating-point numbers, got {got}")
        if adjacency.dim() != 2 or adjacency.shape[0] != adjacency.shape[1] or not len(adjacency):
            raise ValueError(f"{name} must have shape (N, N), got {tuple(adjacency.shape)}")
        bad = int((~torch.isfinite(adjacency)).sum())
        if bad:
            raise ValueError(f"{name} must be finite, got {bad} entries that are not")
    if spatial.shape != semantic.shape:
        raise ValueError(
            "semantic_adjacency must have the shape of spatial_adjacency, "
            f"{tuple(spatial.shape)}, got {tuple(semantic.shape)}"
        )
    return len(spatial)


def _check_widths(input_steps: int, horizon: int, hidden_channels: int, readout_heads: int) -> None:
    if input_steps % 3:
        raise ValueError(f"input_steps must be a multiple of 3, got {input_steps!r}")
    if hidden_channels < 2:
        raise ValueError(f"hidden_channels must be at least 2, got {hidden_channels!r}")
    if horizon % readout_heads:
        raise ValueError(f"readout_heads must divide horizon ({horizon}), got {readout_heads!r}")
