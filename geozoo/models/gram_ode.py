"""GRAM-ODE: graph-based multi-ODE network for traffic forecasting."""

from __future__ import annotations

from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from geozoo.checks import check_positive
from geozoo.models._two_graphs import TwoGraphForecaster
from geozoo.nn import MultiODEBlock, SensorAttention, SpatioTemporalBlock, TemporalConv
from geozoo.ode import Integrator
from geozoo.ops import textbook

#: A start beyond it overflows float32 within a layer.
_LARGEST_STD = 1e3


class GramODE(TwoGraphForecaster):
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
            parameters here). For each of the next five, None is what the variant says.
        detach_initial: hold the initial state of the equations constant in the backward pass
            (``"released"``).
        local_order: steps of the local modules by ``"window"`` (in the order of time) or by
            ``"step"`` (``"released"``).
        signed_filter: width of the message filter as learned (``"released"``), not its magnitude.
        spatial_mask: the learned matrix is added to the adjacency (``"sum"``) or multiplies it
            entry by entry (``"product"``).
        mask_std: standard deviation of its start, around 0 for the sum and 1 for the product
            (``"paper"``: 0.1, ``"released"``: 1).
        learned_graph_channels: width of the embeddings of a `geozoo.nn.LearnedGraph` that is added
            to the road graph; None: no such graph.
        use_time: the time of the day as one more feature of every sensor and step.
        steps_per_day: steps of a day, for that feature.
        solver: solver of all modules, see `geozoo.ode.odeint`; published: one unit step of
            ``"euler"`` for the global and edge modules, three for the local ones.
        adjoint: gradients by the adjoint equation.
        rtol: relative tolerance of adaptive solvers.
        atol: absolute tolerance of adaptive solvers.
        backend: ``"auto"``; ``"factorised"`` (no tensor of pairs of sensors; Euler only) or
            ``"general"``; or ``"textbook"``, all equations as written. Equal results.
        use_edge: with the edge module; this and the following are the paper's ablations.
        use_global: with the global module.
        use_local: with the local modules.
        use_filter: with the message filter (where there are global and local modules).
        use_shared_weights: modules of a block share spatial and temporal weights.
        use_update_gate: with the gate of the block's input in its update.
        aggregation: ``"gated"`` or ``"sum"``.
        use_local_attention: with attention in the local modules.
        recompute: in training, compute each block again in the backward pass instead of
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
        detach_initial: bool | None = None,
        local_order: Literal["window", "step"] | None = None,
        signed_filter: bool | None = None,
        spatial_mask: Literal["sum", "product"] | None = None,
        mask_std: float | None = None,
        learned_graph_channels: int | None = None,
        use_time: bool = False,
        steps_per_day: int = 288,
        solver: str = "euler",
        adjoint: bool = False,
        rtol: float = 1e-6,
        atol: float = 1e-6,
        backend: Literal["auto", "factorised", "general", "textbook"] = "auto",
        use_edge: bool = True,
        use_global: bool = True,
        use_local: bool = True,
        use_filter: bool = True,
        use_shared_weights: bool = True,
        use_update_gate: bool = True,
        aggregation: Literal["gated", "sum"] = "gated",
        use_local_attention: bool = True,
        recompute: bool = False,
    ) -> None:
        readout_heads = horizon if readout_heads is None else readout_heads
        check_positive(
            hidden_channels=hidden_channels, bottleneck_channels=bottleneck_channels,
            local_heads=local_heads,
        )  # fmt: skip
        _check_widths(input_steps, horizon, hidden_channels, readout_heads)
        if mask_std is not None and not 0 <= mask_std <= _LARGEST_STD:
            raise ValueError(f"mask_std must be in 0..{_LARGEST_STD:g}, got {mask_std!r}")
        dynamics: dict[str, Any] = {
            "channels": hidden_channels, "steps": input_steps, "variant": variant,
            "detach_initial": detach_initial, "local_order": local_order,
            "signed_filter": signed_filter, "spatial_mask": spatial_mask, "mask_std": mask_std,
            "local_heads": local_heads, "integrator": Integrator(solver, adjoint, rtol, atol),
            "backend": backend, "use_edge": use_edge, "use_global": use_global,
            "use_local": use_local, "use_filter": use_filter,
            "use_shared_weights": use_shared_weights, "use_update_gate": use_update_gate,
            "aggregation": aggregation, "use_local_attention": use_local_attention,
        }  # fmt: skip
        convolution: dict[str, Any] = {
            "channels": (hidden_channels, bottleneck_channels, hidden_channels),
            "dropout": dropout, "skip_when_equal_width": variant == "released",
        }  # fmt: skip

        def make_block(num_nodes: int, channels: int) -> SpatioTemporalBlock:
            return SpatioTemporalBlock(
                TemporalConv(channels, **convolution),
                MultiODEBlock(num_nodes, **dynamics),
                TemporalConv(hidden_channels, **convolution),
                recompute=recompute,
            )

        super().__init__(
            spatial_adjacency, semantic_adjacency, make_block, hidden_channels=hidden_channels,
            in_channels=in_channels, input_steps=input_steps, horizon=horizon,
            num_branches=num_branches, num_blocks=num_blocks,
            learned_graph_channels=learned_graph_channels, use_time=use_time,
            steps_per_day=steps_per_day,
        )  # fmt: skip
        self.backend = backend
        self.readout = SensorAttention(
            input_steps * hidden_channels * 2 * num_branches,
            readout_heads * (hidden_channels // 2),
            horizon,
            readout_heads,
        )

    def forward(
        self, x: Float[Tensor, "B T N F"], *, time: Int[Tensor, "B T_plus_H 2"] | None = None
    ) -> Float[Tensor, "B H N"]:
        """Return the forecast.

        Args:
            x: features of each window, step and sensor, normalised.
            time: slot of the day and day of the week; read with ``use_time``.

        Raises:
            ValueError: for another shape, or a time that is needed and missing.
        """
        with textbook(when=self.backend == "textbook"):
            outputs = self.branch_outputs(x, time)
            # The published order of the readout's inputs: step, channel, and the branch fastest.
            return self.readout(torch.stack(outputs, -1).flatten(2)).transpose(1, 2)


def _check_widths(input_steps: int, horizon: int, hidden_channels: int, readout_heads: int) -> None:
    check_positive(horizon=horizon, readout_heads=readout_heads)
    if input_steps < 3 or input_steps % 3:
        raise ValueError(f"input_steps must be a multiple of 3, got {input_steps!r}")
    if hidden_channels < 2:
        raise ValueError(f"hidden_channels must be at least 2, got {hidden_channels!r}")
    if horizon % readout_heads:
        raise ValueError(f"readout_heads must divide horizon ({horizon}), got {readout_heads!r}")
