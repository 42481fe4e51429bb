"""Global, edge and local graph ODEs on one graph, and their fusion."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, cast

from jaxtyping import Float
from torch import Tensor, nn

from geozoo.checks import check_positive, check_shape
from geozoo.nn.dynamics.edge_ode import EdgeForm, EdgeODE
from geozoo.nn.dynamics.fusion import GatedAggregation, MessageFilter, ResidualUpdate
from geozoo.nn.dynamics.local_ode import LocalODE
from geozoo.nn.dynamics.node_ode import NodeODE
from geozoo.nn.dynamics.spatial_mask import SpatialMask
from geozoo.nn.temporal import TemporalAttention
from geozoo.ode import Integrator
from geozoo.ops import textbook

#: How a block is evaluated.
Backend = Literal["auto", "factorised", "general", "textbook"]
#: Steps of a piece of the window, for the local modules.
PIECE_STEPS = 3


class _Rules(NamedTuple):
    """What the two variants do differently."""

    local_order: Literal["window", "step"]
    signed_filter: bool
    detach_initial: bool
    spatial_mask: Literal["sum", "product"]
    mask_std: float

    def changed(self, **choices: Any) -> _Rules:
        """These rules, with every choice that is not None."""
        return self._replace(**{key: made for key, made in choices.items() if made is not None})


# fmt: off
_VARIANTS = {
    "paper": _Rules(
        local_order="window", signed_filter=False, detach_initial=False,
        spatial_mask="sum", mask_std=0.1,
    ),
    "released": _Rules(
        local_order="step", signed_filter=True, detach_initial=True,
        spatial_mask="sum", mask_std=1.0,
    ),
}
# fmt: on


class MultiODEBlock(nn.Module):
    """Solve graph ODEs on the same window at several scales and merge what they say.

    The global module lets the window's features flow for one unit of time, the edge module the
    mean series of pairs of sensors, the local module learned summaries of its pieces of 3 steps.
    The local state is kept near the global one, the three are mapped to features, aggregated, and
    added to a gate of the input. All modules share the spatial weights A + M (`SpatialMask`), the
    global and the edge module the temporal weights (`TemporalAttention`), and the local modules
    another pair of these.

    Args:
        num_nodes: number N of sensors.
        channels: number C of channels.
        steps: number T of steps, a multiple of 3.
        variant: ``"paper"``, or ``"released"`` for what the published code computes: the steps of
            the local modules are not in the order of time, the filter's width may be negative, the
            initial state is held constant in the backward pass, and the learned matrix starts ten
            times as wide. For each of the next five, None is what the variant says.
        detach_initial: see `NodeODE`.
        local_order: order of the steps of the local modules, see `LocalODE`.
        signed_filter: see `MessageFilter`.
        spatial_mask: mode of `SpatialMask`.
        mask_std: deviation of its start.
        local_heads: heads of the local modules' attention.
        integrator: solver of all modules.
        backend: ``"auto"``; ``"factorised"`` or ``"general"``, the form of `EdgeODE`; or
            ``"textbook"``, every module's equations as written. Equal results.
        use_global: with the global module.
        use_edge: with the edge module.
        use_local: with the local modules.
        use_filter: with the message filter. It needs the global and the local state: where one is
            left out, there is none.
        use_shared_weights: without (False), every module has its own A + M and temporal weights.
        use_update_gate: with the gate of the block's input in the update.
        aggregation: ``"gated"``, which needs two modules, or ``"sum"``.
        use_local_attention: without (False), a sensor's summaries are a linear map of its own
            window.

    Raises:
        ValueError: for sizes below 1 or that do not divide, for unknown names, or where too few
            modules are left.

    Reference:
        Liu et al., TMLR 2023, arXiv:2305.18687, section 4 (multi-ODE block).
    """

    def __init__(
        self,
        num_nodes: int,
        channels: int,
        steps: int = 12,
        *,
        variant: Literal["paper", "released"] = "paper",
        detach_initial: bool | None = None,
        local_order: Literal["window", "step"] | None = None,
        signed_filter: bool | None = None,
        spatial_mask: Literal["sum", "product"] | None = None,
        mask_std: float | None = None,
        local_heads: int = 32,
        integrator: Integrator = Integrator(),  # noqa: B008
        backend: Backend = "auto",
        use_global: bool = True,
        use_edge: bool = True,
        use_local: bool = True,
        use_filter: bool = True,
        use_shared_weights: bool = True,
        use_update_gate: bool = True,
        aggregation: Literal["gated", "sum"] = "gated",
        use_local_attention: bool = True,
    ) -> None:
        super().__init__()
        check_positive(num_nodes=num_nodes, channels=channels, steps=steps, local_heads=local_heads)
        rules = _rules_of(variant).changed(
            detach_initial=detach_initial, local_order=local_order, signed_filter=signed_filter,
            spatial_mask=spatial_mask, mask_std=mask_std,
        )  # fmt: skip
        used = {"global": use_global, "edge": use_edge, "local": use_local}
        self.modules_used = tuple(name for name, is_used in used.items() if is_used)
        _check_modules(self.modules_used, aggregation)
        self.num_nodes, self.channels, self.steps = num_nodes, channels, steps
        self.use_shared_weights = use_shared_weights
        self.as_written, edge_form = _resolve_backend(backend)
        solving: dict[str, Any] = {
            "integrator": integrator, "detach_initial": rules.detach_initial,
        }  # fmt: skip
        self.global_ode: NodeODE | None = None
        if use_global:
            self.global_ode = NodeODE(num_nodes, channels, **solving)
        self.edge_ode: EdgeODE | None = None
        if use_edge:
            self.edge_ode = EdgeODE(num_nodes, channels, form=edge_form, **solving)
        self.local_ode: LocalODE | None = None
        if use_local:
            self.local_ode = LocalODE(
                num_nodes, channels, steps, piece_steps=PIECE_STEPS, heads=local_heads,
                order=rules.local_order, use_attention=use_local_attention, **solving,
            )  # fmt: skip
        self._make_weights({"mode": rules.spatial_mask, "std": rules.mask_std})
        filtered = use_filter and use_global and use_local
        self.filter = MessageFilter(signed=rules.signed_filter) if filtered else None
        self.global_map = nn.Linear(channels, channels) if use_global else None
        self.local_map = nn.Linear(channels, channels) if use_local else None
        self.aggregation = GatedAggregation(aggregation)
        self.update = ResidualUpdate(channels, use_gate=use_update_gate)

    def _make_weights(self, start: dict[str, Any]) -> None:
        """Make the spatial and temporal weights that the modules share, or one set for each."""
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
        """Graph, w3 and w4 of each module; A + M is computed once for all that share it."""
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
        """Return the merged states.

        Args:
            x: features of each window, sensor and step.
            adjacency: the normalised adjacency A.

        Raises:
            ValueError: for another shape.
        """
        check_shape("x", x, "B N T C", None, self.num_nodes, self.steps, self.channels)
        with textbook(when=self.as_written):
            return self.update(self.aggregation(**self._states(x, self._weights(adjacency))), x)

    def _states(
        self, x: Tensor, weights: dict[str, tuple[Tensor, Tensor, Tensor]]
    ) -> dict[str, Tensor]:
        """The states of the modules, by the names that the aggregation gives them."""
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


def _rules_of(variant: str) -> _Rules:
    if variant not in _VARIANTS:
        raise ValueError(f'variant must be "paper" or "released", got {variant!r}')
    return _VARIANTS[variant]


def _resolve_backend(backend: str) -> tuple[bool, EdgeForm]:
    """Whether all equations are computed as written, and the form of the edge module."""
    if backend == "textbook":
        return True, "general"
    if backend not in ("auto", "factorised", "general"):
        raise ValueError(
            f'backend must be "auto", "factorised", "general" or "textbook", got {backend!r}'
        )
    return False, cast(EdgeForm, backend)


def _check_modules(used: tuple[str, ...], aggregation: str) -> None:
    if not used:
        raise ValueError("one of use_global, use_edge and use_local must be True, got none")
    if len(used) == 1 and aggregation == "gated":
        raise ValueError(
            'aggregation "gated" gates each module by another: with only '
            f'use_{used[0]} left, aggregation must be "sum"'
        )
