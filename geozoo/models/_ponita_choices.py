"""What the words of PONITA's configuration stand for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

from torch import Tensor

from geozoo.checks import check_not_negative, check_positive
from geozoo.nn.representation import (
    BundleRepresentation,
    EdgeLiftedRepresentation,
    FrameRepresentation,
    PositionRepresentation,
)
from geozoo.nn.representation._base import Representation

Backend = Literal["auto", "lattice", "shared", "fused", "triton", "textbook"]


class Form(NamedTuple):
    """In which of the equal forms kernels are evaluated.

    Attributes:
        on_lattice: a row for each step of the lattice, where positions need no derivatives.
        pairs_found: a row for both directions of the pairs that a model finds itself.
        pairs_given: the same for edges of the caller, where each has its reversed one.
        sorts: edges are sorted, for kernels that are evaluated while they are summed.
        as_written: every equation as it is written.
        tabulated: the backend of a model whose kernels are read from tables.
    """

    on_lattice: bool = False
    pairs_found: bool = False
    pairs_given: bool = False
    sorts: bool = False
    as_written: bool = False
    tabulated: str = "fused"


#: What the words of the argument ``backend`` stand for.
FORMS = {
    "lattice": Form(on_lattice=True, pairs_given=True),
    "shared": Form(pairs_found=True, pairs_given=True, tabulated="shared"),
    "fused": Form(),
    "textbook": Form(as_written=True, tabulated="textbook"),
    "triton": Form(sorts=True),
}
_NEEDS = {
    "lattice": 'the argument lattice and a representation other than "bundle_full" and "edges"',
    "triton": 'a representation other than "bundle_full" and "edges"',
    "shared": 'the representation "position", or "bundle" with an antipodal grid '
    '(grid="repulsion_antipodal" or "platonic", or an even number on the circle)',
}


@dataclass(frozen=True)
class PonitaOrientations:
    """How PONITA orients a point.

    Attributes:
        num_orientations: orientations of the bundle, or frames (12, 24 or 60); the other
            representations have none.
        grid: kind of grid on the sphere (`geozoo.geometry.sphere_grid`) or unit vectors
            ``[num_orientations, dim]``. Antipodal grids run about twice as fast.
        orientation_kind: ``"published"`` or, in the plane, ``"se2"`` (complete for SE(2)).
        interaction: which lifted edges interact, ``"edges"`` or ``"complete"``.
    """

    num_orientations: int = 20
    grid: str | Tensor = "repulsion_antipodal"
    orientation_kind: Literal["published", "se2"] = "published"
    interaction: Literal["edges", "complete"] = "edges"


@dataclass(frozen=True)
class PonitaKernel:
    """The kernels of PONITA, and how they are evaluated.

    Attributes:
        basis_channels: number K of basis functions, shared by all layers.
        degree: degree of the polynomial features of the invariants.
        depthwise: one kernel weight per channel instead of a full matrix.
        condition_channels: numbers per graph on which all kernels depend, such as the noise level
            of a diffusion; given to the network's `forward` as ``condition``.
        backend: ``"lattice"``: one kernel row for all pairs that are the same step of the lattice
            apart, as a dense convolution; ``"shared"``: one for a pair and its reverse, where graph
            and grid allow it; ``"fused"``: one row per directed edge; ``"auto"``: the first of
            these that can be. They keep neither messages nor gathered features in memory.
            ``"triton"``: as ``"fused"``, with kernels that are evaluated while they are summed, on
            a GPU with Triton (`geozoo.ops.kernel_sum`). ``"textbook"``: every step as the equations
            are written. Equal results. For derivatives
            by the positions of a lattice, ``"fused"`` is taken. Edges of the caller share kernels
            with their reversed ones, on the CPU.

    Raises:
        ValueError: for sizes below 1, or an unknown backend.
    """

    basis_channels: int = 256
    degree: int = 3
    depthwise: bool = True
    condition_channels: int = 0
    backend: Backend = "auto"

    def __post_init__(self) -> None:
        """Refuse what there is not."""
        check_positive(basis_channels=self.basis_channels, degree=self.degree)
        check_not_negative(condition_channels=self.condition_channels)
        if self.backend not in get_args(Backend):
            raise ValueError(
                'backend must be "auto", "lattice", "shared", "fused", "triton" or "textbook", '
                f"got {self.backend!r}"
            )


@dataclass(frozen=True)
class PonitaBlocks:
    """The ConvNeXt blocks of PONITA, and what is read out of them.

    Attributes:
        widening: factor of a block's hidden width.
        layer_scale: initial layer scale of a block; None: no layer scale.
        multiple_readouts: mean of one readout per block, instead of one after the last.
        recompute: evaluate each block again in the backward pass instead of keeping what is inside
            it: a fraction of the memory for about a third more time. Same results.

    Raises:
        ValueError: for a factor below 1.
    """

    widening: int = 4
    layer_scale: float | None = None
    multiple_readouts: bool = True
    recompute: bool = False

    def __post_init__(self) -> None:
        """Refuse a width that nothing can have."""
        check_positive(widening=self.widening)


def make_representation(
    name: str, dim: int, orientations: PonitaOrientations, sizes: dict[str, Any]
) -> Representation:
    """Return the representation of that name.

    Args:
        name: ``"bundle"``, ``"bundle_full"``, ``"frames"``, ``"edges"`` or ``"position"``.
        dim: dimension of space.
        orientations: how a point is oriented.
        sizes: arguments that all representations take.

    Raises:
        ValueError: for another name.
    """
    kind = orientations.orientation_kind
    if name in ("bundle", "bundle_full"):
        return BundleRepresentation(
            dim, num_orientations=orientations.num_orientations, grid=orientations.grid,
            orientation_kind=kind, separable=name == "bundle", **sizes,
        )  # fmt: skip
    if name == "frames":
        if dim != 3:
            raise ValueError(f'representation "frames" is for dim 3, got {dim!r}')
        return FrameRepresentation(orientations.num_orientations, **sizes)
    if name == "edges":
        return EdgeLiftedRepresentation(
            dim, orientation_kind=kind, interaction=orientations.interaction, **sizes
        )
    if name == "position":
        return PositionRepresentation(dim, **sizes)
    raise ValueError(
        'representation must be "bundle", "bundle_full", "frames", "edges" or "position", '
        f"got {name!r}"
    )


def resolve_backend(
    backend: Backend, representation: Representation, lattice: tuple[int, ...] | None
) -> str:
    """Return the backend that a word stands for.

    Raises:
        ValueError: for a backend that the model does not have.
    """
    possible = {
        "lattice": lattice is not None and representation.on_lattice,
        "shared": representation.shares_pairs,
        "fused": True,
        "textbook": True,
        # Never by itself: nobody has measured yet where it is faster.
        "triton": representation.on_lattice,
    }
    if backend == "auto":
        return next(name for name, can_be in possible.items() if can_be)
    if not possible[backend]:
        raise ValueError(f'backend "{backend}" needs {_NEEDS[backend]}')
    return backend
