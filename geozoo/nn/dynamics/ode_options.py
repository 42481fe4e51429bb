"""Options of a block of graph ODEs: how its equations are read, and which parts it has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

Variant = Literal["paper", "released"]
LocalOrder = Literal["window", "step"]
MaskMode = Literal["sum", "product"]
#: How a block is evaluated.
Backend = Literal["auto", "factorised", "general", "textbook"]
AggregationMode = Literal["gated", "sum"]
#: A start beyond it overflows float32 within a layer.
_LARGEST_STD = 1e3


class Rules(NamedTuple):
    """What the two variants do differently."""

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
    """Single choices where paper and published program differ, and the form of evaluation.

    Attributes:
        detach_initial: hold the initial state of the equations constant in the backward pass, as
            the program does; None, here and in the next four: what the variant says.
        local_order: steps of the local modules by ``"window"`` (in the order of time) or by
            ``"step"``, as in the program.
        signed_filter: width of the message filter as learned, as in the program, not its magnitude.
        spatial_mask: the learned matrix is added to the adjacency (``"sum"``) or multiplies it
            entry by entry (``"product"``).
        mask_std: standard deviation of its start, around 0 for the sum and 1 for the product
            (paper: 0.1, program: 1).
        backend: ``"auto"``; ``"factorised"`` (no tensor of pairs of sensors; Euler only) or
            ``"general"``; or ``"textbook"``, all equations as written. Equal results.

    Raises:
        ValueError: for an unknown name, or a deviation that is negative or overflows.
    """

    detach_initial: bool | None = None
    local_order: LocalOrder | None = None
    signed_filter: bool | None = None
    spatial_mask: MaskMode | None = None
    mask_std: float | None = None
    backend: Backend = "auto"

    def __post_init__(self) -> None:
        """Refuse what there is not."""
        if self.mask_std is not None and not 0 <= self.mask_std <= _LARGEST_STD:
            raise ValueError(f"mask_std must be in 0..{_LARGEST_STD:g}, got {self.mask_std!r}")
        if self.backend not in get_args(Backend):
            raise ValueError(
                'backend must be "auto", "factorised", "general" or "textbook", '
                f"got {self.backend!r}"
            )

    def rules(self, variant: str) -> Rules:
        """What a variant does, with every choice that is not None.

        Raises:
            ValueError: for another name than ``"paper"`` and ``"released"``.
        """
        if variant not in _VARIANTS:
            raise ValueError(f'variant must be "paper" or "released", got {variant!r}')
        choices = {name: getattr(self, name) for name in Rules._fields}
        made = {name: choice for name, choice in choices.items() if choice is not None}
        return _VARIANTS[variant]._replace(**made)


@dataclass(frozen=True)
class ODEAblation:
    """The parts of a block that the paper's ablations leave out.

    Attributes:
        use_global: with the global module.
        use_edge: with the edge module.
        use_local: with the local modules.
        use_filter: with the message filter. It needs the global and the local state: where one is
            left out, there is none.
        use_shared_weights: without (False), every module has its own spatial and temporal weights.
        use_update_gate: with the gate of the block's input in the update.
        aggregation: ``"gated"``, which needs two modules, or ``"sum"``.
        use_local_attention: without (False), a sensor's summaries are a linear map of its own
            window.

    Raises:
        ValueError: where too few modules are left.
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
        """Refuse a block without modules, or a gate between a module and nothing."""
        used = self.modules
        if not used:
            raise ValueError("one of use_global, use_edge and use_local must be True, got none")
        if len(used) == 1 and self.aggregation == "gated":
            raise ValueError(
                'aggregation "gated" gates each module by another: with only '
                f'use_{used[0]} left, aggregation must be "sum"'
            )

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules that are left: of ``"global"``, ``"edge"`` and ``"local"``."""
        names = ("global", "edge", "local")
        return tuple(name for name in names if getattr(self, f"use_{name}"))

    @property
    def has_filter(self) -> bool:
        """Whether there is a message filter."""
        return self.use_filter and self.use_global and self.use_local
