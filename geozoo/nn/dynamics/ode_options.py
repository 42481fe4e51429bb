"""Options of a multi-ODE block: variants of its equations, and ablations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

Variant = Literal["paper", "released"]
LocalOrder = Literal["window", "step"]
MaskMode = Literal["sum", "product"]
#: Evaluation backend of a block.
Backend = Literal["auto", "factorised", "general", "textbook"]
AggregationMode = Literal["gated", "sum"]
#: A larger initialisation overflows float32 within a layer.
_LARGEST_STD = 1e3


class Rules(NamedTuple):
    """Choices in which the two variants differ."""

    local_order: LocalOrder
    signed_filter: bool
    detach_initial: bool
    spatial_mask: MaskMode
    mask_std: float


# fmt: off
_VARIANTS = {
    "paper": Rules(
        local_order="window", signed_filter=False, detach_initial=False,
        spatial_mask="sum", mask_std=0.1,
    ),
    "released": Rules(
        local_order="step", signed_filter=True, detach_initial=True,
        spatial_mask="sum", mask_std=1.0,
    ),
}
# fmt: on


@dataclass(frozen=True)
class ODEEquations:
    """Choices in which the paper and the published code differ, and the evaluation backend.

    Attributes:
        detach_initial: treat the initial state as a constant in the backward pass, as the published
            code does; None, here and in the next four options: the choice of the variant.
        local_order: output steps of the local modules in temporal order (``"window"``) or by step
            within the segment (``"step"``), as in the published code.
        signed_filter: use the learned width of the message filter with its sign, as in the
            published code, instead of its magnitude.
        spatial_mask: add the learned matrix to the adjacency (``"sum"``) or multiply elementwise
            (``"product"``).
        mask_std: initial standard deviation of the learned matrix, around 0 for the sum and 1 for
            the product (paper: 0.1, published code: 1).
        backend: ``"auto"``; ``"factorised"`` (no tensor over sensor pairs; Euler only) or
            ``"general"``; or ``"textbook"``, all equations as written. All backends give the same
            results.

    Raises:
        ValueError: If an option is unknown, or ``mask_std`` is out of range.
    """

    detach_initial: bool | None = None
    local_order: LocalOrder | None = None
    signed_filter: bool | None = None
    spatial_mask: MaskMode | None = None
    mask_std: float | None = None
    backend: Backend = "auto"

    def __post_init__(self) -> None:
        """Check the options."""
        if self.mask_std is not None and not 0 <= self.mask_std <= _LARGEST_STD:
            raise ValueError(f"mask_std must be in [0, {_LARGEST_STD:g}], got {self.mask_std!r}")
        if self.backend not in get_args(Backend):
            raise ValueError(
                'backend must be "auto", "factorised", "general" or "textbook", '
                f"got {self.backend!r}"
            )

    def rules(self, variant: str) -> Rules:
        """Return the choices of a variant, overridden by every option that is not None.

        Raises:
            ValueError: If ``variant`` is neither ``"paper"`` nor ``"released"``.
        """
        if variant not in _VARIANTS:
            raise ValueError(f'variant must be "paper" or "released", got {variant!r}')
        choices = {name: getattr(self, name) for name in Rules._fields}
        made = {name: choice for name, choice in choices.items() if choice is not None}
        return _VARIANTS[variant]._replace(**made)


@dataclass(frozen=True)
class ODEAblation:
    """Parts of a block, each of which can be disabled as in the paper's ablations.

    Attributes:
        use_global: enable the global module.
        use_edge: enable the edge module.
        use_local: enable the local modules.
        use_filter: enable the message filter; it needs both the global and the local modules and is
            disabled without either.
        use_shared_weights: share spatial and temporal weights; False: separate weights per module.
        use_update_gate: enable the gate of the block's input in the update.
        aggregation: ``"gated"``, which needs two modules, or ``"sum"``.
        use_local_attention: False: the initial states of the local modules are linear maps of each
            sensor's own window.

    Raises:
        ValueError: If too few modules are enabled.
    """

    use_global: bool = True
    use_edge: bool = True
    use_local: bool = True
    use_filter: bool = True
    use_shared_weights: bool = True
    use_update_gate: bool = True
    aggregation: AggregationMode = "gated"
    use_local_attention: bool = True

    def __post_init__(self) -> None:
        """Check that modules are enabled, and at least two for gated aggregation."""
        used = self.modules
        if not used:
            raise ValueError(
                "at least one of use_global, use_edge, use_local must be True, got none"
            )
        if len(used) == 1 and self.aggregation == "gated":
            raise ValueError(
                f'aggregation must be "sum" if only use_{used[0]} is True, got "gated", which '
                "needs two modules"
            )

    @property
    def modules(self) -> tuple[str, ...]:
        """The enabled modules, a subset of ``"global"``, ``"edge"`` and ``"local"``."""
        names = ("global", "edge", "local")
        return tuple(name for name in names if getattr(self, f"use_{name}"))

    @property
    def has_filter(self) -> bool:
        """Whether the block has a message filter."""
        return self.use_filter and self.use_global and self.use_local
