"""Multi-ODE block: global, edge and local graph ODEs on one graph, and their fusion."""

from __future__ import annotations

from typing import Any, cast

from jaxtyping import Float
from torch import Tensor, nn

from geozoo.checks import check_positive, check_shape
from geozoo.nn.dynamics.edge_ode import EdgeForm, EdgeODE
from geozoo.nn.dynamics.fusion import GatedAggregation, MessageFilter, ResidualUpdate
from geozoo.nn.dynamics.local_ode import LocalODE
from geozoo.nn.dynamics.node_ode import NodeODE
from geozoo.nn.dynamics.ode_options import Backend, ODEAblation, ODEEquations, Variant
from geozoo.nn.dynamics.spatial_mask import SpatialMask
from geozoo.nn.temporal import TemporalAttention
from geozoo.ode import Integrator
from geozoo.ops import textbook
from geozoo.options import grouped

#: Time steps per segment of the window in the local module.
PIECE_STEPS = 3


class MultiODEBlock(nn.Module):
    """Solve global, edge and local graph ODEs on the same window and merge their states.

    The global module integrates the features of the window over one unit of time, the edge module
    the channel means of sensor pairs, and the local module learned initial states of segments of 3
    steps. The message filter clamps the local state to a band around the global one. The three
    states are mapped to features, aggregated and added to a gate of the input. All modules share
    the spatial weights A + M (`SpatialMask`); the global and edge modules share one pair of
    temporal weights (`TemporalAttention`), the local modules another pair.

    Args:
        num_nodes: number N of sensors.
        channels: number C of channels.
        steps: number T of time steps, a multiple of 3.
        variant: ``"paper"``, or ``"released"`` to reproduce the published code: the steps of the
            local modules are not in temporal order, the filter's width may be negative, the initial
            state is constant in the backward pass, and the learned matrix is initialised with ten
            times the standard deviation.
        equations: options that override the variant, and the evaluation backend.
        local_heads: attention heads of the local modules.
        integrator: ODE solver of all modules.
        ablation: which parts of the block are enabled.

    Raises:
        ValueError: If a size is below 1 or not divisible as required, an option is unknown, or too
            few modules are enabled.

    Reference:
        Liu et al., TMLR 2023, arXiv:2305.18687, section 4 (multi-ODE block).
    """

    @grouped("equations", "ablation")
    def __init__(
        self,
        num_nodes: int,
        channels: int,
        steps: int = 12,
        *,
        variant: Variant = "paper",
        equations: ODEEquations = ODEEquations(),  # noqa: B008
        local_heads: int = 32,
        integrator: Integrator = Integrator(),  # noqa: B008
        ablation: ODEAblation = ODEAblation(),  # noqa: B008
    ) -> None:
        super().__init__()
        check_positive(num_nodes=num_nodes, channels=channels, steps=steps, local_heads=local_heads)
        rules = equations.rules(variant)
        self.modules_used = ablation.modules
        self.num_nodes, self.channels, self.steps = num_nodes, channels, steps
        self.use_shared_weights = ablation.use_shared_weights
        self.as_written, edge_form = _resolve_backend(equations.backend)
        solving: dict[str, Any] = {
            "integrator": integrator, "detach_initial": rules.detach_initial,
        }  # fmt: skip
        self.global_ode: NodeODE | None = None
        if ablation.use_global:
            self.global_ode = NodeODE(num_nodes, channels, **solving)
        self.edge_ode: EdgeODE | None = None
        if ablation.use_edge:
            self.edge_ode = EdgeODE(num_nodes, channels, form=edge_form, **solving)
        self.local_ode: LocalODE | None = None
        if ablation.use_local:
            self.local_ode = LocalODE(
                num_nodes, channels, steps, piece_steps=PIECE_STEPS, heads=local_heads,
                order=rules.local_order, use_attention=ablation.use_local_attention,
                **solving,
            )  # fmt: skip
        self._make_weights({"mode": rules.spatial_mask, "std": rules.mask_std})
        self.filter: MessageFilter | None = None
        if ablation.has_filter:
            self.filter = MessageFilter(signed=rules.signed_filter)
        self.global_map = nn.Linear(channels, channels) if ablation.use_global else None
        self.local_map = nn.Linear(channels, channels) if ablation.use_local else None
        self.aggregation = GatedAggregation(ablation.aggregation)
        self.update = ResidualUpdate(channels, use_gate=ablation.use_update_gate)

    def _make_weights(self, start: dict[str, Any]) -> None:
        """Create the spatial and temporal weights, shared or one set per module."""
        self.masks, self.attentions = nn.ModuleDict(), nn.ModuleDict()
        pieces = self.steps // PIECE_STEPS
        if self.use_shared_weights:
            self.masks["shared"] = SpatialMask(self.num_nodes, **start)
        for name in self.modules_used:
            own = not self.use_shared_weights
            copies = pieces if own and name == "local" else None
            if own:
                self.masks[name] = SpatialMask(self.num_nodes, copies=copies, **start)
            key = self._attention_key(name)
            if key not in self.attentions:
                steps = 1 if name == "local" else self.steps
                self.attentions[key] = TemporalAttention(steps, copies=copies)

    def _attention_key(self, name: str) -> str:
        return "shared" if self.use_shared_weights and name != "local" else name

    def _weights(self, adjacency: Tensor) -> dict[str, tuple[Tensor, Tensor, Tensor]]:
        """Return A + M, w3 and w4 of each module; a shared A + M is computed once."""
        graphs = {name: mask(adjacency) for name, mask in self.masks.items()}
        weights: dict[str, tuple[Tensor, Tensor, Tensor]] = {}
        for name in self.modules_used:
            attention = cast(TemporalAttention, self.attentions[self._attention_key(name)])
            graph = graphs["shared" if self.use_shared_weights else name]
            weights[name] = (graph, attention.left, attention.right)
        return weights

    def forward(
        self, x: Float[Tensor, "B N T C"], adjacency: Float[Tensor, "N N"]
    ) -> Float[Tensor, "B N T C"]:
        """Return the output features.

        Args:
            x: features of each window, sensor and step.
            adjacency: the normalised adjacency A.

        Raises:
            ValueError: If a tensor has the wrong shape.
        """
        check_shape("x", x, "B N T C", None, self.num_nodes, self.steps, self.channels)
        with textbook(when=self.as_written):
            return self.update(self.aggregation(**self._states(x, self._weights(adjacency))), x)

    def _states(
        self, x: Tensor, weights: dict[str, tuple[Tensor, Tensor, Tensor]]
    ) -> dict[str, Tensor]:
        """Return the states of the modules, keyed by the arguments of the aggregation."""
        states: dict[str, Tensor] = {}
        if self.global_ode is not None and self.global_map is not None:
            (center,) = self.global_ode(x, *weights["global"])
            states["global_state"] = self.global_map(center)
        if self.edge_ode is not None:
            states["edge_state"] = self.edge_ode(x.mean(-1), *weights["edge"])
        if self.local_ode is not None and self.local_map is not None:
            local = self.local_ode(x, *weights["local"])
            if self.filter is not None:
                local = self.filter(local, center)
            states["local_state"] = self.local_map(local)
        return states


def _resolve_backend(backend: Backend) -> tuple[bool, EdgeForm]:
    """Return whether to evaluate all equations as written, and the form of the edge module."""
    return (True, "general") if backend == "textbook" else (False, backend)
